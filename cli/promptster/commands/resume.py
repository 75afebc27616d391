"""``promptster resume``: record again, after a pause, a reboot or a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.commands import needed
from promptster.commands.options import Json

if TYPE_CHECKING or needed.work:
    from promptster.errors import SessionError
    from promptster.paths import Paths
    from promptster.session.current import Current
    from promptster.session.resuming import resume
    from promptster.ui.output import Output


def command(*, json: Json = False) -> None:
    """Go on recording. Starts the recorder again if it is not running, as after a reboot."""
    out = Output(json)
    current = Current.require(Paths.from_environment())
    facts = current.facts
    if facts.state.ended:
        raise SessionError(f"the session is {facts.state.value}: it cannot go on", code="session_over")
    status = resume(current)
    out.result({"session": facts.session, "state": status.state.value, "port": status.port, "events": status.events})
    if not json:
        out.say(f"{status.state.value}. {status.events} events so far")
