"""``promptster stop``: end without handing in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from promptster.commands import needed
from promptster.commands.options import Json

if TYPE_CHECKING or needed.work:
    from promptster.errors import SessionError
    from promptster.paths import Paths
    from promptster.session.current import Current
    from promptster.session.ending import stop
    from promptster.session.state import SessionState
    from promptster.session.touched import describe
    from promptster.ui.output import Output
    from promptster.ui.questions import confirm


def command(
    *, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False, json: Json = False
) -> None:
    """End the session without handing in: stops the recorder and puts changed files back.

    What was recorded so far stays with the collector until its retention ends; promptster withdraw deletes it.
    """
    out = Output(json)
    current = Current.require(Paths.from_environment())
    facts = current.facts
    state = facts.state
    if state.ended:
        raise SessionError(f"the session is {state.value} already", code="session_over")
    if state is SessionState.CLOSING and not facts.refused:  # else handing in may never come to its end
        raise SessionError("the session is being handed in", hint="promptster submit goes on", code="closing")
    confirm(
        "Stop without submitting? You cannot resume this session.",
        yes=yes,
        json=json,
        act="stopping",
        code="not_stopped",
    )
    restored = stop(current)
    out.result(
        {
            "session": current.facts.session,
            "state": SessionState.STOPPED.value,
            "restored": [{"path": str(entry.path), "outcome": entry.outcome.value} for entry in restored],
        }
    )
    if not json:
        out.say("stopped: nothing is recorded any more, nothing was handed in.")
        for line in describe(restored):
            out.say(f"  {line}")
        out.say("to have everything deleted at the collector too: promptster withdraw")
