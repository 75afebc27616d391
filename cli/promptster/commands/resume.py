"""``promptster resume``: resume recording after a pause, a reboot or a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.commands import needed
from promptster.commands.options import JsonOption

if TYPE_CHECKING or needed.work:
    from promptster.clock import SystemClock
    from promptster.errors import SessionError
    from promptster.paths import Paths
    from promptster.replay.formatting import counted
    from promptster.session.current import Current
    from promptster.session.resuming import resume
    from promptster.session_folder.folder import SessionState
    from promptster.session_folder.wording import doing
    from promptster.times import until
    from promptster.ui.output import Output

if TYPE_CHECKING:
    from promptster.session_folder.control_messages import RecorderStatus
    from promptster.session_folder.folder import SessionFacts


def command(*, json: JsonOption = False) -> None:
    """Resume recording after a pause. Also restarts the recorder if it has stopped, such as after a reboot."""
    out = Output(json)
    current = Current.require(Paths.from_environment())
    facts = current.facts
    if facts.state is SessionState.CLOSED:
        raise SessionError("nothing to resume: you submitted this session", code="session_over")
    if facts.state.ended:
        raise SessionError(f"nothing to resume: the session {doing(facts.state)}", code="session_over")
    status = resume(current)
    out.result({"session": facts.session, "state": status.state.value, "port": status.port, "events": status.events})
    if not json:
        for line in _lines(facts, status):
            out.say(line)


def _lines(facts: SessionFacts, status: RecorderStatus) -> list[str]:
    now = SystemClock().wall_ms()
    if not status.state.records:
        return [
            f"The recorder is running again; the session {doing(status.state)}.",
            "Run `promptster submit` to finish.",
        ]
    if facts.time_is_over(now):
        return ["Time is up. Agents are no longer recorded.", "Run `promptster submit` to submit your work."]
    word = "Recording" if status.state is SessionState.RECORDING else f"The session {doing(status.state)}"
    time = f" {until(facts.record_until, now)}" if facts.record_until else ""
    return [f"{word}{time}. {counted(status.events, 'event')} so far."]
