"""Names of exported files: the day, the title and the session, never a person's name."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from promptster.paths import slug

if TYPE_CHECKING:
    from pathlib import Path

    from promptster.replay.loading import Replay

_ID = 8


def _day(ms: int | None) -> str:
    """``2026-11-30`` in local time; empty for a time outside the calendar."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return "" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).astimezone().strftime("%Y-%m-%d")
    return ""


def file_name(replay: Replay, suffix: str, *, given: Path | None) -> str:
    """``2026-11-30-rate-limiter-tB-GrFiX.html``; parts that a damaged bundle lacks are left out.

    Args:
        replay: what is exported.
        suffix: the format's ending.
        given: the file it was read from, whose name is used if nothing else is known.
    """
    parts = [_day(replay.timeline.started_ms), slug(replay.facts.title), replay.facts.session[:_ID]]
    known = "-".join(part for part in parts if part)
    return (known or (given.stem if given is not None else "session")) + suffix
