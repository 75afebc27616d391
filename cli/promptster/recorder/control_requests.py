"""What commands may ask of the running recorder, and what the recorder does by itself until the end."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from promptster.agents.registry import base_urls
from promptster.deliver.uploader import Ended
from promptster.errors import SessionError
from promptster.proxy.upstreams import at_usual_address
from promptster.recorder.assembly import left_out
from promptster.session_folder.folder import SessionState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from promptster.recorder.assembly import Assembly
    from promptster.recorder.hook_intake import HookIntake
    from promptster.session_folder.folder import SessionFolder

_CLOSING_RETRY_S = 5.0


class ControlRequests:
    """The requests of ``promptster.session_folder.control_client``, by name in ``table``."""

    def __init__(
        self,
        *,
        folder: SessionFolder,
        parts: Assembly,
        port: int,
        token: str,
        restarts: int,
        drain: HookIntake,
        finish: Callable[[], None],
    ) -> None:
        """Serve one recording; ``finish`` ends this process."""
        self._folder, self._parts, self._drain, self._finish = folder, parts, drain, finish
        self._port, self._token, self._restarts = port, token, restarts
        self._supervisor = os.getppid()
        self._facts = folder.facts()
        self._stopped = asyncio.Event()
        self._stop: Mapping[str, Any] | None = None
        self.table: Mapping[str, Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]] = {
            "status": self._status,
            "launch": self._launch,
            "record": self._record,
            "pause": self._pause,
            "resume": self._resume,
            "close": self._close,
            "flush": self._flush,
            "stop": self._stop_now,
        }

    async def upload(self) -> None:
        """Send until the collector takes nothing more."""
        recording, uploader = self._parts.recording, self._parts.uploader
        watcher = asyncio.create_task(self._watch_progress())
        try:
            await uploader.run()
        except Ended as ended:
            recording.collector_ended(ended.outcome)
        finally:
            watcher.cancel()

    async def finish_closing(self) -> None:
        """Complete a submission that a crash interrupted, then see the collector's checks through."""
        recording = self._parts.recording
        while recording.must_close:
            try:
                await recording.close([])
            except SessionError:
                await asyncio.sleep(_CLOSING_RETRY_S)

    async def end(self) -> None:
        """Leave in order; called once, by the process that ends."""
        if not self._stopped.is_set():
            stop = self._stop or {}
            stopped = bool(stop) and not stop.get("for_another")
            await self._parts.recording.end(stopped=stopped, withdrawn=bool(stop.get("withdrawn")))
            self._stopped.set()

    async def _watch_progress(self) -> None:
        recording, uploader = self._parts.recording, self._parts.uploader
        recording.note_progress()
        while True:
            await uploader.moved()
            recording.note_progress()
            if recording.state is SessionState.CLOSED:
                await uploader.watch_checks()

    async def _status(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        parts = self._parts
        recorder, outbox, progress = parts.recorder, parts.outbox, parts.uploader.progress
        return {
            "session": self._facts.session,
            "state": parts.recording.state.value,
            "events": recorder.next_seq,
            "durable": recorder.durable_seq,
            "received": outbox.received_events,
            "checked": outbox.events_until(progress.checked),
            "batches": {"sealed": outbox.sealed, "received": outbox.received},
            "sources": dict(recorder.sources),
            "dropped": dict(recorder.dropped + Counter(left_out(parts.recording.capture))),
            "collector": {
                "reachable": progress.reachable,
                "last_error": progress.last_error,
                "refused": None if progress.halt is None else asdict(progress.halt),
            },
            "port": self._port,
            "record_until": self._facts.record_until,
            "upload_until": self._facts.upload_until,
            "restarts": self._restarts,
            "supervised": os.getppid() == self._supervisor,
            "silent_hooks": sorted(parts.recording.capture.silent_agents),
            "degraded": sorted({*recorder.degraded, *(["disk_failing"] if parts.sealer.failing else [])}),
            "path_check": self._facts.choices.get("path_check", {}),
            "last": parts.recording.latest.document(),
            "paused_ms": parts.recording.latest.paused_ms,
        }

    async def _launch(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "port": self._port,
            "token": self._token,
            "base_urls": base_urls(self._port, self._token),
            "usual_addresses": at_usual_address(self._facts.upstreams),
            "hook_socket": str(self._folder.hook_socket),
            "spool": str(self._folder.spool),
        }

    async def _record(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"seqs": await self._parts.recording.record(request["drafts"])}

    async def _pause(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"seq": await self._parts.recording.pause(str(request.get("reason", "candidate")))}

    async def _resume(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"seq": await self._parts.recording.resume(str(request.get("reason", "candidate")))}

    async def _close(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self._drain.drain()
        return {"events": await self._parts.recording.close(request.get("drafts", []))}

    async def _flush(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        seconds = float(request.get("seconds", 10.0))
        await self._parts.recording.flush(seconds, again=bool(request.get("again")))
        return {"received": self._parts.recording.received, "events": self._parts.recorder.next_seq}

    async def _stop_now(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """End the recording first, then answer: whoever asked may delete files afterwards."""
        self._stop = request
        self._drain.drain()
        await self.end()
        with suppress(RuntimeError):
            asyncio.get_running_loop().call_later(0.05, self._finish)
        return {}
