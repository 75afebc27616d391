"""A real supervisor with a real recorder, in a made-up user's folders, always ended at the end."""

from __future__ import annotations

import os
import select
import signal
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.helpers.certified import Certified, paths_below

from promptster.errors import SessionError
from promptster.journal.disk import SystemFiles
from promptster.journal.reading import read, scan
from promptster.protocol.events import OpenedEvent, Source, read_body
from promptster.protocol.events.kinds import Note
from promptster.protocol.sealing import JournalCipher
from promptster.recorder.spawning import spawn_recorder
from promptster.session_folder.control_calls import SentEvent
from promptster.session_folder.control_client import ControlClient

if TYPE_CHECKING:
    from collections.abc import Generator

    import pytest

    from promptster.session_folder.folder import SessionFolder

FAR = 4_000_000_000_000
"""A moment in the far future; milliseconds since the epoch."""


def pid_of(path: Path) -> int:
    """The process id in a pid file, 0 if there is none."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not waited for by its parent counts as ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # it may end between the opening and the reading
        return False
    return state != "Z"


def kill_and_wait(pid: int, number: int = signal.SIGKILL) -> None:
    """End one process that is not our child, and return when it is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        select.select([handle], [], [], 30)
    finally:
        os.close(handle)


@dataclass
class Running:
    """One session's recorder."""

    certified: Certified
    folder: SessionFolder
    port: int = 0
    supervisors: list[int] = field(default_factory=list[int])

    def spawn(self) -> int:
        """Start supervisor and recorder."""
        self.port = spawn_recorder(self.folder, self.certified.secrets)
        self.supervisors.append(pid_of(self.folder.path / "supervisor.pid"))
        return self.port

    @property
    def control(self) -> ControlClient:
        """A client for its control socket."""
        return ControlClient(self.folder)

    @property
    def recorder_pid(self) -> int:
        """The recorder's process."""
        return pid_of(self.folder.path / "recorder.pid")

    @property
    def supervisor_pid(self) -> int:
        """The supervisor's process."""
        return pid_of(self.folder.path / "supervisor.pid")

    def record(self, text: str) -> int:
        """Record one event through the control socket, as a promptster command does, and return its seq."""
        return self.control.record([SentEvent(src=Source.CANDIDATE, event=Note(text=text))])[0]

    def events(self) -> list[OpenedEvent]:
        """Everything in the journal, in clear."""
        cipher = JournalCipher(self.certified.secrets.content_key, self.certified.session)
        files = SystemFiles()
        found = scan(files, self.folder.journal, cipher, self.certified.session)
        return [event.open() for _, data in read(files, found, cipher) for event in read_body(data)]

    def kinds(self) -> list[str]:
        """The kinds in the journal."""
        return [event.kind for event in self.events()]

    def end(self) -> None:
        """End every process that still runs."""
        with suppress(SessionError):
            self.control.stop()
        for pid in (*self.supervisors, self.recorder_pid):
            if pid:
                kill_and_wait(pid)


@contextmanager
def prepared(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, collector_url: str = "http://127.0.0.1:9", **more: Any
) -> Generator[Running]:
    """A session that was just redeemed; none of its processes runs yet."""
    certified = more.pop("certified", None) or Certified(record_until=FAR, upload_until=FAR, **more)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(folder / name.lower()))
    for name in ("HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    running = Running(certified, certified.folder(paths_below(folder), collector_url=collector_url))
    try:
        yield running
    finally:
        running.end()
