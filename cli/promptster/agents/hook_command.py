"""The command that a hook runs: absolute paths only, and never a version manager's shim."""

from __future__ import annotations

import sys
from pathlib import Path

import promptster_hooks


def hook_command() -> tuple[str, ...]:
    """The forwarder's command line up to the agent's name."""
    return (bare_python(), "-I", "-S", str(Path(promptster_hooks.__file__).resolve().parent / "forward.py"))


def bare_python() -> str:
    """The interpreter itself by its absolute path, outside any virtual environment."""
    return str(Path(getattr(sys, "_base_executable", "") or sys.executable).resolve())
