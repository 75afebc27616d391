"""The last recorded action of an agent, for ``promptster status``.

The recorder updates it with each event and restores it from the journal when it starts, so a status request never reads
the journal. It is available only to the candidate, through the control socket.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from promptster.protocol.events import kinds
from promptster.protocol.events.base import OfAgent
from promptster.protocol.events.choices import ResponseOutcome
from promptster.protocol.events.kinds import AgentEvent, Event
from promptster.session_folder.control_messages import LastAction
from promptster.session_folder.last_action import MACHINE

_SUBJECT = 60
"""Characters of a subject that are kept."""


class LastActivity:
    """What an agent did last, and since when the session has been paused."""

    def __init__(self) -> None:
        """Begin with no activity and no pause."""
        self.action: LastAction | None = None
        """The last action; ``None`` before the first."""
        self.paused_ms = 0
        """Wall-clock time at which the current pause began; 0 if the session is not paused."""

    def see(self, event: Event, ms: int) -> None:
        """Take a recorded event into account."""
        match event:
            case kinds.Paused():
                self.paused_ms = self.paused_ms or ms
            case kinds.Resumed():
                self.paused_ms = 0
            case kinds.AgentOther() | kinds.ToolResult():
                pass  # adds nothing to the event before it
            case OfAgent():
                self.action = LastAction(kind=event.kind, ms=ms, agent=event.agent or "", subject=_subject(event))
            case _:
                pass


def _subject(event: AgentEvent) -> str:
    """What the agent acted on, shortened to one line."""
    match event:
        case kinds.Prompt(machine=machine):
            return MACHINE if machine is True else ""
        case kinds.FileEdit(path=path):
            return _cut(PurePosixPath(path or "").name)
        case kinds.ModelResponse(outcome=outcome):
            return "" if outcome == ResponseOutcome.COMPLETE else outcome or ""
        case kinds.Command(command=command):
            return _cut(command or "")
        case kinds.ToolCall(name=name):
            return _cut(name or "")
        case _:
            return ""


def _cut(text: str) -> str:
    line = " ".join(text[: _SUBJECT * 4].split())
    return line if len(line) <= _SUBJECT and len(text) <= _SUBJECT * 4 else f"{line[: _SUBJECT - 3]}..."
