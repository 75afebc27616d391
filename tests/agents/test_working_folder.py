"""An agent works in the workspace, or it is not recorded, whatever folder it is started in or sent to."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.helpers.launching import recording_session
from tests.helpers.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.launching import RecordingSession

_AGENT = '#!/bin/sh\necho "$(basename "$0") works in $PWD"\n'


@pytest.fixture
def made(tmp_path: Path) -> Iterator[RecordingSession]:
    """A session that a real process finds, agents that print where they work, and a folder outside."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "bin").mkdir()
    for name in ("claude", "codex", "cursor-agent"):
        program = tmp_path / "bin" / name
        program.write_text(_AGENT)
        program.chmod(0o755)
    with recording_session(tmp_path) as one:
        (one.workspace / "sub" / "deep").mkdir(parents=True)
        yield one


def run(made: RecordingSession, cwd: Path, *words: str, command: str = "run") -> subprocess.CompletedProcess[str]:
    """A real ``promptster run`` in some folder."""
    home = made.workspace.parent
    return subprocess.run(
        [sys.executable, "-P", "-m", "promptster", command, *words],
        env=made.environ(PATH=f"{home / 'bin'}:/usr/bin:/bin", HOME=str(home), SHELL="/bin/sh"),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_outside_the_workspace_no_agent_starts(made: RecordingSession) -> None:
    """The error names both folders and the way in, nothing is recorded, and the agent did not run."""
    outside = made.workspace.parent / "outside"
    refused = run(made, outside, "claude", "-p", "hello")
    assert refused.returncode == 125
    assert refused.stdout == ""
    assert f"claude would work in {outside}, outside your workspace" in refused.stderr
    assert "cd ~/workspace" in refused.stderr
    assert made.recorded == []


def test_a_folder_of_a_similar_name_is_outside(made: RecordingSession) -> None:
    """A folder whose name begins like the workspace's is outside."""
    beside = made.workspace.with_name(made.workspace.name + "-2")
    beside.mkdir()
    assert run(made, beside, "claude", "-p", "hello").returncode == 125


@pytest.mark.parametrize("place", ["", "sub/deep", "../link", "../deep-link"])
def test_every_folder_of_the_workspace_will_do(made: RecordingSession, place: str) -> None:
    """The workspace itself, a folder in it, and any link to it are accepted."""
    (made.workspace.parent / "link").symlink_to(made.workspace)
    (made.workspace.parent / "deep-link").symlink_to(made.workspace / "sub" / "deep")
    done = run(made, made.workspace / place, "claude", "-p", "hello")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("claude works in ")


def test_a_link_out_of_the_workspace_leads_outside(made: RecordingSession) -> None:
    """The folder that the link leads to counts."""
    (made.workspace / "link").symlink_to(made.workspace.parent / "outside")
    assert run(made, made.workspace / "link", "claude", "-p", "hello").returncode == 125


def test_a_folder_that_is_gone_is_said(made: RecordingSession) -> None:
    """A shell can be in a folder that was deleted; the error says so."""
    gone = made.workspace / "gone"
    gone.mkdir()
    words = shlex.join([sys.executable, "-P", "-m", "promptster", "run", "claude", "-p", "x"])
    done = subprocess.run(
        ["/bin/sh", "-c", f"rmdir {shlex.quote(str(gone))}; exec {words}"],
        env=made.environ(PATH=f"{made.workspace.parent / 'bin'}:/usr/bin:/bin", HOME=str(made.workspace.parent)),
        cwd=gone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 125
    assert "the current folder no longer exists" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("codex", "-C", "../outside", "hello"),
        ("codex", "-C../outside", "hello"),
        ("codex", "exec", "--cd", "../outside", "hello"),
        ("codex", "--cd=../outside", "hello"),
        ("codex", "-C", "sub", "--cd", "../outside"),
        ("cursor-agent", "--workspace", "../outside", "hello"),
        ("cursor-agent", "--worktree", "hello"),
        ("cursor-agent", "-w"),
        ("cursor-agent", "-wname"),
    ],
)
def test_an_agents_own_way_out_is_refused(made: RecordingSession, words: tuple[str, ...]) -> None:
    """Options that send the agent to another folder count like starting there."""
    refused = run(made, made.workspace, *words)
    assert refused.returncode == 125, refused
    assert "outside your workspace" in refused.stderr
    assert "Leave" in refused.stderr
    assert made.recorded == []


def test_an_agents_own_way_in_is_taken(made: RecordingSession) -> None:
    """From outside, an option that names a folder of the workspace is enough; after ``--`` nothing is an option."""
    outside = made.workspace.parent / "outside"
    assert "codex works" in run(made, outside, "codex", "-C", "../workspace/sub", "hello").stdout
    assert "codex works" in run(made, made.workspace, "codex", "hello", "--", "-C", "../outside").stdout


def test_a_further_folder_is_named(made: RecordingSession) -> None:
    """It is the candidate's choice, and a message explains it; for one of the workspace there is no message."""
    done = run(made, made.workspace, "claude", "--add-dir", "../outside", "-p", "hello")
    assert "claude works" in done.stdout
    assert f"what claude does in {made.workspace.parent / 'outside'} is recorded too" in done.stderr
    more = run(made, made.workspace, "claude", "--add-dir", "sub", "../outside", "--", "hello")
    assert "recorded too" in more.stderr
    assert "recorded too" not in run(made, made.workspace, "claude", "--add-dir", "sub", "-p", "hello").stderr


def test_what_is_no_conversation_starts_anywhere(made: RecordingSession) -> None:
    """Versions and logins have nothing that could be recorded."""
    outside = made.workspace.parent / "outside"
    assert "claude works" in run(made, outside, "claude", "--version").stdout
    assert "codex works" in run(made, outside, "codex", "login").stdout


def test_a_shell_that_leaves_the_workspace_starts_none(made: RecordingSession) -> None:
    """Inside ``promptster shell`` the folder at the moment of the start counts."""
    done = run(
        made, made.workspace, "-c", "claude -p a; cd ../outside; claude -p b; cd -; claude -p c", command="shell"
    )
    assert done.stdout.count("claude works") == 2
    assert "outside your workspace" in done.stderr


def test_a_shell_outside_is_told(made: RecordingSession) -> None:
    """A shell opened where agents do not start says so."""
    home = made.workspace.parent
    environ = made.environ(PATH=f"{home / 'bin'}:/usr/bin:/bin", HOME=str(home), SHELL="/bin/sh", TERM="dumb")
    words = [sys.executable, "-P", "-m", "promptster", "shell"]
    with Terminal(words, environ=environ, cwd=home / "outside") as terminal:
        terminal.wait_for("you are outside your workspace")
        terminal.type("exit")
        assert terminal.end() == 0
