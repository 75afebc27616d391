"""What an end-to-end test needs: a real collector, a recruiter, candidates, and real agents on a scripted provider.

Everything is a process of its own and is controlled through the documented commands, as a stranger's script would.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tests.helpers.people import BIN, Person
from tests.helpers.waiting import wait_until

from promptster.errors import PromptsterError
from promptster.session_folder.control_client import ControlClient
from promptster.session_folder.folder import SessionFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from tests.e2e.agents import Agents

READY_SECONDS = 60
AGENT_SECONDS = 120
CLAUDE_KEY = "sk-ant-e2e-0123456789abcdef"
CODEX_KEY = "sk-e2e-0123456789abcdef"
AGENT_ENVIRONMENT = {
    "ANTHROPIC_API_KEY": CLAUDE_KEY,
    "CODEX_API_KEY": CODEX_KEY,
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "IS_SANDBOX": "1",
    "SHELL": "/bin/bash",
    "TZ": "UTC",
}


@dataclass
class Collector:
    """A collector process and its data folder; it can be killed and started again on the same port."""

    data: Path
    token: str
    port: int = 0
    url: str = ""
    process: subprocess.Popen[bytes] | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        """Name the log."""
        self.log = self.data.parent / "collector.log"

    def start(self) -> None:
        """Start it and wait until it listens."""
        ready = self.data.parent / "collector.ready"
        ready.unlink(missing_ok=True)
        words = [str(BIN / "promptster-collector"), "serve", "--data", str(self.data), "--host", "127.0.0.1"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*words, "--port", str(self.port), "--ready-file", str(ready)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.data.parent,
            )
        self.url = wait_for_text(ready, self.process)
        self.port = int(self.url.rsplit(":", 1)[1].rstrip("/"))

    def kill(self) -> None:
        """End it without any warning."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """End it in order."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


def wait_for_text(path: Path, process: subprocess.Popen[bytes]) -> str:
    """The content of a ready file."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text().strip()):
            return text
        if process.poll() is not None:
            break
        time.sleep(0.02)  # a file is awaited that another process writes; there is no event to wait for
    raise AssertionError(f"{path.name} was never written")


@contextlib.contextmanager
def collector_running(folder: Path) -> Generator[Collector]:
    """A fresh collector of the organisation Acme."""
    data = folder / "collector"
    words = [str(BIN / "promptster-collector"), "init", "--data", str(data), "--org", "Acme"]
    made = subprocess.run([*words, "--owner-email", "o@example.com", "--json"], capture_output=True, check=True)
    collector = Collector(data=data, token=json.loads(made.stdout)["token"])
    collector.start()
    try:
        yield collector
    finally:
        collector.stop()


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How an agent's process ended."""

    code: int
    stdout: bytes
    stderr: bytes


def finished(process: subprocess.Popen[bytes], told: Callable[[bytes], None] | None = None) -> Ended:
    """Read a program's output to its end.

    Args:
        process: it, with both outputs as pipes that nobody has read.
        told: gets each line of its standard output as soon as it is written.

    Raises:
        subprocess.TimeoutExpired: it did not end in time.
    """
    stdout, lines = process.stdout, list[bytes]()
    assert stdout is not None

    def read() -> None:
        for line in stdout:
            lines.append(line)
            if told is not None:
                told(line)

    reader = threading.Thread(target=read, name="agent-output", daemon=True)
    reader.start()
    process.stdout = None  # the thread's now
    _, err = process.communicate(timeout=AGENT_SECONDS)
    reader.join()
    stdout.close()
    return Ended(code=process.returncode, stdout=b"".join(lines), stderr=err)


