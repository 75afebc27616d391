"""``promptster stop``: end without submitting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from promptster.commands import needed
from promptster.commands.options import JsonOption

if TYPE_CHECKING or needed.work:
    from promptster.errors import SessionError
    from promptster.paths import Paths
    from promptster.protocol.policy import Policy
    from promptster.session.current import Current
    from promptster.session.joining.redeeming import POLICY
    from promptster.session.leaving.stopping import stop
    from promptster.session_folder.folder import SessionState
    from promptster.session_folder.touched_files import describe
    from promptster.session_folder.wording import doing, one_line
    from promptster.ui.labels import sentence_lines
    from promptster.ui.output import Output
    from promptster.ui.questions import confirm


def command(
    *, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False, json: JsonOption = False
) -> None:
    """End the session without submitting. Recording stops, and changed files are put back.

    The hiring team keeps what was sent until its retention ends. promptster withdraw deletes it.
    """
    out = Output(json)
    current = Current.require(Paths.from_environment())
    facts = current.facts
    state = facts.state
    if state is SessionState.CLOSED:
        raise SessionError("you already submitted this session", hint=_DELETE, code="session_over")
    if state.ended:
        raise SessionError(f"nothing to stop: the session {doing(state)}", code="session_over")
    if state is SessionState.CLOSING and not facts.refused:  # otherwise submitting may never end
        raise SessionError("the session is being submitted", hint="Run `promptster submit` to finish.", code="closing")
    question = "\n".join(
        [
            "Stop without submitting? You cannot resume this session.",
            *sentence_lines(f"{_kept(current)} `promptster withdraw` deletes it."),
            "",
        ]
    )
    confirm(question, yes=yes, json=json, act="stopping", code="not_stopped")
    restored = stop(current)
    out.result(
        {
            "session": current.facts.session,
            "state": SessionState.STOPPED.value,
            "restored": [{"path": str(entry.path), "outcome": entry.outcome.value} for entry in restored],
        }
    )
    if not json:
        out.say("Stopped. Nothing more is recorded, and nothing was submitted.")
        for line in describe(restored):
            out.say(line)
        out.say("To have what was sent deleted: promptster withdraw")


_DELETE = "To have it deleted: promptster withdraw"


def _kept(current: Current) -> str:
    organisation = one_line(current.facts.organisation)
    if not current.folder.has_document(POLICY):  # a session without its documents can still be ended
        return f"{organisation} keeps what it received for as long as its policy says."
    days = Policy.parse(current.folder.read_document(POLICY)).retention_days
    return f"{organisation} keeps what it received for {days} day{'s' if days != 1 else ''} after the session ends."
