"""Where Codex keeps its configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def home_of(environ: Mapping[str, str]) -> Path:
    """Codex's folder for a person with this environment."""
    return Path(environ.get("CODEX_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".codex")
