"""Output that an agent itself did not keep whole, in the words in which it says so.

How much there was is a fact of its own, told beside the command or the result: the output stands as the agent gave it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from promptster.capture.agent import Finding
from promptster.capture.providers.interface import mapping
from promptster.replay.model import OUTPUT_CUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.capture.providers.interface import Json

_IN_THE_MIDDLE = re.compile(r"^\.\.\. \[(\d{1,12}) (characters|lines) truncated\] \.\.\.$", re.MULTILINE)
"""Claude Code's mark between the beginning and the end of a long output."""
_KEPT_APART = re.compile(r"\A<persisted-output>\s*Output too large \(([^()\n]{1,40})\)")
"""What the model gets of an output that Claude Code wrote to a file."""
_CODEX_MARK = re.compile(r"\u2026(\d{1,12}) (tokens|chars) truncated\u2026")
_CODEX_HEAD = re.compile(
    r"original token count: (\d{1,12})|^Total output lines: (\d{1,12})$", re.IGNORECASE | re.MULTILINE
)
_HEAD = 400
"""Characters in which Codex says what an output was."""


def by_claude(tool_use_id: str, text: str, *, kept_apart: int | None = None) -> Sequence[Finding]:
    """What Claude Code left out of an output.

    Args:
        tool_use_id: the call.
        text: the output as it was given on.
        kept_apart: bytes of the whole output, where its hook says that it stands in a file.
    """
    if kept_apart is not None and kept_apart > len(text.encode("utf-8", "replace")):
        size = len(text.encode("utf-8", "replace"))
        return [_finding(tool_use_id, kept=size, size=kept_apart, unit="bytes")]
    if told := _KEPT_APART.match(text):
        return [_finding(tool_use_id, told=told[1])]
    gone = list(_IN_THE_MIDDLE.finditer(text))
    return [_finding(tool_use_id, left_out=int(gone[0][1]), unit=gone[0][2])] if len(gone) == 1 else []


def by_claudes_word(tool_use_id: str, response: Mapping[str, Json]) -> Sequence[Finding]:
    """What Claude Code says to its hook that it left out of a file that it read, or of a list of files.

    Args:
        tool_use_id: the call.
        response: what the tool gave.
    """
    file = mapping(response.get("file"))
    if file.get("truncatedByTokenCap") is not True:
        return [_finding(tool_use_id)] if response.get("truncated") is True else []
    kept, size = file.get("numLines"), file.get("totalLines")
    if isinstance(kept, int) and isinstance(size, int) and kept < size:
        return [_finding(tool_use_id, kept=kept, size=size, unit="lines")]
    return [_finding(tool_use_id)]


def by_codex(tool_use_id: str, text: str) -> Sequence[Finding]:
    """What Codex left out of an output; it says so at its beginning and in its middle."""
    heads = list(_CODEX_HEAD.finditer(text[:_HEAD]))
    mark = _CODEX_MARK.search(text)
    if not heads or mark is None:
        return []
    unit = "characters" if mark[2] == "chars" else "tokens"
    size = next((int(head[1]) for head in heads if head[1]), None)
    whole = {"size": size} if size is not None and unit == "tokens" else {}
    lines = next((int(head[2]) for head in heads if head[2]), None)
    return [_finding(tool_use_id, left_out=int(mark[1]), **whole, unit=unit, **({"lines": lines} if lines else {}))]


def _finding(tool_use_id: str, **facts: int | str) -> Finding:
    payload = {"tool_use_id": tool_use_id, **facts}
    return Finding(kind="agent_other", fields={"raw_kind": OUTPUT_CUT, "payload": payload})
