"""The journal's only writer: it numbers the events, and its own thread makes them durable in groups.

``append`` returns the event's seq at once and never waits for the disk; ``durable`` waits. An event counts as recorded
once it is durable: until then it is held in memory, and written again if the disk failed. When the disk is nearly full
or fails, large values are left out and a ``capture_degraded`` event says so. The agent never has to wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import threading
from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msgspec import structs

from promptster.journal.journal import JournalLostError
from promptster.journal.limits import JournalLimits
from promptster.protocol.errors import EventError
from promptster.protocol.events import Draft, RecordedEvent, Source, compose, read_body
from promptster.protocol.events.kinds import AGENT_KINDS, FIELD_TYPES, SESSION_KINDS, CaptureDegraded, CaptureGap, Event
from promptster.protocol.events.sources import ends_session
from promptster.protocol.events.values import encode_value

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from promptster.clock import Clock
    from promptster.journal.journal import Journal

NOT_RECORDED = -1
"""What ``append`` returns for a draft that was left out; no event has this seq."""

_SPACE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_WHOLE_KINDS = SESSION_KINDS


@dataclass(frozen=True, kw_only=True)
class _Pending:
    draft: Draft
    event: RecordedEvent
    data: bytes


class JournalWriter:
    """The one writer of a session's journal."""

    def __init__(
        self,
        *,
        journal: Journal,
        clock: Clock,
        random: Callable[[int], bytes],
        kinds: Collection[str],
        record_until: int = 0,
        limits: JournalLimits | None = None,
    ) -> None:
        """Continue an open journal; ``recovered`` must be read to its end before anything is appended.

        Args:
            journal: stores the events.
            clock: timestamps the recorder's own events.
            random: generates salts.
            kinds: the agent events that the policy allows.
            record_until: wall clock in ms after which agent events are left out; 0 for no limit.
            limits: sizes and times; the defaults if not given.
        """
        self._limits = limits or JournalLimits()
        self._clock, self._random = clock, random
        self._kinds = frozenset(kinds) | SESSION_KINDS
        self._record_until = record_until
        self.journal = journal
        self.next_seq = journal.next_seq
        """The number of events so far, durable or not."""
        self.sources: Counter[str] = Counter()
        """Events by source."""
        self.dropped: Counter[str] = Counter()
        """The number of drafts that were left out, by reason."""
        self.failing: str | None = None
        """The name of the disk's last error, while it fails."""
        self.lost = False
        """Whether durable records can no longer be read, so that only a restart can continue."""
        self.finished = False
        """Whether the journal ends with a ``closed`` event, after which nothing is appended."""
        self._lock = threading.RLock()
        self._pending: list[_Pending] = []
        self._pending_bytes = 0
        self._durable = journal.next_seq
        self._recent: deque[RecordedEvent] = deque()
        self._recent_bytes = 0
        self._low_space = False
        self._overflow: tuple[int, int] | None = None
        """Since when (wall clock in ms) memory has been full, and how many events were left out since."""
        self._time_over = False
        self._work = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self.durable_changed = asyncio.Event()
        """Set whenever events became durable; the waiting task clears it."""

    @property
    def durable_seq(self) -> int:
        """Number of events that are durable: all with a smaller seq are."""
        return self._durable

    @property
    def degraded(self) -> tuple[str, ...]:
        """The reasons why events are currently not recorded in full."""
        words = {"disk_failing": self.failing, "disk_nearly_full": self._low_space, "time_limit": self._time_over}
        return tuple(word for word, holds in words.items() if holds)

    def recovered(self) -> Iterator[RecordedEvent]:
        """Yield the events that the journal held when it was opened; reading them restores the counters."""
        for _seq, data in self.journal.records():
            for event in read_body(data):
                self._count(event)
                yield event

    def events(self, *, start: int = 0) -> Iterator[RecordedEvent]:
        """Read the durable events from ``start`` on from the disk."""
        for seq, data in self.journal.records(start=start):
            if seq >= self._durable:
                return
            yield from read_body(data)

    def take_recent(self, position: int) -> list[RecordedEvent] | None:
        """Durable events from ``position`` on that are still in memory, or ``None`` if they must be read from disk."""
        with self._lock:
            while self._recent and self._recent[0].seq < position:
                self._recent_bytes -= weight(self._recent.popleft())
            if self._recent and self._recent[0].seq == position:
                return list(self._recent)
            return [] if position >= self._durable else None

    def append(self, draft: Draft) -> int:
        """Number a draft and return its seq, or ``NOT_RECORDED`` if policy, time limit or memory exclude it."""
        with self._lock:
            reason = self._refusal(draft)
            if reason is not None:
                self.dropped[reason] += 1
                return NOT_RECORDED
            seq = self.next_seq
            kept = replace(draft, refs=tuple(ref for ref in draft.refs if 0 <= ref < seq))
            if self._low_space:
                kept = without_heavy_values(kept, self._limits.heavy)
            try:
                event = compose(kept, seq=seq, src_seq=self.sources[kept.src], random=self._random)
            except EventError:
                self.dropped["malformed"] += 1
                self._record_malformed(kept)
                return NOT_RECORDED
            self._keep(kept, event)
            self.next_seq = seq + 1
            self._count(event)
        self._work.set()
        return seq

    def append_next(self, draft: Draft, *, seq: int) -> bool:
        """Append a draft only if its seq is exactly this one; return whether it was appended."""
        with self._lock:
            return self.next_seq == seq and self.append(draft) == seq

    def append_own(self, event: Event) -> int:
        """Append one of the recorder's own events, with the current time."""
        clock = self._clock
        return self.append(Draft(src=Source.RECORDER, event=event, ms=clock.wall_ms(), mono_ms=clock.mono_ms()))

    def commit(self) -> bool:
        """Make pending events durable; return ``False`` if the disk failed. The writer's thread calls this."""
        if self.lost:
            return False
        with self._lock:
            group = self._next_group()
        if not group:
            return True
        try:
            self.journal.append([entry.data for entry in group])
        except OSError as error:
            self._handle_failure(error)
            return False
        with self._lock:
            del self._pending[: len(group)]
            for entry in group:
                self._pending_bytes -= len(entry.data)
                self._keep_in_memory(entry.event)
            self._durable += len(group)
            failed, self.failing = self.failing, None
            overflow, self._overflow = self._overflow, None
        if failed:
            self.append_own(CaptureDegraded(detail=f"writing works again after {failed}"))
        if overflow is not None:
            self._record_gap("more arrived than the disk could store", since=overflow[0], lost=overflow[1])
        self._check_space()
        self._notify_durable()
        return True

    def start(self) -> None:
        """Start the writer's thread, which notifies the running loop of events that became durable."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    async def durable(self, seq: int) -> None:
        """Return when the event with this seq is durable, or at once for ``NOT_RECORDED``.

        Raises:
            JournalLostError: the event will never become durable.
        """
        if seq < self._durable:
            return
        if self.lost:
            raise JournalLostError("the journal can no longer be written")
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((seq, future))
        self._settle()
        await future

    async def close(self) -> None:
        """Make everything durable if the disk allows it, and close the files."""
        self._stopping.set()
        self._work.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
            self._thread = None
        while self._pending and self.commit():
            pass
        self.journal.close()
        self._settle()

    def _refusal(self, draft: Draft) -> str | None:
        """The reason why a draft is left out, or ``None``."""
        if self.finished or self.lost:
            return "closed" if self.finished else "lost"
        if draft.kind not in self._kinds:
            return "policy"
        if draft.kind in AGENT_KINDS and self._record_until and self._clock.wall_ms() > self._record_until:
            if not self._time_over:
                self._time_over = True
                self.append_own(CaptureDegraded(detail="time is up: agents are no longer recorded"))
            return "time_limit"
        if self._pending_bytes > self._limits.pending and draft.kind in AGENT_KINDS:
            since, lost = self._overflow or (self._clock.wall_ms(), 0)
            self._overflow = since, lost + 1
            return "overload"
        return None

    def _record_malformed(self, draft: Draft) -> None:
        """Record a gap for an invalid agent event; the sender of an invalid session event gets an error instead."""
        if draft.kind in AGENT_KINDS:
            self._record_gap("an event was not valid", since=self._clock.wall_ms(), lost=1)

    def _record_gap(self, detail: str, *, since: int, lost: int) -> None:
        now = self._clock.wall_ms()
        self.append_own(CaptureGap(source=Source.RECORDER, detail=detail, lost=lost, from_ms=since, to_ms=now))

    def _keep(self, draft: Draft, event: RecordedEvent) -> None:
        data = event.frames()
        self._pending.append(_Pending(draft=draft, event=event, data=data))
        self._pending_bytes += len(data)

    def _keep_in_memory(self, event: RecordedEvent) -> None:
        """Keep a durable event for the sealer if there is room; what does not fit is read from the disk later."""
        follows = not self._recent or self._recent[-1].seq + 1 == event.seq
        if follows and (not self._recent or self._recent_bytes + weight(event) <= self._limits.recent):
            self._recent.append(event)
            self._recent_bytes += weight(event)

    def _count(self, event: RecordedEvent) -> None:
        self.sources[event.src] = max(self.sources[event.src], event.parsed.src_seq + 1)
        if ends_session(event.kind, event.src):
            self.finished = True

    def _next_group(self) -> list[_Pending]:
        """The first pending events, a few MiB of them at most."""
        size, count = 0, 0
        for entry in self._pending:
            size += len(entry.data)
            if count and size > self._limits.group:
                break
            count += 1
        return self._pending[:count]

    def _write(self) -> None:
        try:
            self._write_until_stopped()
        except Exception as error:  # noqa: BLE001 - without a writer, only a restart can continue
            self.failing, self.lost = type(error).__name__, True
            self._notify_durable()

    def _write_until_stopped(self) -> None:
        failures, retry_s = 0, self._limits.retry_s
        while not self._stopping.is_set() and not self.lost:
            self._work.wait()
            self._work.clear()
            self._stopping.wait(self._limits.gather_s)
            while self._pending and not self.lost:
                failures = 0 if self.commit() else failures + 1
                if failures and self._stopping.wait(retry_s[min(failures, len(retry_s)) - 1]):
                    break

    def _handle_failure(self, error: OSError) -> None:
        """After a disk error, close the file, check that the durable records exist, and save space if it is full."""
        self.failing = errno.errorcode.get(error.errno or 0, "OSError")
        try:
            self.journal.reopen()
        except JournalLostError:
            self.lost = True
            self._notify_durable()
        except OSError:
            self.journal.close()
        if error.errno in _SPACE_ERRORS:
            self._drop_heavy_values()

    def _drop_heavy_values(self) -> None:
        """Compose the pending events again without their large values; none of them is durable yet."""
        with self._lock:
            if not self._low_space:
                self._low_space = True
                self.append_own(CaptureDegraded(detail="the disk is full: values over 4 KiB are left out"))
            pending, self._pending, self._pending_bytes = self._pending, [], 0
            for entry in pending:
                draft = without_heavy_values(entry.draft, self._limits.heavy)
                if draft == entry.draft:
                    self._keep(entry.draft, entry.event)
                    continue
                parsed = entry.event.parsed
                self._keep(draft, compose(draft, seq=parsed.seq, src_seq=parsed.src_seq, random=self._random))

    def _check_space(self) -> None:
        with contextlib.suppress(OSError):
            low = self.journal.free_bytes() < self._limits.low_space
            if low and not self._low_space:
                self._low_space = True
                self.append_own(CaptureDegraded(detail="the disk is nearly full: values over 4 KiB are left out"))
            elif self._low_space and not low:
                self._low_space = False
                self.append_own(CaptureDegraded(detail="the disk has room again: everything is kept"))

    def _notify_durable(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop ended first
                self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        """Wake the tasks that wait for events that have become durable."""
        self.durable_changed.set()
        still: list[tuple[int, asyncio.Future[None]]] = []
        for seq, future in self._waiting:
            if future.done():
                continue
            if seq < self._durable:
                future.set_result(None)
            elif self.lost:
                future.set_exception(JournalLostError("the journal can no longer be written"))
            else:
                still.append((seq, future))
        self._waiting = still


def without_heavy_values(draft: Draft, heavy: int) -> Draft:
    """An agent's draft without its values over ``heavy`` bytes; the session's own events stay whole."""
    if draft.kind in _WHOLE_KINDS:
        return draft
    left_out = {
        name: None for name, value in draft.fields.items() if len(encode_value(FIELD_TYPES[name], value)) > heavy
    }
    return replace(draft, event=structs.replace(draft.event, **left_out)) if left_out else draft


def weight(event: RecordedEvent) -> int:
    """The approximate size of an event in a batch's plain body, in bytes."""
    return (
        len(event.public)
        + sum(len(secret.stored) for secret in event.secrets.values())
        + sum(len(block.data) for block in event.blocks)
    )
