"""The uploader sends batches in order until each has its receipt, through failures of the network and the collector.

One batch is sent at a time, and again with the same bytes if the answer is lost. ``promptster.deliver.refused_batches``
decides what the collector's refusals mean; this module handles the order, the pauses and the state of the upload. After
a final refusal nothing is sent until the candidate asks for it.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from promptster.client import CollectorRefusedError, PutAnswer
from promptster.deliver.limits import UploadTiming
from promptster.deliver.receipts import SessionEnding
from promptster.deliver.trust import KeySource, UnknownSignerError
from promptster.errors import CollectorError
from promptster.protocol.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from promptster.deliver.outbox import Outbox
    from promptster.deliver.trust import TrustedKeys


class Collector(KeySource, Protocol):
    """What the uploader asks of a collector; ``promptster.client.AsyncCollectorClient`` is one."""

    async def put_batch(self, session: str, n: int, wire: bytes, *, earlier_receipt: bytes | None = None) -> PutAnswer:
        """Store one sealed batch."""
        ...

    async def head(self, session: str) -> dict[str, Any]:
        """Fetch the state and counts of a session."""
        ...

    async def evidence(self, session: str) -> dict[str, Any]:
        """Fetch everything that the collector signed about a session."""
        ...


class Retry(Enum):
    """When a refused batch is sent again."""

    NOW = auto()
    """At once: the reason for the refusal is gone."""
    LATER = auto()
    """After a pause."""
    NEVER = auto()
    """Only on request: the same bytes would be refused again."""


@dataclass(frozen=True, kw_only=True)
class Halt:
    """A final refusal: why nothing more is sent."""

    code: str
    """The collector's code, such as ``session_full``."""
    message: str
    """The reason as a person reads it."""


@dataclass(kw_only=True)
class Progress:
    """The state of the upload, for ``status``."""

    reachable: bool | None = None
    """Whether the last try got an answer; ``None`` before the first."""
    last_error: str | None = None
    """The code of the last refusal or failure, ``None`` after a success."""
    checked: int = -1
    """The highest number of a batch that the collector opened and checked."""
    halt: Halt | None = None
    """Set once nothing more is sent without a request."""


class Ended(Exception):  # noqa: N818 - an outcome, not an error
    """The collector accepts nothing more of this session, and signed that."""

    def __init__(self, ending: SessionEnding) -> None:
        """Keep how it ended, as the collector signed it."""
        super().__init__(ending)
        self.ending = ending