@dataclass
class Candidate:
    """One candidate at a fixed place, so that runs with and without promptster see the same paths."""

    root: Path
    agents: Agents
    person: Person = field(init=False)
    workspace: Path = field(init=False)
    session: str = ""
    state_dir: Path = field(init=False)

    def __post_init__(self) -> None:
        """Make home, workspace, the repository in it, and configuration files that must never change."""
        self.workspace = self.root / "workspace"
        self.state_dir = self.root
        home, tools = self.root / "home", self.root / "tools"
        for folder in (home, tools, self.workspace):
            folder.mkdir(parents=True)
        (tools / "claude").symlink_to(self.agents.claude)
        (tools / "codex").symlink_to(self.agents.codex)
        self.person = Person(name="candidate", home=home, extra=AGENT_ENVIRONMENT, tools=tools)
        _write_configuration(home)
        _write_repository(self.workspace)

    def start(self, invite: str, *, anthropic: str = "", openai: str = "", more: Sequence[str] = ()) -> dict[str, Any]:
        """Agree and begin; the recorder runs when this returns.

        Args:
            invite: code or link.
            anthropic: where this provider is; empty: at its usual address.
            openai: likewise.
            more: further options of ``start``.
        """
        where = more[:2] if "--collector" in more[:1] else ()
        policy = self.person.result("policy", invite, *where)
        addresses = {"anthropic": anthropic, "openai": openai}
        upstreams = [word for name, url in addresses.items() if url for word in ("--upstream", f"{name}={url}")]
        consent = ("--accept-policy", f"sha256:{policy['sha256']}", "--secrets", "file")
        started = self.person.result("start", invite, "--workspace", str(self.workspace), *consent, *upstreams, *more)
        self.session, self.state_dir = started["session"], Path(started["state_dir"])
        return started

    def run(
        self, *words: str, environ: Mapping[str, str] | None = None, told: Callable[[bytes], None] | None = None
    ) -> Ended:
        """Run a program in the workspace, to its end; ``told``: as in ``finished``."""
        return finished(self.popen(*words, environ=environ), told)

    def popen(self, *words: str, environ: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a program in the workspace, with nothing to read."""
        return subprocess.Popen(
            words,
            cwd=self.workspace,
            env={**self.person.environment(), **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def recorder_pid(self) -> int:
        """The recorder's current process id."""
        path = self.state_dir / "recorder.pid"
        wait_until(lambda: path.exists() and path.read_text().strip(), "the recorder's process id")
        return int(path.read_text())

    def recorder_answers(self) -> bool:
        """Whether the recorder is back at work."""
        try:
            ControlClient(SessionFolder(self.state_dir), timeout=5).status()
        except (PromptsterError, OSError):
            return False
        return True

    def recorder_replaced(self, old: int) -> bool:
        """Whether another recorder than the one with this process id is at work."""
        return self.recorder_pid() != old and self.recorder_answers()

    def kill_recorder(self) -> int:
        """Kill the recorder without any warning; its supervisor starts another."""
        pid = self.recorder_pid()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return pid

    def submit(self) -> dict[str, Any]:
        """Submit, and wait until everything arrived."""
        return self.person.result("submit", "--yes", cwd=self.workspace)

    def end(self) -> None:
        """End every process of ours."""
        if self.session:
            self.person.call("stop", "--yes", "--json", cwd=self.workspace)


@dataclass(frozen=True, kw_only=True)
class Recruiter:
    """A person of the hiring team, signed in."""

    person: Person
    assessment: str

    @classmethod
    def signed_in(cls, folder: Path, collector: Collector) -> Recruiter:
        """Sign in and set up one assessment."""
        home = folder / "recruiter"
        home.mkdir()
        person = Person(name="recruiter", home=home)
        person.result("login", "--collector", collector.url, "--token-stdin", given=collector.token)
        created = person.result("assessment", "create", "--title", "A task", "--retention", "30d")
        return cls(person=person, assessment=created["id"])

    def invite(self, name: str = "Ada Example", email: str = "ada@example.com") -> str:
        """A new invite's link."""
        link: str = self.person.result("invite", self.assessment, "--name", name, "--email", email)["link"]
        return link

    def code(self) -> str:
        """A new invite's code, which names no collector."""
        words = ("invite", self.assessment, "--name", "Bo Example", "--email", "bo@example.com")
        code: str = self.person.result(*words)["code"]
        return code

    def lines(self, session: str) -> list[dict[str, Any]]:
        """The replay as JSON lines."""
        return [json.loads(line) for line in self.said("export", session, "--format", "jsonl", "-o", "-").splitlines()]

    def said(self, *words: str) -> str:
        """What ``promptster WORDS`` prints."""
        answer = self.person.call(*words)
        assert answer.code == 0, answer.stderr
        return answer.stdout

    def verify(self, session: str, folder: Path) -> dict[str, Any]:
        """The verdict on the exported bundle."""
        path = folder / f"{session}.promptster"
        exported = self.person.call("export", session, "--format", "bundle", "-o", str(path), "--force")
        assert exported.code == 0, exported.stderr
        return self.person.result("verify", str(path))


def stage_folder() -> Path:
    """The folder of these tests: always the same, one for each of several parallel workers.

    Its path is short, so that a session's sockets are in the session's own folder.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return Path(tempfile.gettempdir()) / f"e2e-{os.getuid()}" / worker


@functools.cache
def _locked_stage_folder() -> tuple[Path, IO[str]]:
    """That folder, and the lock that keeps two test runs from using it at once."""
    folder = stage_folder()
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(exist_ok=True)
    lock = (folder / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return folder, lock


def fixed_root(name: str) -> Path:
    """An empty folder with the same path every time."""
    root = _locked_stage_folder()[0] / name
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True, mode=0o700)
    return root


def _write_configuration(home: Path) -> None:
    """Files of the user, in odd spellings, that must stay byte for byte what they are."""
    (home / ".claude").mkdir()
    (home / ".claude" / "settings.json").write_bytes(b'{ "includeCoAuthoredBy":false,\n\t"env": {"MINE":"1"} }\r\n')
    (home / ".claude" / ".last-cleanup").touch()  # Claude Code cleans up once a day, 5 s after it began: not here
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_bytes(
        b"# mine\r\nhide_agent_reasoning = false\n\n[tui]\nnotifications=false"
    )
    (home / ".gitconfig").write_bytes(b"[user]\n\tname = Ada\n\temail = ada@example.com")


def _write_repository(workspace: Path) -> None:
    git = ("git", "-C", str(workspace), "-c", "user.name=Task", "-c", "user.email=task@example.com")
    dated = {**os.environ, "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
    (workspace / "README.md").write_text("# A task\n")
    (workspace / "app.py").write_text("def greet():\n    return 'hello'\n")
    (workspace / ".claude").mkdir()
    (workspace / ".claude" / "settings.json").write_bytes(b'{"permissions": {"allow": ["Bash(ls)"]}}')
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "--no-gpg-sign", "-m", "The task")):
        subprocess.run([*git, *words], check=True, env=dated)
