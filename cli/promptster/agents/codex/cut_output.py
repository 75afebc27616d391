"""Detects output that Codex cut, by the marks that it leaves.

The output is recorded as the agent passed it on; how much was cut is recorded as a separate event.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from promptster.capture import actions
from promptster.protocol.events.kinds import AgentEvent

if TYPE_CHECKING:
    from collections.abc import Sequence


_MARK = re.compile(r"\u2026(\d{1,12}) (tokens|chars) truncated\u2026")
_BEGINNING = re.compile(
    r"original token count: (\d{1,12})|^Total output lines: (\d{1,12})$", re.IGNORECASE | re.MULTILINE
)
_HEAD = 400
"""The number of characters at the beginning in which Codex describes the output."""


def cut_output(tool_use_id: str, text: str) -> Sequence[AgentEvent]:
    """What Codex cut from an output, as stated at the output's beginning and in its middle."""
    heads = list(_BEGINNING.finditer(text[:_HEAD]))
    mark = _MARK.search(text)
    if not heads or mark is None:
        return []
    unit = "characters" if mark[2] == "chars" else "tokens"
    size = next((int(head[1]) for head in heads if head[1]), None)
    whole = {"size": size} if size is not None and unit == "tokens" else {}
    lines = next((int(head[2]) for head in heads if head[2]), None)
    return [
        actions.output_cut(
            tool_use_id, left_out=int(mark[1]), **whole, unit=unit, **({"lines": lines} if lines else {})
        )
    ]
