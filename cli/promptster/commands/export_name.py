"""Names of exported files: the day, the title and the session, never a person's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.paths import slug
from promptster.times import file_day

if TYPE_CHECKING:
    from pathlib import Path

    from promptster.replay.loading import Replay

_ID = 8


def file_name(replay: Replay, suffix: str, *, given: Path | None) -> str:
    """``2026-11-30-rate-limiter-tB-GrFiX.html``; parts that a damaged bundle lacks are left out.

    Args:
        replay: what is exported.
        suffix: the format's ending.
        given: the file it was read from, whose name is used if nothing else is known.
    """
    started = replay.timeline.started_ms
    parts = ["" if started is None else file_day(started), slug(replay.facts.title), replay.facts.session[:_ID]]
    known = "-".join(part for part in parts if part)
    return (known or (given.stem if given is not None else "session")) + suffix
