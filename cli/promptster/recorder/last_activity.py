"""The last thing that was recorded of an agent, for whoever asks how the recording stands.

The recorder keeps it as events come, and restores it from the journal once when it starts: nobody's question reads the
journal. Only the person at work hears of it, over the control socket.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from promptster.protocol.events.kinds import AGENT_KINDS, Kind
from promptster.session_folder.wording import MACHINE

_SUBJECT = 60
"""Characters of a subject that are kept."""
_QUIET = frozenset({Kind.AGENT_OTHER, Kind.TOOL_RESULT})
"""What tells nothing beside the event before it."""


class LastActivity:
    """What an agent did last, and since when the session is paused."""

    def __init__(self) -> None:
        """Nothing was recorded yet."""
        self._last: dict[str, Any] = {}
        self.paused_ms = 0
        """Wall clock of the last pause that goes on; 0 while there is none."""

    def see(self, kind: str, ms: int, fields: Mapping[str, object]) -> None:
        """An event was recorded."""
        if kind == Kind.PAUSED:
            self.paused_ms = self.paused_ms or ms
        elif kind == Kind.RESUMED:
            self.paused_ms = 0
        elif kind in AGENT_KINDS and kind not in _QUIET:
            self._last = {
                "kind": str(kind),
                "ms": ms,
                "agent": _text(fields, "agent"),
                "subject": _subject(kind, fields),
            }

    def document(self) -> dict[str, Any]:
        """``kind``, ``ms``, ``agent`` and ``subject`` of the last thing; empty while there is none."""
        return dict(self._last)


def _subject(kind: str, fields: Mapping[str, object]) -> str:
    """One line, cut, of what was acted on."""
    if kind == Kind.PROMPT:
        return MACHINE if fields.get("machine") is True else ""
    if kind == Kind.FILE_EDIT:
        return _cut(PurePosixPath(_text(fields, "path")).name)
    if kind == Kind.MODEL_RESPONSE:
        outcome = _text(fields, "outcome")
        return "" if outcome == "complete" else outcome
    if kind == Kind.COMMAND:
        return _cut(_text(fields, "command"))
    return _cut(_text(fields, "name")) if kind == Kind.TOOL_CALL else ""


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _cut(text: str) -> str:
    line = " ".join(text[: _SUBJECT * 4].split())
    return line if len(line) <= _SUBJECT and len(text) <= _SUBJECT * 4 else f"{line[: _SUBJECT - 3]}..."