class Pace:
    """The pauses between tries: full jitter, doubling from half a second to a minute."""

    def __init__(
        self, *, spread: Callable[[float, float], float] = random.uniform, timing: UploadTiming | None = None
    ) -> None:
        """``spread`` picks a number between two."""
        self._spread, self._timing = spread, timing or UploadTiming()
        self._failures = 0

    def succeeded(self) -> None:
        """Start again with the shortest pause."""
        self._failures = 0

    def pause(self, retry_after_s: float | None = None) -> float:
        """Seconds until the next try."""
        ceiling = min(self._timing.longest_pause_s, self._timing.first_pause_s * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        chosen = self._spread(0.0, ceiling)
        return max(chosen, min(retry_after_s or 0.0, self._timing.longest_retry_after_s))


class Uploader:
    """Sends one outbox to its collector."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        collector: Collector,
        session: str,
        keys: TrustedKeys,
        refused: Callable[[CollectorRefusedError, int], Awaitable[Retry]],
        stored: asyncio.Event,
        timing: UploadTiming | None = None,
    ) -> None:
        """Prepare to send.

        Args:
            outbox: the batches.
            collector: receives them.
            session: the session's id.
            keys: the trusted keys of the collector.
            refused: decides what a refusal of batch n means.
            stored: set by the sealer when there is a new batch.
            timing: how long it waits; as usual if not given.
        """
        self._outbox, self._collector, self._session = outbox, collector, session
        self._keys, self._refused, self._stored = keys, refused, stored
        self._timing = timing or UploadTiming()
        self._pace = Pace(timing=self._timing)
        self._hurry = asyncio.Event()
        self._again = asyncio.Event()
        self._moved = asyncio.Event()
        self.progress = Progress()
        """The state of the upload."""

    async def run(self) -> None:
        """Send batches until cancelled.

        Raises:
            Ended: the collector takes nothing more.
        """
        while True:
            if self.progress.halt is not None:
                await self._again.wait()
            elif self._outbox.unsent is None:
                await self._stored.wait()
                self._stored.clear()
            else:
                await self._send_next()

    async def moved(self) -> None:
        """Wait until something about the upload changes."""
        await self._moved.wait()

    def hurry(self) -> None:
        """End the present pause, unless the collector asked for it."""
        self._hurry.set()

    def try_again(self) -> None:
        """Send a batch that was finally refused once more; does nothing if there is none."""
        if self.progress.halt is not None:
            self.progress.halt = None
            self._again.set()

    async def watch_checks(self) -> None:
        """Poll until the collector has opened and checked everything that it received."""
        while self.progress.checked < self._outbox.received - 1:
            await asyncio.sleep(self._timing.poll_s)
            with suppress(CollectorError):
                self._note_checked((await self._collector.head(self._session)).get("checked"))

    async def _send_next(self) -> None:
        entry = self._outbox.unsent
        if entry is None:
            return
        try:
            wire = await asyncio.to_thread(self._outbox.wire, entry.n)
            answer = await self._collector.put_batch(self._session, entry.n, wire)
            await self._accept(entry.n, answer.receipt)
        except CollectorRefusedError as error:
            self._note(reachable=True, error=error.code)
            await self._refuse(error, entry.n)
        except CollectorError as error:
            self._note(reachable=False, error=error.code)
            await self._wait(None)
        except ProtocolError as error:
            self._note(reachable=True, error=f"receipt_{error.code}")
            await self._wait(None)
        except OSError:
            self._note(reachable=self.progress.reachable, error="disk")
            await self._wait(None)
        else:
            self._pace.succeeded()
            self._note_checked(answer.checked)
            self._note(reachable=True, error=None)
            if self._outbox.unsent is not None:
                await asyncio.sleep(self._timing.between_s)

    async def _accept(self, n: int, receipt: bytes) -> None:
        """Keep a receipt; if its key is unknown, fetch the collector's current keys first.

        Raises:
            ProtocolError: it is not a receipt of this collector for this batch.
            OSError: it could not be kept.
        """
        try:
            await asyncio.to_thread(self._outbox.accept, n, receipt)
        except UnknownSignerError:
            if not await self._keys.fetch_new(self._collector):
                raise
            await asyncio.to_thread(self._outbox.accept, n, receipt)

    async def _refuse(self, error: CollectorRefusedError, n: int) -> None:
        match await self._refused(error, n):
            case Retry.NOW:
                pass
            case Retry.LATER:
                await self._wait(error.retry_after_s)
            case Retry.NEVER:
                self._again.clear()
                self.progress.halt = Halt(code=error.code, message=error.message)
                self._tell_moved()

    async def _wait(self, retry_after_s: float | None) -> None:
        pause = self._pace.pause(retry_after_s)
        if retry_after_s:
            await asyncio.sleep(pause)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):  # wait_for of 3.11 loses a cancellation that comes with a hurry
                await self._hurry.wait()
        self._hurry.clear()

    def _note(self, *, reachable: bool | None, error: str | None) -> None:
        self.progress.reachable, self.progress.last_error = reachable, error
        self._tell_moved()

    def _note_checked(self, checked: object) -> None:
        if isinstance(checked, int) and checked > self.progress.checked:
            self.progress.checked = checked
            self._tell_moved()

    def _tell_moved(self) -> None:
        """Wake every waiting task; tasks that wait later get the next change."""
        self._moved.set()
        self._moved = asyncio.Event()
