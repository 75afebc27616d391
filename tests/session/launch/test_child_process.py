"""The process next to an agent gives it terminal, signals and exit code as if it were the typed command."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.helpers.launching import recording_session
from tests.helpers.terminal import Terminal

from promptster.system.inside_agent import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.helpers.launching import RecordingSession

AGENT = """\
#!{python} -IS
import os, signal, sys
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"heard INT\\n"))
signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b"heard USR1\\n"))
print("ready", os.getpid(), os.getppid(), os.getpgrp() == os.getpgid(os.getppid()), flush=True)
for line in sys.stdin:
    word, _, rest = line.strip().partition(" ")
    print("got", word, flush=True)
    if word == "exit":
        sys.exit(int(rest))
    if word == "die":
        os.kill(os.getpid(), getattr(signal, rest))
    if word == "orphan":
        told, tell = os.pipe()
        if os.fork() == 0:
            if os.fork() == 0:
                os.setsid()
                os.close(tell)
                os.read(told, 1)
                print("orphan of", os.getppid(), flush=True)
            os._exit(0)
        os.wait()  # returns only after the system gave the orphan its next parent
        os.write(tell, b".")
    if word == "close":
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if word == "mark":
        print("mark", os.environ.get("{mark}"), flush=True)
"""


@pytest.fixture
def made(tmp_path: Path) -> Iterator[RecordingSession]:
    """A session that a real process finds, and an agent that runs what the test asks for."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "claude"
    python = Path(sys.executable).resolve()
    program.write_text(AGENT.format(python=python, mark=MARK))
    program.chmod(0o755)
    with recording_session(tmp_path) as one:
        yield one


def _environ(made: RecordingSession) -> dict[str, str]:
    root = made.workspace.parent
    return made.environ(PATH=f"{root / 'bin'}:/usr/bin:/bin", HOME=str(root / "home"), TERM="dumb", PS1="$ ")


def _words() -> list[str]:
    return [sys.executable, "-m", "promptster", "run", "claude"]


class _Piped:
    """An agent with pipes as streams, ended with its block: one that stays open would fail whichever test runs next."""

    def __init__(self, made: RecordingSession, stack: ExitStack) -> None:
        started = subprocess.Popen(
            _words(), env=_environ(made), cwd=made.workspace, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.process = stack.enter_context(started)
        stack.callback(started.kill)
        _, agent, beside, together = self.line().split()
        self.agent, self.beside = int(agent), int(beside)
        assert together == "True"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.line() == f"got {line.partition(' ')[0]}"

    def end(self) -> int:
        self.process.communicate()
        return self.process.returncode


@pytest.fixture
def start(made: RecordingSession) -> Iterator[Callable[[], _Piped]]:
    """Starts agents with pipes as streams, and ends them: one that stays open would fail whichever test runs next."""
    with ExitStack() as stack:
        yield lambda: _Piped(made, stack)


@pytest.mark.parametrize(("line", "code"), [("exit 0", 0), ("exit 7", 7), ("die SIGTERM", -15), ("die SIGKILL", -9)])
def test_it_ends_as_the_agent_ends(start: Callable[[], _Piped], line: str, code: int) -> None:
    """Exit codes are passed on, and the caller also sees a signal that killed the agent."""
    piped = start()
    assert piped.process.pid == piped.beside
    piped.type(line)
    assert piped.end() == code


def test_signals_from_others_are_passed_on(start: Callable[[], _Piped]) -> None:
    """A signal sent to the typed command reaches the agent; SIGKILL ends both."""
    piped = start()
    for number, word in ((signal.SIGINT, "INT"), (signal.SIGUSR1, "USR1")):
        piped.process.send_signal(number)
        assert piped.line() == f"heard {word}"
    piped.process.terminate()
    piped.process.wait()
    assert piped.end() == -signal.SIGTERM
    second = start()
    agent = os.pidfd_open(second.agent)
    second.process.kill()
    assert second.end() == -signal.SIGKILL
    assert select.select([agent], [], [], 30)[0] == [agent]
    os.close(agent)


def test_the_agent_is_marked_and_listed_while_it_runs(made: RecordingSession, start: Callable[[], _Piped]) -> None:
    """Its environment marks it as an agent; the list of agents names the process next to it until it ends."""
    piped = start()
    piped.type("mark")
    assert piped.line() == "mark claude"
    listed = made.paths.state / "agents"
    assert [path.name for path in listed.iterdir()] == [str(piped.beside)]
    assert listed.stat().st_mode & 0o777 == 0o700
    piped.type("exit 0")
    assert piped.end() == 0
    assert list(listed.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems hand orphans to the first process")
def test_orphans_of_the_agent_stay_below(start: Callable[[], _Piped]) -> None:
    """A process that forks twice and leaves its session is still a descendant of the process next to the agent."""
    piped = start()
    piped.type("orphan")
    assert piped.line() == f"orphan of {piped.beside}"
    piped.type("exit 0")
    assert piped.end() == 0


def test_it_holds_no_pipe_of_the_agents(start: Callable[[], _Piped]) -> None:
    """A reader of the agent's output sees its end as soon as the agent closes it, not when the agent ends."""
    piped = start()
    piped.type("close")
    assert piped.line() == ""
    assert piped.process.poll() is None
    assert piped.end() == 0


def test_a_terminal_sees_one_job(made: RecordingSession) -> None:
    """In a shell with job control, Ctrl-C reaches the agent once, Ctrl-Z stops the job, and ``fg`` continues it."""
    program = f"{sys.executable} -m promptster run claude"
    with Terminal(["/bin/bash", "--norc", "-i"], environ=_environ(made), cwd=made.workspace) as terminal:
        terminal.type(program)
        terminal.wait_for(r"ready \d+")
        terminal.interrupt()
        terminal.wait_for("heard INT")
        terminal.type("mark")
        terminal.wait_for("mark claude")
        terminal.press("\x1a")
        terminal.wait_for("Stopped")
        terminal.type("fg")
        terminal.wait_for(r"fg\s+.*promptster run claude")
        terminal.type("exit 5")
        terminal.wait_for("got exit")
        terminal.type("echo code=$?")
        terminal.wait_for("code=5")
        terminal.type("exit")
        terminal.end()
    assert len(re.findall("heard INT", terminal.shown)) == 1
