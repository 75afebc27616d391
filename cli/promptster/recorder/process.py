"""The recorder's process: ``python -m promptster.recorder.process FOLDER HANDLE``, started only by the supervisor.

It reads the handles of the listening sockets and the secrets from a pipe, assembles a recording, and runs until it is
stopped. Exit codes: 0 the session ended, 75 restart the recorder at once, 78 a restart would not help; any other code
is a crash.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptster.clock import SystemClock
from promptster.errors import PromptsterError, SessionError, reason_of
from promptster.journal.journal import JournalLostError
from promptster.protocol.events import Source
from promptster.recorder.agent_refusal import AgentRefusal
from promptster.recorder.assembly import Assembly, assemble
from promptster.recorder.control_requests import ControlRequests
from promptster.recorder.control_server import ControlServer
from promptster.recorder.hook_intake import HookIntake, HookSocket
from promptster.recorder.lifetime import Lifetime
from promptster.recorder.process_log import Log, describe
from promptster.recorder.supervisor import EXIT_REFUSED, EXIT_RESTART, folder_gone
from promptster.recorder.watched_proxy import WatchedProxy
from promptster.secret_store import SessionSecrets
from promptster.session_folder.control_calls import SentEvent
from promptster.session_folder.folder import SessionFolder, SessionState

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

_TICK_S = 0.5
_DRAIN_S = 3.0
_WATCH_S = 5.0
_REOPEN_S = 5.0
_RETRY_S = 2.0
_END_S = 1.0
_CHECKS_BEFORE_GONE = 2


@dataclass(frozen=True, kw_only=True)
class Inheritance:
    """What the supervisor passes to each recorder."""

    proxy: socket.socket
    control: socket.socket
    hooks: socket.socket
    ready: int
    """A pipe for one line that says that the recorder is ready, or why it did not start."""
    token: str
    restarts: int
    secrets: SessionSecrets

    @classmethod
    def read(cls, handle: int) -> Inheritance:
        """Read the packet and open its handles; child processes do not inherit them."""
        with os.fdopen(handle, "rb") as pipe:
            packet: Mapping[str, Any] = json.loads(pipe.readline())
        handles: Mapping[str, int] = packet["handles"]
        for number in handles.values():
            os.set_inheritable(number, False)
        return cls(
            proxy=socket.socket(fileno=handles["tcp"]),
            control=socket.socket(fileno=handles["control"]),
            hooks=socket.socket(fileno=handles["hooks"]),
            ready=handles["ready"],
            token=packet["token"],
            restarts=int(packet["restarts"]),
            secrets=SessionSecrets.from_json(packet["secrets"]),
        )

    def report(self, answer: Mapping[str, Any]) -> None:
        """Send the supervisor the one line about the start."""
        with suppress(OSError):  # the supervisor may have died
            os.write(self.ready, json.dumps(answer).encode() + b"\n")
        os.close(self.ready)


class RecorderProcess:
    """One run of the recorder."""

    def __init__(self, folder: SessionFolder, inheritance: Inheritance, log: Log) -> None:
        """Prepare a run for one session with what the supervisor passed on."""
        self._folder, self._inheritance, self._log = folder, inheritance, log
        self._clock = SystemClock()
        self._over: asyncio.Future[int] | None = None

    async def run(self) -> int:
        """Record until the session ends; return the exit code."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._loop_fault)
        self._over = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._finish, 0)
        loop.add_signal_handler(signal.SIGHUP, lambda: None)
        watched_proxy = WatchedProxy(
            self._folder.facts(), self._inheritance.token, self._clock, self._log, self._folder.spool
        )
        parts = await self._assemble(watched_proxy)
        if parts is None:
            return 0
        hook_intake = HookIntake(
            self._folder.spool,
            self._inheritance.secrets.spool_key,
            parts.take_hook,
            parts.spool_unreadable,
            clock=self._clock,
            wanted=lambda: parts.recording.state is SessionState.RECORDING,
            recorded=frozenset(parts.recording.hook_times),
        )
        parts.recording.hook_times.clear()
        watched_proxy.attach(parts.recording.capture, hook_intake.receive)
        parts.recording.catch_up = watched_proxy.catch_up
        await watched_proxy.serve(self._inheritance.proxy)
        port = self._inheritance.proxy.getsockname()[1]
        with suppress(OSError):  # a full disk: the next start will use another port
            self._folder.update(port=port)
        control_requests = ControlRequests(
            folder=self._folder,
            parts=parts,
            port=port,
            token=self._inheritance.token,
            restarts=self._inheritance.restarts,
            hook_intake=hook_intake,
            refusal=AgentRefusal(parts.recording, self._folder.path.parents[1]),
            finish=lambda: self._finish(0),
        )
        hook_intake.drain()
        tasks = self._start_tasks(parts, control_requests, hook_intake, watched_proxy)
        gc.freeze()
        self._inheritance.report({"port": port, "pid": os.getpid()})
        code = await self._over
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await watched_proxy.aclose()
        if code == 0:
            await control_requests.end()
            if parts.writer.durable_seq == parts.writer.next_seq:
                hook_intake.remove(hook_intake.captured_files())
            if parts.recording.state.ended:
                hook_intake.end()
        await parts.collector.aclose()
        return code

    async def _assemble(self, watched_proxy: WatchedProxy) -> Assembly | None:
        """Assemble the recording.

        If the disk fails at the first start, the command that starts the recorder reports it. After a restart, agents
        may be at work: their traffic is forwarded unrecorded while this is tried again.

        Raises:
            SessionError: the disk failed at the first start.
        """
        assert self._over is not None  # noqa: S101 - set before anything else runs
        while not self._over.done():
            try:
                return await assemble(
                    self._folder, self._inheritance.secrets, self._clock, self._log, start_anew=self._start_anew
                )
            except OSError as error:
                self._log.fault("open", error)
                if self._inheritance.restarts == 0:
                    raise SessionError(
                        f"the session's files cannot be used: {reason_of(error)}", hint="Check the disk.", code="disk"
                    ) from error
                await watched_proxy.serve(self._inheritance.proxy)
                await asyncio.wait([self._over], timeout=_REOPEN_S)
        return None

    def _start_tasks(
        self, parts: Assembly, control_requests: ControlRequests, hook_intake: HookIntake, watched_proxy: WatchedProxy
    ) -> list[asyncio.Task[None]]:
        inheritance = self._inheritance
        control = ControlServer(inheritance.control, control_requests.answer, self._log, control_requests.refusal.check)
        hooks = HookSocket(inheritance.hooks, hook_intake, self._log)
        runs = {
            "control": control.run,
            "hooks": hooks.run,
            "seal": parts.sealer.run,
            "upload": control_requests.upload,
            "tick": lambda: self._tick(parts),
            "spool": lambda: self._empty_spool(parts, hook_intake),
            "over": lambda: self._watch_end(parts, watched_proxy),
            "folder": self._watch_folder,
            "editors": lambda: self._watch_editors(parts, control_requests),
            "closing": control_requests.finish_closing,
        }
        return [asyncio.create_task(self._guard(name, run)) for name, run in runs.items()]

    async def _tick(self, parts: Assembly) -> None:
        """Run the checks that are due twice a second; waiting for anything else would delay the heartbeat."""
        while True:
            await asyncio.sleep(_TICK_S)
            parts.recording.capture.tick()
            if parts.recording.records:
                parts.heartbeat.beat()
            if parts.writer.lost:
                self._start_anew()

    async def _empty_spool(self, parts: Assembly, hook_intake: HookIntake) -> None:
        """Take the calls that hooks left in the spool, and remove files whose events became durable."""
        while True:
            await asyncio.sleep(_DRAIN_S)
            writer = parts.writer
            waiting = parts.recording.capture.waiting_hooks
            hook_intake.settle(waiting, recorded=writer.next_seq, durable=writer.durable_seq)
            hook_intake.drain()

    async def _watch_end(self, parts: Assembly, watched_proxy: WatchedProxy) -> None:
        """Restore the workspace's files and end once the session is over and no agent needs the recorder."""
        lifetime = Lifetime(self._clock, upload_until=self._folder.facts().upload_until)
        while True:
            await asyncio.sleep(_END_S)
            if lifetime.may_go(parts.recording.state, watched_proxy.last_call_ms):
                await asyncio.to_thread(self._restore_files)
                self._finish(0)
                return

    def _restore_files(self) -> None:
        """Restore the workspace's files, so that an editor's agent does not keep an address that no longer answers."""
        from promptster.session_folder.touched_files import TouchedFiles  # noqa: PLC0415 - needed once, at the very end
        from promptster.session_folder.vault import Vault  # noqa: PLC0415 - likewise

        try:
            facts = self._folder.facts()
            vault = Vault(self._folder.touched, self._inheritance.secrets.content_key, facts.session)
            TouchedFiles(Path(facts.workspace), vault).restore()
        except (PromptsterError, OSError) as error:
            self._log.fault("restore", error)

    async def _watch_folder(self) -> None:
        """End when the session's folder was deleted: there is nowhere left to record."""
        missed = 0
        while missed < _CHECKS_BEFORE_GONE:
            await asyncio.sleep(_END_S)
            missed = missed + 1 if folder_gone(str(self._folder.path)) else 0
        self._log.write("folder gone")
        self._finish(0)

    async def _watch_editors(self, parts: Assembly, control_requests: ControlRequests) -> None:
        """Record changes of our entries in the editors' workspace files, if the session uses them."""
        facts = self._folder.facts()
        named = facts.choices.ide
        if not named:
            return
        from promptster.recorder.editor_watch import EditorWatch  # noqa: PLC0415 - needed after start --ide only

        ticket = control_requests.ticket()
        watch = EditorWatch(Path(facts.workspace), named, ticket)
        while True:
            await asyncio.sleep(_WATCH_S)
            if parts.recording.records and (events := watch.look()):
                await parts.recording.record([SentEvent(src=Source.LAUNCHER, event=event) for event in events])

    async def _guard(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a loop; if it fails for an unknown reason, log the fault and restart it without affecting the others."""
        while True:
            try:
                await run()
            except JournalLostError as error:
                self._log.fault(name, error)
                self._start_anew()
            except Exception as error:  # noqa: BLE001 - no fault may affect agents or the journal
                self._log.fault(name, error)
                await asyncio.sleep(_RETRY_S)
                continue
            return

    def _start_anew(self) -> None:
        self._finish(EXIT_RESTART)

    def _finish(self, code: int) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(code)

    def _loop_fault(self, _loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        error = context.get("exception")
        self._log.write("loop", error=describe(error) if isinstance(error, BaseException) else "unknown")


def main(arguments: list[str]) -> int:
    """Run the recorder of one session."""
    log = Log()
    sys.excepthook = lambda _type, error, _trace: log.fault("uncaught", error)
    folder = SessionFolder(Path(arguments[0]))
    inheritance = Inheritance.read(int(arguments[1]))
    log.write("start", restarts=inheritance.restarts)
    try:
        code = asyncio.run(RecorderProcess(folder, inheritance, log).run())
    except JournalLostError as error:
        log.fault("journal", error)
        code = EXIT_RESTART
    except (PromptsterError, SessionError) as error:
        log.fault("refused", error)
        inheritance.report({"code": error.code, "message": error.message, "hint": error.hint})
        code = EXIT_REFUSED
    log.write("end", code=code)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
