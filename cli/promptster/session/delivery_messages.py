"""Messages for a session whose uploads the collector no longer accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.session_folder.folder import SessionState
from promptster.session_folder.wording import one_line

if TYPE_CHECKING:
    from promptster.session_folder.folder import SessionFacts

_FULL = "session_full"
_KEPT = "Everything recorded is kept on this computer. `promptster submit` writes your own copy of it."


def undelivered(facts: SessionFacts) -> list[str]:
    """Return the lines about a session whose delivery stopped; empty while it continues or if it is complete."""
    organisation = one_line(facts.organisation)
    if facts.state is SessionState.LAPSED:
        return [f"The time for upload is over: {organisation} no longer accepts uploads for this session.", _KEPT]
    if facts.refused and (facts.state.records or facts.state is SessionState.CLOSING):
        full = facts.refused == _FULL
        return [
            f"warning: {organisation} no longer accepts uploads for this session"
            + (": it is full" if full else f" ({one_line(facts.refused)})"),
            f"Tell {organisation}: they may be able to make room." if full else f"Tell {organisation}.",
            _KEPT,
            "`promptster submit` and `promptster resume` try again; `promptster stop` ends without submitting.",
        ]
    return []
