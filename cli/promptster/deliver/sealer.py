"""The sealer: makes signed, sealed batches of durable events, a second after there is something, or when there is much.

A batch is durable before anyone may send it, and is never sealed a second time. While batches wait for the collector,
new ones are made more rarely: offline hours become a few large batches, not thousands of small ones.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from promptster.journal.writer import weight
from promptster.protocol.batch import MAX_EVENTS, seal_batch
from promptster.protocol.errors import BatchError
from promptster.protocol.kinds import ends_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from promptster.deliver.outbox import Outbox
    from promptster.journal.writer import JournalWriter
    from promptster.protocol.events import RecordedEvent
    from promptster.protocol.signing import SigningKey

BATCH_BYTES = 3 * 1024 * 1024
"""Plain bytes of events after which a batch is full; a single larger event stands alone."""
BACKLOG = 4
"""Batches without receipts from which on the collector counts as behind."""
BACKLOG_FACTOR = 20
"""How much longer events are gathered then."""
_RETRY_S = 2.0


class Sealer:
    """Turns the journal's tail into batches."""

    def __init__(
        self,
        *,
        recorder: JournalWriter,
        outbox: Outbox,
        session: str,
        session_key: SigningKey,
        content_key: bytes,
        random: Callable[[int], bytes],
        interval_s: float = 1.0,
    ) -> None:
        """Seal what ``recorder`` made durable into ``outbox``, ``interval_s`` after there is something."""
        self._recorder, self._outbox = recorder, outbox
        self._session, self._session_key, self._content_key = session, session_key, content_key
        self._random, self.interval_s = random, interval_s
        self._lock = asyncio.Lock()
        self._hurry = asyncio.Event()
        self.batch_bytes = BATCH_BYTES
        """Halved when the collector says that a batch was too large."""
        self.stored = asyncio.Event()
        """Set whenever a batch was stored; whoever waits clears it."""
        self.failing = False
        """Whether the last batch could not be stored."""

    async def run(self) -> None:
        """Seal for ever."""
        while True:
            await self._recorder.grown.wait()
            self._recorder.grown.clear()
            if not self._waiting():
                continue
            await self._gather()
            try:
                await self.seal_all()
                self.failing = False
            except (OSError, BatchError):  # the disk refused, or the chain changed meanwhile
                self.failing = True
                await asyncio.sleep(_RETRY_S)
                self._recorder.grown.set()

    async def seal_all(self) -> None:
        """Seal everything that is durable now.

        Raises:
            OSError: a batch could not be stored; nothing is lost, it is sealed again later.
        """
        async with self._lock:
            until = self._recorder.durable_seq
            while self._outbox.position.first < until:
                await asyncio.to_thread(self.seal_one)
                self.stored.set()

    def hurry(self) -> None:
        """Do not wait for more before the next batch."""
        self._hurry.set()

    async def _gather(self) -> None:
        """Let more come together, longer while the collector is behind."""
        pause = self.interval_s * (BACKLOG_FACTOR if self._outbox.backlog >= BACKLOG else 1)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):  # wait_for of 3.11 loses a cancellation that comes with a hurry
                await self._hurry.wait()
        self._hurry.clear()

    def _waiting(self) -> bool:
        return self._outbox.position.first < self._recorder.durable_seq

    def seal_one(self) -> None:
        """Seal the next batch; for a thread that may wait for the disk.

        Raises:
            OSError: it could not be stored, or its events could not be read.
        """
        position = self._outbox.position
        fresh = self._recorder.take_fresh(position.first)
        source = self._recorder.events(start=position.first) if fresh is None else fresh
        events = self._fill(source)
        if not events:
            raise OSError("durable events cannot be read")
        wire = seal_batch(
            events,
            session=self._session,
            n=position.n,
            first=position.first,
            prev=position.prev,
            session_key=self._session_key,
            content_key=self._content_key,
            random=self._random,
        )
        self._outbox.store(wire)

    def _fill(self, source: Iterable[RecordedEvent]) -> list[RecordedEvent]:
        """The events of the next batch. ``closed`` names the number of batches, so it stands alone in the last one."""
        events: list[RecordedEvent] = []
        size = 0
        for event in source:
            size += weight(event)
            full = size > self.batch_bytes or len(events) >= MAX_EVENTS
            if events and (full or ends_session(event.kind, event.src)):
                break
            events.append(event)
        return events
