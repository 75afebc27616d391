"""Requirement files that pin a release and everything it needs by hash, and the list of what was released."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SETS = {"promptster": ("promptster", "runtime"), "promptster-collector": ("promptster[collector]", "collector")}
"""Each program, what is installed for it, and the lock of what that needs."""


def sha256(path: Path) -> str:
    """A file's SHA-256, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def requirements_name(program: str, version: str) -> str:
    """The name of a program's requirement file."""
    return f"{program}-{version}-requirements.txt"


def requirements(root: Path, program: str, version: str, wheel: Path) -> str:
    """The text of a program's requirement file: the wheel, and what it needs, each by hash.

    Args:
        root: the repository.
        program: which of the two.
        version: the release's version.
        wheel: the release's wheel.
    """
    wanted, lock = SETS[program]
    pinned = (root / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    lines = "".join(line for line in pinned.splitlines(keepends=True) if not line.startswith("#"))
    how = f"pip install --require-hashes --find-links . -r {requirements_name(program, version)}"
    return f"# {how}\n{wanted}=={version} \\\n    --hash=sha256:{sha256(wheel)}\n{lines}"


def sums(files: Sequence[Path]) -> str:
    """The text of SHA256SUMS, as ``sha256sum --check`` reads it."""
    return "".join(f"{sha256(path)}  {path.name}\n" for path in sorted(files, key=lambda path: path.name))
