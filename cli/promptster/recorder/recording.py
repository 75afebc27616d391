"""One session's recording and its state: begun, paused, resumed, closed, ended.

It connects capture, journal writer, sealer and uploader, and records every change of state as an event.
``promptster.recorder.process`` holds the sockets and the loops.
"""

from __future__ import annotations

import asyncio
import errno
from contextlib import suppress
from typing import TYPE_CHECKING, assert_never

from promptster.deliver.receipts import SessionEnding
from promptster.errors import SessionError, reason_of
from promptster.journal.heartbeat import JUMP_MS
from promptster.journal.writer import NOT_RECORDED
from promptster.protocol.events import Draft, Source, kinds
from promptster.protocol.events.kinds import Event, Kind
from promptster.protocol.events.sources import OWN_SOURCES, is_own
from promptster.recorder.last_activity import LastActivity
from promptster.recorder.start_events import losses, opening
from promptster.session_folder.folder import SessionState
from promptster.session_folder.wording import doing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from promptster.capture.engine import Capture
    from promptster.clock import Clock
    from promptster.deliver.outbox import Outbox
    from promptster.deliver.sealer import BatchSealer
    from promptster.deliver.uploader import Uploader
    from promptster.journal.writer import JournalWriter
    from promptster.protocol.events import RecordedEvent
    from promptster.recorder.journal_repair import Repair
    from promptster.session_folder.control_calls import SentEvent
    from promptster.session_folder.folder import SessionFolder

_STOPPED = "recorder_stopped"
_STARTED = "recorder_started"
_LONG_AWAY_MS = 5_000
_PATIENCE_S = 15.0
_COMMAND_SOURCES = frozenset({Source.CANDIDATE, Source.WORKSPACE, Source.LAUNCHER})
_ONLY_ONCE = frozenset({Kind.SUBMISSION_BASELINE, Kind.SUBMISSION_FINAL})
_OURS_ALONE = frozenset(OWN_SOURCES) - _ONLY_ONCE
"""Kinds that record the session's course: only this module writes them, and a command may not send them."""


