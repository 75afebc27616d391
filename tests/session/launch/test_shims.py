"""The assessment's shell: plain names find the recorded agents, whatever the user's start-up files do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.helpers.launching import recording_session

from promptster.errors import LaunchError
from promptster.protocol.agents import PROGRAMS as NAMES
from promptster.session.launch.launcher import SHIMS_VARIABLE
from promptster.session.launch.shims import plan_shell, write_shims

if TYPE_CHECKING:
    from promptster.session.launch.shims import ShellStart


def _start(plan: ShellStart, given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(plan.program), *plan.arguments],
        env=dict(plan.environ), input=given, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_shims_call_run_with_every_word(tmp_path: Path) -> None:
    """Each shim is private and executable, and passes its arguments after ``--``; it ignores the working folder."""
    folder = write_shims(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)
    text = (folder / "claude").read_text()
    assert f'{sys.executable} -P -m promptster run claude -- "$@"' in text
    assert (folder / "claude").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish"])
def test_start_up_files_cannot_hide_the_shims(tmp_path: Path, shell: str) -> None:
    """With a start-up file that puts another folder first and defines an alias, ``claude`` is still the shim."""
    found = shutil.which(shell)
    if found is None:
        return
    home = tmp_path / "home"
    home.mkdir()
    for name in (".bashrc", ".zshrc", ".zshenv"):
        (home / name).write_text("alias claude='echo alias'\nPATH=/usr/bin:/bin\nMARK=mine\n")
    plan = plan_shell(tmp_path / "run", (), {"SHELL": found, "HOME": str(home), "PATH": "/usr/bin:/bin"})
    if shell in {"bash", "zsh"}:
        plan = type(plan)(program=plan.program, arguments=(*plan.arguments, "-i"), environ=plan.environ)
    done = _start(plan, "command -v claude\necho mark=$MARK\nexit 5\n")
    assert str(tmp_path / "run" / "shims" / "claude") in done.stdout
    assert done.returncode == 5
    if shell in {"bash", "zsh"}:
        assert "mark=mine" in done.stdout


def test_words_go_to_the_shell(tmp_path: Path) -> None:
    """``promptster shell -c ...`` runs one command with the shims first on PATH and named for the launcher."""
    plan = plan_shell(tmp_path, ("-c", f"echo $PATH ${SHIMS_VARIABLE}"), {"SHELL": "/bin/sh", "PATH": "/usr/bin"})
    done = _start(plan, "")
    assert done.stdout == f"{tmp_path / 'shims'}:/usr/bin {tmp_path / 'shims'}\n"


@pytest.mark.parametrize(("shell", "code"), [("/no/such/shell", 127), ("/etc/passwd", 126)])
def test_a_broken_shell_is_named(tmp_path: Path, shell: str, code: int) -> None:
    """A SHELL that is missing or not a program is refused with the shells' own codes."""
    with pytest.raises(LaunchError) as caught:
        plan_shell(tmp_path, (), {"SHELL": shell})
    assert caught.value.exit_code == code


def test_the_real_command_opens_the_shell_and_returns(tmp_path: Path) -> None:
    """In a real ``promptster shell``, ``claude`` is recorded, and the shell's exit code is returned."""
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nshift 2\necho "real $@"\n')
    program.chmod(0o755)
    with recording_session(tmp_path) as made:
        home = str(tmp_path / "home")
        environ = made.environ(PATH=f"{program.parent}:/usr/bin:/bin", HOME=home, SHELL="/bin/sh")
        done = subprocess.run(
            [sys.executable, "-m", "promptster", "shell"], cwd=made.workspace,
            env=environ, input="claude -p hello\nexit 7\n", capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (7, "real -p hello\n", "")


def test_without_a_session_there_is_no_shell(tmp_path: Path) -> None:
    """Outside an assessment the command says so and ends with 125."""
    environ = {"PATH": "/usr/bin", "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "promptster", "shell"], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 125
    assert "there is no session on this computer" in done.stderr
