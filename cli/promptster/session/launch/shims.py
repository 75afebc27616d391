"""Writes the folder of shims, which start agents by their plain names with recording on, and plans a shell with it.

A shell's start-up files may put other folders first on PATH, or define aliases, so the shells that we know run a few
lines of ours after them. These lines are in the session's run folder; no file of the user is changed.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from promptster.errors import LaunchError
from promptster.private import OWN_FOLDER_HINT, SHARED_FOLDER_HINT, make_private_folder
from promptster.protocol.agents import PROGRAMS
from promptster.session.launch.launcher import NOT_EXECUTABLE, NOT_FOUND, SHIMS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class ShellStart:
    """The command line and the environment of the shell in which agents are recorded."""

    program: Path
    arguments: tuple[str, ...]
    environ: Mapping[str, str]


def write_shims(run_folder: Path) -> Path:
    """Write the folder of shims; each calls ``promptster run`` with its own arguments."""
    folder = run_folder / "shims"
    make_private_folder(run_folder, private_hint=SHARED_FOLDER_HINT if run_folder.name != "run" else OWN_FOLDER_HINT)
    make_private_folder(folder)
    for name in PROGRAMS:
        command = shlex.join((sys.executable, "-P", "-m", "promptster", "run", name, "--"))
        _write(folder / name, f'#!/bin/sh\nexec {command} "$@"\n', 0o700)
    return folder


def plan_shell(run_folder: Path, arguments: tuple[str, ...], environ: Mapping[str, str]) -> ShellStart:
    """Return how to start the user's shell with the shims first on PATH.

    Raises:
        LaunchError: $SHELL does not exist (127) or is not executable (126).
    """
    program = _shell(environ)
    shims = write_shims(run_folder)
    path = f"{shims}{os.pathsep}{environ.get('PATH', os.defpath)}"
    inner = {**environ, "PATH": path, SHIMS_VARIABLE: str(shims)}
    kind = program.name
    if arguments or kind not in {"bash", "zsh", "fish"}:
        return ShellStart(program=program, arguments=arguments, environ=inner)
    first = f'PATH={shlex.quote(str(shims))}":$PATH"; unalias {" ".join(PROGRAMS)} 2>/dev/null; hash -r\n'
    if kind == "bash":
        rc = run_folder / "shell.bash"
        _write(rc, f"[ -f ~/.bashrc ] && . ~/.bashrc\n{first}", 0o600)
        return ShellStart(program=program, arguments=("--rcfile", str(rc)), environ=inner)
    if kind == "zsh":
        return ShellStart(program=program, arguments=(), environ={**inner, **_zsh(run_folder, first, environ)})
    set_path = f"set -gx PATH {shlex.quote(str(shims))} $PATH"
    return ShellStart(program=program, arguments=("--init-command", set_path), environ=inner)


def _zsh(run_folder: Path, first: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return a ZDOTDIR whose files run the user's own zsh files, and then put the shims first."""
    theirs = environ.get("ZDOTDIR") or environ.get("HOME", "~")
    ours = run_folder / "zsh"
    make_private_folder(ours)
    for name in (".zshenv", ".zprofile", ".zshrc"):
        own = shlex.quote(f"{theirs}/{name}")
        text = f"ZDOTDIR={shlex.quote(theirs)}\n[ -f {own} ] && . {own}\n"
        text += first if name == ".zshrc" else f"ZDOTDIR={shlex.quote(str(ours))}\n"
        _write(ours / name, text, 0o600)
    return {"ZDOTDIR": str(ours)}


def _shell(environ: Mapping[str, str]) -> Path:
    path = Path(environ.get("SHELL") or "/bin/sh")
    if not path.is_file():
        raise LaunchError(
            f"the shell {path} does not exist",
            hint="Set SHELL to the path of a shell.",
            code="not_found",
            exit_code=NOT_FOUND,
        )
    if not os.access(path, os.X_OK):
        raise LaunchError(
            f"the shell {path} is not executable",
            hint="Set SHELL to the path of a shell.",
            code="not_executable",
            exit_code=NOT_EXECUTABLE,
        )
    return path


def _write(path: Path, text: str, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    path.chmod(mode)
