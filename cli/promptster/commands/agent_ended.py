"""The lines after an agent ended: what was recorded of it and how to continue. Not a command of its own.

``promptster.system.agent_waiter`` runs ``python -m promptster.commands.agent_ended AGENT SINCE CODE`` if standard error
is a terminal. It never fails, so that the agent's own exit code is kept.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from promptster import times
from promptster.agents.registry import launches, program_facts
from promptster.clock import SystemClock
from promptster.errors import PromptsterError
from promptster.paths import Paths
from promptster.session.current import Current
from promptster.session.launch.launcher import SHIMS_VARIABLE
from promptster.session.launch.run_record import read_run
from promptster.session_folder.folder import SessionState
from promptster.session_folder.wording import doing
from promptster.ui.output import Output

if TYPE_CHECKING:
    from promptster.session.launch.run_record import RunRecord
    from promptster.session_folder.folder import SessionFacts


def main(arguments: list[str]) -> int:
    """Print the lines for ``AGENT SINCE CODE``."""
    name, since = arguments[0], int(arguments[1])
    out = Output(False)
    with contextlib.suppress(PromptsterError, OSError):
        for line in _lines(name, since):
            out.note(line)
    return 0


def _lines(name: str, since: int) -> list[str]:
    current = Current.find(Paths.from_environment())
    if current is None:
        return [f"{name} ended."]
    facts = current.facts
    if not facts.state.records:
        return [f"{name} ended. The session {doing(facts.state)}, so nothing more is recorded."]
    if current.recorder_status() is None:
        return [
            f"{name} ended. Not recording: the recorder has stopped. What it recorded is kept.",
            "Run `promptster resume` to continue.",
        ]
    agent = launches(name)
    found = read_run(current, since, program_facts(name).id)
    paused = facts.state is SessionState.PAUSED
    over = facts.time_is_over(SystemClock().wall_ms())
    lines = [f"{name} ended. {_told(found, off=paused or over)}"]
    if over:
        return [*lines, _last(facts)]  # neither resuming nor continuing would be recorded
    if paused:
        lines.append("The session is paused. To record again: promptster resume")
    if found.conversation:
        plain = " ".join((name, *agent.resume_words))
        beside = "" if os.environ.get(SHIMS_VARIABLE) else f" (plain {plain} is not)"
        lines.append(f"To continue this conversation, recorded{beside}:")
        lines.append(f"  promptster run {plain} {found.conversation}")
    lines.append(_last(facts))
    return lines


def _told(found: RunRecord, *, off: bool) -> str:
    if off and found.empty:
        return "Nothing was recorded."
    edits = f"edits to {_counted(found.files, 'file')}" if found.files else "no edits"
    return f"Recorded: {_counted(found.prompts, 'prompt')}, {_counted(found.tool_calls, 'tool call')}, {edits}."


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _last(facts: SessionFacts) -> str:
    now = SystemClock().wall_ms()
    if facts.time_is_over(now):
        return "Time is up. Agents are no longer recorded. To submit: promptster submit"
    if not facts.record_until:
        return "To submit: promptster submit"
    left = times.until(facts.record_until, now)
    return f"To submit: promptster submit. {left[:1].upper()}{left[1:]}."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
