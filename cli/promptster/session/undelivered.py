"""Words for a session of which the collector takes nothing more: what that means, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.session.state import SessionState
from promptster.session.words import one_line

if TYPE_CHECKING:
    from promptster.session.state import SessionFacts

_KEPT = "everything recorded is kept on this computer; promptster submit writes your own copy of it"


def undelivered(facts: SessionFacts) -> list[str]:
    """What to tell about a session whose delivery stopped; empty as long as it goes on, or was completed."""
    if facts.state is SessionState.LAPSED:
        return ["the time for upload is over: the collector takes nothing more of this session", _KEPT]
    if facts.refused and (facts.state.records or facts.state is SessionState.CLOSING):
        return [
            f"the collector takes nothing more of this session ({one_line(facts.refused)}); tell the hiring team",
            _KEPT,
            "promptster submit and resume ask the collector again; promptster stop ends without handing in",
        ]
    return []
