"""``promptster pause``: record nothing for a while. The pause itself is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.commands import needed
from promptster.commands.options import Json

if TYPE_CHECKING or needed.work:
    from promptster.errors import SessionError
    from promptster.paths import Paths
    from promptster.session.current import Current
    from promptster.session.state import SessionState
    from promptster.ui.output import Output


def command(*, json: Json = False) -> None:
    """Record nothing until promptster resume. Reviewers see that there was a pause, not what happened in it."""
    out = Output(json)
    current = Current.require(Paths.from_environment())
    if not current.facts.state.records:
        raise SessionError(f"the session is {current.facts.state.value}: nothing is recorded", code="not_recording")
    current.control.pause()
    out.result({"session": current.facts.session, "state": SessionState.PAUSED.value})
    if not json:
        out.say("paused: nothing is recorded, your agent works on as usual. promptster resume goes on")