class Recording:
    """What a session records, from its first event to its last."""

    def __init__(
        self,
        *,
        folder: SessionFolder,
        clock: Clock,
        writer: JournalWriter,
        sealer: BatchSealer,
        outbox: Outbox,
        uploader: Uploader,
        make_capture: Callable[[Callable[[Draft], int]], Capture],
    ) -> None:
        """Connect the parts; ``begin`` must follow."""
        self._folder, self._clock = folder, clock
        self.writer, self._sealer, self._outbox, self._uploader = writer, sealer, outbox, uploader
        self.capture = make_capture(self._append_captured)
        self.catch_up: Callable[[], None] = lambda: None
        """Shows capture everything that was forwarded so far."""
        facts = folder.facts()
        self.state = facts.state
        """The session's state."""
        self._refused = facts.refused
        self.latest = LastActivity()
        """What an agent did last."""
        self.hook_times: set[tuple[int, int]] = set()
        """Times of the hook events that the journal held at the start."""
        self._seqs: dict[str, int] = {}
        self._last_event: RecordedEvent | None = None
        self._latest_ms = 0
        self._last_change: tuple[str, str] = ("", "")
        self._holding, self._closing = False, asyncio.Lock()

    @property
    def received(self) -> int:
        """Events acknowledged by receipts."""
        return self._outbox.received_events

    @property
    def finished(self) -> bool:
        """Whether the journal ends with ``closed`` and every event is acknowledged."""
        return self.writer.finished and self.received == self.writer.next_seq

    @property
    def records(self) -> bool:
        """Whether the journal is still open for events."""
        return self.state.records and not self._holding

    @property
    def must_close(self) -> bool:
        """Whether a submission was begun but its last event is missing."""
        begun = self.state is SessionState.CLOSING and Kind.SUBMISSION_FINAL in self._seqs
        return begun and not self.writer.finished

    async def begin(self, repair: Repair) -> None:
        """Recover what was recorded, and record the circumstances of this start; durable when it returns."""
        clean_end = self._take_clean_end()
        for event in self.writer.recovered():
            self._absorb(event)
        self.writer.start()
        if self.writer.next_seq == 0 or Kind.OPENED not in self._seqs:
            self._record_opening()
        elif not self.writer.finished:
            self._record_return(clean_end=clean_end, repair=repair)
        self._settle_state()
        with suppress(SessionError):  # the status shows that the disk fails; the agent keeps working
            await self._durable(self.writer.next_seq - 1)

    async def pause(self, reason: str) -> int:
        """Stop recording agents until ``resume``.

        Raises:
            SessionError: the session has ended, or is already paused.
        """
        self._require(SessionState.RECORDING, "pause")
        self.catch_up()
        self.capture.pause()
        seq = self._own(kinds.Paused(reason=reason), src=Source.CANDIDATE)
        self._change(SessionState.PAUSED)
        await self._durable(seq)
        return seq

    async def resume(self, reason: str) -> int:
        """Continue to record agents.

        Raises:
            SessionError: the session is not paused.
        """
        self._require(SessionState.PAUSED, "resume")
        seq = self._own(kinds.Resumed(reason=reason), src=Source.CANDIDATE)
        self.capture.resume()
        self._change(SessionState.RECORDING)
        await self._durable(seq)
        return seq

    async def record(self, sent: Sequence[SentEvent]) -> list[int]:
        """Record the events that one of our commands sends; durable when it returns.

        Raises:
            SessionError: the session accepts no more events, or an event is not one that a command may send.
        """
        if self._holding or not self.state.records:
            raise SessionError(
                "this session accepts no more events", hint="Run `promptster status` to see why.", code="session_ended"
            )
        _require_allowed(sent)
        seqs = [self._append_sent(each) for each in sent]
        await self._durable(max(seqs, default=NOT_RECORDED))
        return seqs

    async def close(self, sent: Sequence[SentEvent]) -> int:
        """Record the last events and ``closed``, seal everything, and return the number of events. May be repeated.

        Raises:
            SessionError: the session has ended in another way, or the disk failed (try again).
        """
        async with self._closing:
            if not self.writer.finished:
                if not (self.state.records or self.state is SessionState.CLOSING):
                    raise SessionError(f"the session {doing(self.state)}", code="session_ended")
                _require_allowed(sent)
                self._end_capture()
                self._change(SessionState.CLOSING)
                for each in sent:
                    self._append_sent(each)
                await self._append_closed()
            await self._seal()
            self._uploader.hurry()
            return self.writer.next_seq

    async def flush(self, seconds: float, *, again: bool = False) -> None:
        """Send everything recorded so far, as much as possible within ``seconds``.

        ``again`` also sends what the collector refused permanently.
        """
        wanted = self.writer.next_seq
        if again:
            self._uploader.try_again()
        with suppress(TimeoutError, SessionError):
            async with asyncio.timeout(seconds):
                await self._durable(wanted - 1)
                await self._seal()
                self._uploader.hurry()
                while self.received < wanted and self._uploader.progress.halt is None:
                    await self._uploader.moved()

    async def end(self, *, stopped: bool, withdrawn: bool = False) -> None:
        """Record that the recorder stops, and close the files.

        Args:
            stopped: the candidate ended the session without submitting.
            withdrawn: the candidate withdrew, so nothing more may be written or sent.
        """
        if withdrawn:
            self._holding = True
            self._change(SessionState.WITHDRAWN)
            await self.writer.close()
            return
        if self.state is SessionState.RECORDING and not self._holding:
            self.catch_up()
            self.capture.finish()
            self._own(kinds.Paused(reason=_STOPPED))
        self._holding = True
        await self.writer.close()
        with suppress(OSError, SessionError):
            await self._seal()
        if stopped and self.state.records:
            self._change(SessionState.STOPPED)
        with suppress(OSError):
            self._folder.clean_end.write_text(str(self.writer.next_seq), encoding="ascii")

    def collector_ended(self, ending: SessionEnding) -> None:
        """Stop recording after the collector signed that it accepts no more, and change the state."""
        self.capture.pause()
        self._holding = True
        match ending:
            case SessionEnding.SUBMITTED:
                self._change(SessionState.CLOSED if self.finished else SessionState.LAPSED)
            case SessionEnding.LAPSED:
                self._change(SessionState.LAPSED)
            case SessionEnding.WITHDRAWN | SessionEnding.ERASED | SessionEnding.EXPIRED:
                by_the_team = "" if ending is SessionEnding.WITHDRAWN else ending.value
                self._change(SessionState.WITHDRAWN, deleted=by_the_team)
            case _:  # pragma: no cover
                assert_never(ending)

    def note_progress(self) -> None:
        """Check whether a closed session has arrived in full, and save whether the collector refuses delivery."""
        if self.state is SessionState.CLOSING and self.finished:
            self._change(SessionState.CLOSED)
        progress = self._uploader.progress
        refused = "" if progress.halt is None else progress.halt.code
        if refused != self._refused and (refused or (progress.reachable and progress.last_error is None)):
            self._refused = refused
            with suppress(OSError, SessionError):
                self._folder.update(refused=refused)

    def _absorb(self, event: RecordedEvent) -> None:
        self._seqs[event.kind] = event.seq
        self._last_event = event
        if event.src == Source.HOOK:
            self.hook_times.add((event.parsed.ms, event.parsed.mono_ms))
        else:
            self._latest_ms = event.parsed.ms
        opened = event.open()
        self.latest.see(opened.event, event.parsed.ms)
        if isinstance(opened.event, (kinds.Paused, kinds.Resumed)):
            self._last_change = (event.kind, opened.event.reason or "")
        self.capture.absorb(opened)

    def _record_opening(self) -> None:
        """Record the first events: the consent, the session's settings, and unusual provider addresses."""
        for entry in opening(self._folder, consented=Kind.CONSENT in self._seqs):
            self._own(entry.event, src=entry.src)

    def _record_return(self, *, clean_end: bool, repair: Repair) -> None:
        """Record the circumstances of a restart: a clock that was set back, possible losses, the end of a pause."""
        if (ahead := self._latest_ms - self._clock.wall_ms()) > JUMP_MS:
            self._own(kinds.CaptureClockJump(delta_ms=-ahead))
        details = losses(clean_end=clean_end, found=self.writer.journal.recovery, repair=repair)
        if details:
            self._own(kinds.CaptureRecovered(detail="; ".join(details), lost=0))
            self._record_absence()
        if self._last_change == (Kind.PAUSED, _STOPPED) and Kind.SUBMISSION_FINAL not in self._seqs:
            self._own(kinds.Resumed(reason=_STARTED))
            self._last_change = (Kind.RESUMED, _STARTED)

    def _record_absence(self) -> None:
        now = self._clock.wall_ms()
        last = self._last_event.parsed.ms if self._last_event is not None else now
        if now - last > _LONG_AWAY_MS:
            detail = "no recorder was running"
            self._own(kinds.CaptureGap(source=Source.RECORDER, detail=detail, lost=0, from_ms=last, to_ms=now))

    def _settle_state(self) -> None:
        """Derive the session's state from its events, unless the collector ended it."""
        if self.state in {SessionState.LAPSED, SessionState.WITHDRAWN}:
            self.capture.pause()
            self._holding = True
        elif self.writer.finished:
            self.capture.pause()
            self._holding = True
            self._change(SessionState.CLOSED if self.finished else SessionState.CLOSING)
        elif Kind.SUBMISSION_FINAL in self._seqs or self.state is SessionState.CLOSING:
            self.capture.pause()
            self._change(SessionState.CLOSING)
        elif self._last_change[0] == Kind.PAUSED:
            self.capture.pause()
            self._change(SessionState.PAUSED)
        else:
            self._change(SessionState.RECORDING)

    def _end_capture(self) -> None:
        """Let capture finish what the proxy has forwarded, then stop it."""
        self.catch_up()
        self.capture.finish()
        self.capture.pause()

    async def _append_closed(self) -> None:
        """Record ``closed``, alone in the last batch, whose number it contains; everything else is sealed first."""
        self._holding = True
        while not self.writer.finished:
            await self._durable(self.writer.next_seq - 1)
            await self._seal()
            position = self._outbox.position
            totals = dict(self.writer.sources)
            totals[Source.RECORDER] = totals.get(Source.RECORDER, 0) + 1
            closed = kinds.Closed(
                totals={str(source): count for source, count in totals.items()}, batches=position.n + 1
            )
            self.writer.append_next(self._draft(Source.RECORDER, closed), seq=position.first)
        await self._durable(self.writer.next_seq - 1)

    async def _durable(self, seq: int) -> None:
        """Wait until an event is durable, but no longer than a person would.

        Raises:
            SessionError: the disk fails; the event is kept in memory and written as soon as possible.
        """
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self.writer.durable(seq)
        except TimeoutError:
            number = getattr(errno, self.writer.failing or "", None)
            why = "the disk is not responding" if number is None else reason_of(OSError(number, ""))
            hint = "Check the disk. Nothing is lost yet." if number is None else "Free space now. Nothing is lost yet."
            raise SessionError(f"cannot save what was recorded: {why}", hint=hint, code="disk") from None

    async def _seal(self) -> None:
        try:
            await self._sealer.seal_all()
        except OSError as error:
            raise SessionError(
                f"cannot save the last batch: {reason_of(error)}", hint="Free space, then try again.", code="disk"
            ) from error

    def _append_captured(self, draft: Draft) -> int:
        return NOT_RECORDED if self._holding else self._append(draft)

    def _append(self, draft: Draft) -> int:
        seq = self.writer.append(draft)
        if seq != NOT_RECORDED:
            self.latest.see(draft.event, draft.ms)
        return seq

    def _append_sent(self, sent: SentEvent) -> int:
        """Append an event that a command sent; one that may occur only once is not recorded twice."""
        kind = sent.event.kind
        if kind in _ONLY_ONCE and kind in self._seqs:
            return self._seqs[kind]
        seq = self.writer.append(self._draft(sent.src, sent.event))
        if seq == NOT_RECORDED:
            raise SessionError("the event was not recorded", code="not_recorded")
        self._seqs[kind] = seq
        return seq

    def _own(self, event: Event, *, src: Source = Source.RECORDER) -> int:
        seq = self._append(self._draft(src, event))
        self._seqs[event.kind] = seq
        return seq

    def _draft(self, src: Source, event: Event) -> Draft:
        return Draft(src=src, event=event, ms=self._clock.wall_ms(), mono_ms=self._clock.mono_ms())

    def _take_clean_end(self) -> bool:
        """Whether the last run ended in order and right after the journal's last event; reading removes the mark."""
        try:
            mark = self._folder.clean_end.read_text(encoding="ascii")
            self._folder.clean_end.unlink()
        except (OSError, UnicodeDecodeError):
            return False
        return mark == str(self.writer.next_seq)

    def _require(self, state: SessionState, what: str) -> None:
        if self.state is not state or self._holding:
            raise SessionError(f"cannot {what}: the session {doing(self.state)}", code=f"cannot_{what}")

    def _change(self, state: SessionState, **facts: str) -> None:
        if state is not self.state:
            self.state = state
            with suppress(OSError, SessionError):  # the disk is full, or the folder was deleted
                self._folder.update(state=state, **facts)


def _require_allowed(sent: Sequence[SentEvent]) -> None:
    for kind, src in ((each.event.kind, each.src) for each in sent):
        if src not in _COMMAND_SOURCES:
            raise SessionError("events from a command come from candidate, workspace or launcher", code="bad_draft")
        if kind in _OURS_ALONE or (kind in _ONLY_ONCE and not is_own(kind, src)):
            raise SessionError(f"a command may not record {kind} with the source {src}", code="bad_draft")
