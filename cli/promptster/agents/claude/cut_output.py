"""Detects output that Claude Code cut, by the marks that it leaves.

The output is recorded as the agent passed it on; how much was cut is recorded as a separate event.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from promptster.capture import actions
from promptster.capture.providers.interface import mapping
from promptster.protocol.events.kinds import AgentEvent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.protocol.events.base import Json

_IN_THE_MIDDLE = re.compile(r"^\.\.\. \[(\d{1,12}) (characters|lines) truncated\] \.\.\.$", re.MULTILINE)
"""Claude Code's mark between the beginning and the end of a long output."""
_KEPT_APART = re.compile(r"\A<persisted-output>\s*Output too large \(([^()\n]{1,40})\)")
"""What the model gets in place of an output that Claude Code wrote to a file."""


def cut_output(tool_use_id: str, text: str, *, kept_apart: int | None = None) -> Sequence[AgentEvent]:
    """What Claude Code cut from an output.

    Args:
        tool_use_id: the call.
        text: the output as it was passed on.
        kept_apart: the size of the whole output in bytes, if the hook reports that it is in a file.
    """
    if kept_apart is not None and kept_apart > len(text.encode("utf-8", "replace")):
        size = len(text.encode("utf-8", "replace"))
        return [actions.output_cut(tool_use_id, kept=size, size=kept_apart, unit="bytes")]
    if stated := _KEPT_APART.match(text):
        return [actions.output_cut(tool_use_id, told=stated[1])]
    gone = list(_IN_THE_MIDDLE.finditer(text))
    return [actions.output_cut(tool_use_id, left_out=int(gone[0][1]), unit=gone[0][2])] if len(gone) == 1 else []


def cut_listing(tool_use_id: str, response: Mapping[str, Json]) -> Sequence[AgentEvent]:
    """What Claude Code cut from a file that it read or from a list of files, as its hook reports.

    Args:
        tool_use_id: the call.
        response: the tool's response.
    """
    file = mapping(response.get("file"))
    if file.get("truncatedByTokenCap") is not True:
        return [actions.output_cut(tool_use_id)] if response.get("truncated") is True else []
    kept, size = file.get("numLines"), file.get("totalLines")
    if isinstance(kept, int) and isinstance(size, int) and kept < size:
        return [actions.output_cut(tool_use_id, kept=kept, size=size, unit="lines")]
    return [actions.output_cut(tool_use_id)]
