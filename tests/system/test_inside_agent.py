"""Recognising an agent's process, by the list, by marks and by names, each for the right person only."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from promptster.paths import Paths
from promptster.system import agent_waiter, processes
from promptster.system.inside_agent import MARKS, UNKNOWN, agent_around, register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

READY = 'import sys; print("ready", flush=True); sys.stdin.read()'


class _Below:
    """A process that waits, below another program if one is named."""

    def __init__(
        self, stack: ExitStack, home: Path, program: Path | None = None, *, environ: Mapping[str, str] | None = None
    ) -> None:
        python = [str(Path(sys.executable).resolve()), "-ISc", READY]
        words = python if program is None else [str(program), *python]
        started = subprocess.Popen(
            words, env={"HOME": str(home), **(environ or {})}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.process = stack.enter_context(started)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"
        (inner,) = agent_waiter.below(self.process.pid) if program is not None else [self.process.pid]
        self.pid = inner


@pytest.fixture
def start() -> Iterator[Callable[..., _Below]]:
    """Starts processes, and ends them: one that stays would fail whichever test runs next."""
    with ExitStack() as stack:
        yield partial(_Below, stack)


def _program(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text('#!/bin/sh\n"$@"\nexit $?\n')
    path.chmod(0o755)
    return path


def _state(home: Path) -> Path:
    return home / ".local" / "state" / "promptster"


@pytest.mark.parametrize("mark", MARKS)
def test_each_mark_tells_for_its_own_person(mark: str, tmp_path: Path, start: Callable[..., _Below]) -> None:
    """A marked process is an agent's for the sessions of its own home, and not for another home's."""
    pid = start(tmp_path, environ={mark: "1"}).pid
    assert agent_around(pid, _state(tmp_path)) == (MARKS[mark] or UNKNOWN)
    assert agent_around(pid, _state(tmp_path / "other")) is None
    assert agent_around(start(tmp_path, environ={mark: "0"}).pid, _state(tmp_path)) is None


@pytest.mark.parametrize(
    ("name", "known"), [("claude", True), ("codex", True), ("cursor-agent", True), ("cursor", False), ("bash2", False)]
)
def test_agents_are_known_by_name(name: str, known: bool, tmp_path: Path, start: Callable[..., _Below]) -> None:  # noqa: FBT001 - a table
    """A program, or a script of an interpreter, with an agent's name is one; an editor is not."""
    pid, state = start(tmp_path, _program(tmp_path, name)).pid, _state(tmp_path)
    assert agent_around(pid, state) == (name if known else None)
    assert agent_around(pid, _state(tmp_path / "other")) is None


def test_the_state_folder_is_found_as_paths_finds_it(
    tmp_path: Path, start: Callable[..., _Below], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With XDG_STATE_HOME and without it, another process's folder is what it would be in that process."""
    for name, value in {"HOME": str(tmp_path / "home"), "XDG_STATE_HOME": str(tmp_path / "xdg")}.items():
        monkeypatch.setenv(name, value)
        environ = {key: os.environ[key] for key in ("XDG_STATE_HOME",) if key in os.environ}
        below = start(tmp_path / "home", environ={**environ, "CLAUDECODE": "1"})
        assert agent_around(below.pid, Paths.from_environment().state) == "claude"


def test_the_list_names_processes_and_forgets_those_that_ended(tmp_path: Path, start: Callable[..., _Below]) -> None:
    """A listed process and its children are the agent's, whatever their environment; a number alone is not enough."""
    home, state = tmp_path / "home", tmp_path / "state"
    below = start(home, _program(tmp_path, "anything"))
    outer = below.process.pid
    assert agent_around(below.pid, state) is None
    entry = Path(register(state, outer, "codex"))
    assert [agent_around(pid, state) for pid in (below.pid, outer)] == ["codex", "codex"]
    assert agent_around(os.getpid(), state) is None
    entry.write_text("1 codex")
    assert agent_around(below.pid, state) is None
    register(state, os.getpid(), "claude")
    assert not entry.exists()


def test_the_persons_environment_at_the_moment_counts(tmp_path: Path) -> None:
    """For the asking process itself, its current environment is used."""
    environ = {"HOME": str(tmp_path), "CODEX_SANDBOX": "seatbelt"}
    assert agent_around(os.getpid(), _state(tmp_path), environ) == "codex"
    assert agent_around(os.getpid(), _state(tmp_path), {"HOME": str(tmp_path)}) is None


def test_ps_tells_the_same_lineage() -> None:
    """Parents and names from ``ps`` are the same as those from /proc."""
    text = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,lstart=,command="],
        env={"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = processes.parse_ps(text)
    process, parent = found[os.getpid()]
    assert parent == os.getppid()
    (mine, *_) = processes.lineage(os.getpid())
    assert process.names <= mine.names
    assert process.started.count("-") == 4
    assert processes.parse_ps("  12 1 Mon Nov 30 10:24:30 2026 node /opt/x/claude --flag\nnonsense\n")[12][0].names == {
        "node",
        "claude",
    }
