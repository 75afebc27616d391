"""Carries out the requests of commands, and the recorder's own delivery and shutdown."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, assert_never

from promptster.agents.registry import base_urls
from promptster.deliver.uploader import Ended
from promptster.errors import SessionError
from promptster.protocol.providers import at_usual_address
from promptster.recorder.assembly import left_out
from promptster.session_folder.control_calls import (
    CloseCall,
    ControlCall,
    FlushCall,
    LaunchCall,
    PauseCall,
    RecordCall,
    RefusedCall,
    ResumeCall,
    StatusCall,
    StopCall,
)
from promptster.session_folder.control_messages import (
    BatchCounts,
    CloseReply,
    CollectorStatus,
    FinalRefusal,
    FlushReply,
    LaunchTicket,
    RecorderStatus,
    RecordReply,
    Reply,
    StateReply,
    StopReply,
)
from promptster.session_folder.folder import SessionState

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptster.recorder.agent_refusal import AgentRefusal
    from promptster.recorder.assembly import Assembly
    from promptster.recorder.hook_intake import HookIntake
    from promptster.session_folder.folder import SessionFolder

_CLOSING_RETRY_S = 5.0


class ControlRequests:
    """Answers the calls of ``promptster.session_folder.control_calls``."""

    def __init__(
        self,
        *,
        folder: SessionFolder,
        parts: Assembly,
        port: int,
        token: str,
        restarts: int,
        hook_intake: HookIntake,
        refusal: AgentRefusal,
        finish: Callable[[], None],
    ) -> None:
        """Serve one recording; ``finish`` ends this process."""
        self.refusal = refusal
        self._folder, self._parts, self._hook_intake, self._finish = folder, parts, hook_intake, finish
        self._port, self._token, self._restarts = port, token, restarts
        self._supervisor = os.getppid()
        self._facts = folder.facts()
        self._stopped = asyncio.Event()
        self._stop: StopCall | None = None

    async def answer(self, call: ControlCall) -> Reply:
        """Carry out one call.

        Raises:
            SessionError: the session's state does not allow it.
        """
        recording = self._parts.recording
        reply: Reply
        match call:
            case StatusCall():
                reply = self._status()
            case LaunchCall():
                reply = self.ticket()
            case RecordCall():
                reply = RecordReply(seqs=tuple(await recording.record(call.drafts)))
            case PauseCall():
                reply = StateReply(seq=await recording.pause(call.reason))
            case ResumeCall():
                reply = StateReply(seq=await recording.resume(call.reason))
            case CloseCall():
                self._hook_intake.drain()
                reply = CloseReply(events=await recording.close(call.drafts))
            case FlushCall():
                await recording.flush(call.seconds, again=call.again)
                reply = FlushReply(received=recording.received, events=self._parts.writer.next_seq)
            case StopCall():
                reply = await self._stop_now(call)
            case RefusedCall():
                reply = await self.refusal.refused(call)
            case _ as unknown:
                assert_never(unknown)
        return reply

    async def upload(self) -> None:
        """Send batches until the collector accepts no more."""
        recording, uploader = self._parts.recording, self._parts.uploader
        watcher = asyncio.create_task(self._watch_progress())
        try:
            await uploader.run()
        except Ended as ended:
            recording.collector_ended(ended.ending)
        finally:
            watcher.cancel()

    async def finish_closing(self) -> None:
        """Complete a submission that a crash interrupted."""
        recording = self._parts.recording
        while recording.must_close:
            try:
                await recording.close([])
            except SessionError:
                await asyncio.sleep(_CLOSING_RETRY_S)

    async def end(self) -> None:
        """End the recording in order; repeated calls do nothing."""
        if not self._stopped.is_set():
            stop = self._stop
            stopped = stop is not None and not stop.for_another
            await self._parts.recording.end(stopped=stopped, withdrawn=stop is not None and stop.withdrawn)
            self._stopped.set()

    async def _watch_progress(self) -> None:
        recording, uploader = self._parts.recording, self._parts.uploader
        recording.note_progress()
        while True:
            await uploader.moved()
            recording.note_progress()
            if recording.state is SessionState.CLOSED:
                await uploader.watch_checks()

    def ticket(self) -> LaunchTicket:
        """The addresses and the token with which an agent reaches this recorder."""
        return LaunchTicket(
            port=self._port,
            token=self._token,
            base_urls=base_urls(self._port, self._token),
            usual_addresses=tuple(at_usual_address(self._facts.upstreams)),
            hook_socket=str(self._folder.hook_socket),
            spool=str(self._folder.spool),
        )

    def _status(self) -> RecorderStatus:
        parts = self._parts
        writer, outbox, progress = parts.writer, parts.outbox, parts.uploader.progress
        halt = progress.halt
        return RecorderStatus(
            session=self._facts.session,
            state=parts.recording.state,
            events=writer.next_seq,
            durable=writer.durable_seq,
            received=outbox.received_events,
            checked=outbox.events_until(progress.checked),
            batches=BatchCounts(sealed=outbox.sealed, received=outbox.received),
            sources=dict(writer.sources),
            dropped=dict(writer.dropped + Counter(left_out(parts.recording.capture))),
            collector=CollectorStatus(
                reachable=progress.reachable,
                last_error=progress.last_error,
                refused=None if halt is None else FinalRefusal(code=halt.code, message=halt.message),
            ),
            port=self._port,
            record_until=self._facts.record_until,
            upload_until=self._facts.upload_until,
            restarts=self._restarts,
            supervised=os.getppid() == self._supervisor,
            silent_hooks=tuple(sorted(parts.recording.capture.silent_agents)),
            degraded=tuple(sorted({*writer.degraded, *(["disk_failing"] if parts.sealer.failing else [])})),
            path_check=self._facts.choices.path_check,
            last=parts.recording.latest.action,
            paused_ms=parts.recording.latest.paused_ms,
        )

    async def _stop_now(self, call: StopCall) -> StopReply:
        """End the recording before answering, because the command may delete files once it has the answer."""
        self._stop = call
        self._hook_intake.drain()
        await self.end()
        with suppress(RuntimeError):
            asyncio.get_running_loop().call_later(0.05, self._finish)
        return StopReply()
