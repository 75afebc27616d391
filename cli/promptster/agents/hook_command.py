"""The command that a hook runs, with absolute paths only and without a version manager's shim."""

from __future__ import annotations

import sys
from pathlib import Path

import promptster_hooks


def hook_command() -> tuple[str, ...]:
    """The forwarder's command line, up to the agent's name."""
    return (bare_python(), "-I", "-S", str(Path(promptster_hooks.__file__).resolve().parent / "forward.py"))


def bare_python() -> str:
    """The absolute path of the interpreter itself, outside any virtual environment."""
    return str(Path(getattr(sys, "_base_executable", "") or sys.executable).resolve())
