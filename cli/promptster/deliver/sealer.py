"""The sealer makes signed, encrypted batches of durable events, a second after the first event or once there are many.

A batch is stored durably before it is sent, and is never sealed twice. While batches wait for the collector, new ones
are made less often, so that hours offline become a few large batches instead of thousands of small ones.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from promptster.deliver.limits import SealingLimits
from promptster.journal.writer import weight
from promptster.protocol.batch import seal_batch
from promptster.protocol.errors import BatchError
from promptster.protocol.events.sources import ends_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from promptster.deliver.outbox import Outbox
    from promptster.journal.writer import JournalWriter
    from promptster.protocol.events import RecordedEvent
    from promptster.protocol.signing import SigningKey


class BatchSealer:
    """Makes batches from the end of the journal."""

    def __init__(
        self,
        *,
        writer: JournalWriter,
        outbox: Outbox,
        session: str,
        session_key: SigningKey,
        content_key: bytes,
        random: Callable[[int], bytes],
        limits: SealingLimits | None = None,
    ) -> None:
        """Seal what ``writer`` made durable into ``outbox``, ``limits.gather_s`` after there is something."""
        self._limits = limits or SealingLimits()
        self._writer, self._outbox = writer, outbox
        self._session, self._session_key, self._content_key = session, session_key, content_key
        self._random, self._gather_s = random, self._limits.gather_s
        self._lock = asyncio.Lock()
        self._hurry = asyncio.Event()
        self._batch_bytes = self._limits.batch_bytes
        self.stored = asyncio.Event()
        """Set whenever a batch was stored; the waiting task clears it."""
        self.failing = False
        """Whether the last batch could not be stored."""

    async def run(self) -> None:
        """Seal batches until cancelled."""
        while True:
            await self._writer.durable_changed.wait()
            self._writer.durable_changed.clear()
            if not self._waiting():
                continue
            await self._gather()
            try:
                await self.seal_all()
                self.failing = False
            except (OSError, BatchError):  # the disk refused, or the chain changed meanwhile
                self.failing = True
                await asyncio.sleep(self._limits.retry_s)
                self._writer.durable_changed.set()

    async def seal_all(self) -> None:
        """Seal everything that is durable now.

        Raises:
            OSError: a batch could not be stored; nothing is lost, it is sealed again later.
        """
        async with self._lock:
            until = self._writer.durable_seq
            while self._outbox.position.first < until:
                await asyncio.to_thread(self.seal_one)
                self.stored.set()

    def make_smaller(self) -> None:
        """Halve the size of batches: the collector says that one was too large."""
        self._batch_bytes = max(self._limits.smallest_batch, self._batch_bytes // 2)

    def hurry(self) -> None:
        """Seal the next batch without waiting for more events."""
        self._hurry.set()

    async def _gather(self) -> None:
        """Wait for more events, longer while many batches have no receipt."""
        pause = self._gather_s * (self._limits.backlog_factor if self._outbox.backlog >= self._limits.backlog else 1)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):  # wait_for of 3.11 loses a cancellation that comes with a hurry
                await self._hurry.wait()
        self._hurry.clear()

    def _waiting(self) -> bool:
        return self._outbox.position.first < self._writer.durable_seq

    def seal_one(self) -> None:
        """Seal the next batch; runs in a thread that may wait for the disk.

        Raises:
            OSError: it could not be stored, or its events could not be read.
        """
        position = self._outbox.position
        recent = self._writer.take_recent(position.first)
        source = self._writer.events(start=position.first) if recent is None else recent
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
        """Return the events of the next batch. ``closed`` counts the batches, so it is alone in the last one."""
        events: list[RecordedEvent] = []
        size = 0
        for event in source:
            size += weight(event)
            full = size > self._batch_bytes or len(events) >= self._limits.batch_events
            if events and (full or ends_session(event.kind, event.src)):
                break
            events.append(event)
        return events
