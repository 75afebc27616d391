"""What launch recipes need without a whole recorder: a ticket, requests, and a session whose control socket answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from promptster.agents.hook_command import hook_command
from promptster.agents.launching import LaunchRequest
from promptster.agents.registry import base_urls
from promptster.paths import Paths
from promptster.protocol.policy import make_policy
from promptster.protocol.providers import USUAL_ADDRESSES
from promptster.recorder.control_server import ControlServer
from promptster.recorder.process_log import Log
from promptster.secret_store import FileStore, SessionSecrets, save_secrets
from promptster.session_folder.choices import Choices
from promptster.session_folder.control_calls import ControlCall, LaunchCall, RecordCall, SentEvent
from promptster.session_folder.control_messages import LaunchTicket, RecordReply, Reply
from promptster.session_folder.folder import SessionFacts, SessionFolder, SessionState

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from promptster.protocol.policy import Policy

TOKEN = "tok-" + "x" * 39
TICKET = LaunchTicket(
    port=4711,
    token=TOKEN,
    base_urls=base_urls(4711, TOKEN),
    usual_addresses=("anthropic",),
    hook_socket="/run/s p/hooks.sock",
    spool="/state/spool",
)


def request_for(
    folder: Path,
    *arguments: str,
    program: Path | None = None,
    environ: Mapping[str, str] | None = None,
    hooks_only: bool = False,
) -> LaunchRequest:
    """A request whose workspace, run and state folders are below ``folder``."""
    return LaunchRequest(
        program=program or folder / "agent",
        arguments=arguments,
        environ={"HOME": str(folder / "home")} if environ is None else environ,
        workspace=folder / "workspace",
        ticket=TICKET,
        run_folder=folder / "run",
        state_folder=folder / "state",
        hook_command=hook_command(),
        hooks_only=hooks_only,
    )


@dataclass
class RecordingSession:
    """A session that looks like a recording one to a launcher."""

    paths: Paths
    folder: SessionFolder
    workspace: Path
    recorded: list[SentEvent] = field(default_factory=list["SentEvent"])
    """Events that the recorder received."""

    def environ(self, **more: str) -> dict[str, str]:
        """The environment in which our own program finds this session."""
        kept = {name: os.environ[name] for name in ("TMPDIR", "XDG_RUNTIME_DIR") if name in os.environ}
        state = str(self.paths.state.parent)
        return {**kept, "XDG_STATE_HOME": state, "PYTHONPATH": os.pathsep.join(sys.path), **more}


def _policy() -> Policy:
    return make_policy(organisation="Acme", title="A task", providers=USUAL_ADDRESSES)


@contextlib.contextmanager
def recording_session(
    root: Path,
    *,
    answering: bool = True,
    choices: Choices | None = None,
    policy: Policy | None = None,
    ticket: LaunchTicket = TICKET,
) -> Generator[RecordingSession]:
    """A session below ``root``, active; with ``answering`` its control socket gives tickets and takes drafts."""
    paths = Paths(config=root / "config", data=root / "data", state=root / "promptster")
    workspace = root / "workspace"
    workspace.mkdir(exist_ok=True)
    session = "AAAAAAAAAAAAAAAAAAAAAA"
    facts = SessionFacts(
        session=session,
        collector_url="http://127.0.0.1:1",
        organisation="Acme",
        title="A task",
        workspace=str(workspace),
        created_ms=1,
        secrets="file",
        upstreams={"anthropic": "https://api.anthropic.com", "openai": "https://api.openai.com/v1"},
        choices=choices or Choices(),
        state=SessionState.RECORDING,
    )
    folder = SessionFolder.create(paths, facts)
    folder.run.mkdir(mode=0o700, exist_ok=True)
    folder.activate(paths)
    folder.write_document("policy.json", (policy or _policy()).payload())
    save_secrets(FileStore(folder.secrets_file), session, SessionSecrets.generate(session))
    made = RecordingSession(paths=paths, folder=folder, workspace=workspace)
    try:
        with _control(made, ticket) if answering else contextlib.nullcontext():
            yield made
    finally:
        shutil.rmtree(folder.run)  # it may be outside root, since socket paths must be short


@contextlib.contextmanager
def _control(made: RecordingSession, ticket: LaunchTicket) -> Generator[None]:
    """The recorder's own control server on a thread, with two operations of this module."""

    async def answer(call: ControlCall) -> Reply:
        if isinstance(call, LaunchCall):
            return ticket
        assert isinstance(call, RecordCall)
        made.recorded.extend(call.drafts)
        return RecordReply(seqs=tuple(range(len(call.drafts))))

    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(made.folder.control_socket))
    listening.listen()
    log = os.open(os.devnull, os.O_WRONLY)
    ready = threading.Event()
    calls: dict[str, Any] = {}

    async def live() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        calls["stop"] = lambda: loop.call_soon_threadsafe(stop.set)
        server = ControlServer(listening, answer, Log(log))
        task = loop.create_task(server.run())
        ready.set()
        await stop.wait()
        task.cancel()

    thread = threading.Thread(target=asyncio.run, args=(live(),))
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        calls["stop"]()
        thread.join()
        listening.close()
        os.close(log)
