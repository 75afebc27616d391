"""``promptster pause``: pause the recording. The pause itself is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.commands import needed
from promptster.commands.options import JsonOption

if TYPE_CHECKING or needed.work:
    from promptster.clock import SystemClock
    from promptster.errors import SessionError
    from promptster.paths import Paths
    from promptster.session.current import Current
    from promptster.session_folder.folder import SessionState
    from promptster.session_folder.wording import doing
    from promptster.times import until
    from promptster.ui.output import Output


def command(*, json: JsonOption = False) -> None:
    """Pause the recording until you run promptster resume. Reviewers see that you paused, not what you did.

    The clock keeps running. If you continue the same conversation later, your agent may resend what was said in the
    pause, and that is recorded.
    """
    out = Output(json)
    current = Current.require(Paths.from_environment())
    facts = current.facts
    if facts.state is SessionState.CLOSED:
        raise SessionError("nothing to pause: you submitted this session", code="not_recording")
    if not facts.state.records:
        raise SessionError(f"nothing to pause: the session {doing(facts.state)}", code="not_recording")
    if facts.state is SessionState.PAUSED:
        raise SessionError(
            "the session is already paused", hint="Run `promptster resume` to continue.", code="cannot_pause"
        )
    current.control.pause()
    out.result({"session": facts.session, "state": SessionState.PAUSED.value})
    if json:
        return
    now = SystemClock().wall_ms()
    if facts.time_is_over(now):
        out.say("Paused. Time is up: agents are no longer recorded.")
        out.say("Run `promptster submit` to submit your work.")
        return
    out.say("Paused: nothing is being recorded; your agent keeps working.")
    if facts.record_until:
        out.say(f"The clock keeps running: {until(facts.record_until, now)}.")
    out.say("What is said now can be recorded later if you resume the same conversation.")
    out.say("Run `promptster resume` to continue.")
