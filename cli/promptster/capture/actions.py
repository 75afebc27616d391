"""File edits and commands as events, and the patches that show them."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from promptster.protocol.events import kinds
from promptster.replay.differences import NO_NEWLINE, from_hunks, lines_of, unplaced
from promptster.replay.model import OUTPUT_CUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.capture.providers.interface import ToolUse
    from promptster.protocol.events.base import Json

_DIFF_LINES = 20_000
"""Most lines for which a patch is computed; the event has both texts in any case."""
_NO_COUNT = re.compile(r"(?<= )([-+]\d+)(?= )")
_CELL_NAME = 100
"""Most characters of a cell's id in a patch."""
_DONE_TO_CELLS = {"replace": "replaced", "insert": "inserted", "delete": "deleted"}
_DIFF_PAIRS = 4_000_000
"""Most pairs of changed lines for which a patch is computed: comparing more would block the recorder for seconds."""


def unified(path: str, before: str, after: str) -> str | None:
    """A unified diff of two whole texts, or ``None`` if they are equal or too large to compare."""
    lines = _compared(path, before, after)
    ended = (line if line.endswith("\n") else f"{line}\n{NO_NEWLINE}\n" for line in lines)
    return "".join(ended) or None


def passages(path: str, pairs: Sequence[tuple[str, str]]) -> str | None:
    """A diff of passages at an unknown position in their file: its hunks have no line numbers and no end of file.

    ``None`` if the passages are equal or too large to compare.
    """
    hunks: list[str] = []
    for before, after in pairs:
        lines = [line.removesuffix("\n") for line in _compared(path, before, after)]
        if before != after and not lines:
            return None
        hunks += unplaced(lines[2:])
    return "\n".join([*_names(path), *hunks, ""]) if hunks else None


def _compared(path: str, before: str, after: str) -> list[str]:
    """The lines of a unified diff; empty if the texts are equal or too large to compare."""
    old, new = lines_of(before), lines_of(after)
    if before == after or len(old) + len(new) > _DIFF_LINES or _pairs(old, new) > _DIFF_PAIRS:
        return []
    _, _, *hunks = difflib.unified_diff(old, new)
    heads = (f"{name}\n" for name in _names(path))
    return [*heads, *(_counted(line) if line.startswith("@@") else line for line in hunks)]


def _counted(head: str) -> str:
    """A hunk's header with explicit counts, including counts of 1, as agents write it."""
    return _NO_COUNT.sub(r"\1,1", head)


def _names(path: str) -> tuple[str, str]:
    name = path.lstrip("/")
    return f"--- a/{name}", f"+++ b/{name}"


def _pairs(old: Sequence[str], new: Sequence[str]) -> int:
    """The number of pairs of lines between the common beginning and the common end of both texts."""
    shorter = min(len(old), len(new))
    head = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    tail = next((at for at in range(shorter - head) if old[-1 - at] != new[-1 - at]), shorter - head)
    return (len(old) - head - tail) * (len(new) - head - tail)


def file_edit(
    *,
    tool_use_id: str,
    path: str,
    operation: str,
    before: str | None,
    after: str | None,
    patch: str | None,
) -> kinds.FileEdit:
    """An edit of one file.

    ``before`` and ``after`` are the whole file if it is known, else the passages that changed; ``None`` if the file did
    not exist or its content is unknown. The patch shows which: hunks have line numbers only for a whole file.
    """
    return kinds.FileEdit(
        tool_use_id=tool_use_id or None,
        path=path,
        operation=operation,
        before=before,
        after=after,
        patch=patch or None,
    )


def replaced_passages(*, tool_use_id: str, path: str, pairs: Sequence[tuple[str, str]]) -> kinds.FileEdit:
    """An edit of which only the replaced passages and their replacements are known."""
    before, after = ("\n".join(texts) for texts in zip(*pairs, strict=True))
    return file_edit(
        tool_use_id=tool_use_id,
        path=path,
        operation="modify",
        before=before if any(old for old, _ in pairs) else None,
        after=after,
        patch=passages(path, pairs),
    )


def edited_cell(
    *, tool_use_id: str, path: str, cell: str, mode: str, before: str | None, after: str | None, is_known: bool = True
) -> kinds.FileEdit:
    """An edit of one notebook cell: the texts are the cell's, and the patch names the cell and the kind of change.

    Args:
        tool_use_id: the call.
        path: the notebook.
        cell: the cell's id; for a new cell without a known id, the id of the cell before it.
        mode: replace, insert or delete.
        before: the cell's text before, if known.
        after: its text after.
        is_known: whether ``cell`` is the cell's own id and ``before`` is its whole text.
    """
    named = f"cell {' '.join(cell.split())[:_CELL_NAME]}" if cell.strip() else "a cell"
    if mode == "insert" and not is_known:
        named = f"a new cell after {named}" if cell.strip() else "a new cell"
    head = f"@@ {named}, {_DONE_TO_CELLS.get(mode, 'replaced')}"
    lines = _compared(path, before or "", after or "") if is_known or mode == "insert" else []
    hunks = [head if line == "@@" else line for line in unplaced([line.removesuffix("\n") for line in lines[2:]])]
    return file_edit(
        tool_use_id=tool_use_id,
        path=path,
        operation="modify",
        before=before,
        after=after,
        patch="\n".join([*_names(path), *(hunks or [head]), ""]),
    )


def created_file(*, tool_use_id: str, path: str, content: str) -> kinds.FileEdit:
    """A new file with its whole content."""
    return file_edit(
        tool_use_id=tool_use_id,
        path=path,
        operation="create",
        before=None,
        after=content,
        patch=unified(path, "", content),
    )


def command(
    *,
    tool_use_id: str,
    command: str,
    cwd: str | None = None,
    exit_code: int | None = None,
    output: str | None = None,
    error_output: str | None = None,
    is_error: bool | None = None,
    duration_ms: Json = None,
) -> kinds.Command:
    """A command that ran; ``exit_code`` only if the agent reported it."""
    return kinds.Command(
        tool_use_id=tool_use_id or None,
        command=command,
        cwd=cwd or None,
        exit_code=exit_code,
        output=output,
        error_output=error_output or None,
        is_error=is_error,
        duration_ms=whole_ms(duration_ms),
    )


def tool_call(*, tool_use_id: str, name: str, given: Json) -> kinds.ToolCall:
    """A tool about to run."""
    return kinds.ToolCall(tool_use_id=tool_use_id or None, name=name, input=given)


def tool_result(
    *, tool_use_id: str, name: str, content: Json, is_error: bool | None, duration_ms: Json = None
) -> kinds.ToolResult:
    """The result of a tool call."""
    return kinds.ToolResult(
        tool_use_id=tool_use_id or None,
        name=name or None,
        content=content,
        is_error=is_error,
        duration_ms=whole_ms(duration_ms),
    )


def permission(*, decision: str, call: ToolUse, mode: str | None = None, is_named: bool = True) -> kinds.Permission:
    """A permission prompt to the candidate, or its answer.

    Args:
        decision: asked, allowed or denied.
        call: the tool call in question.
        mode: the agent's permission mode.
        is_named: whether the agent's report names the call by its id.
    """
    return kinds.Permission(
        tool_use_id=(call.id or None) if is_named else None,
        name=call.name or None,
        input=call.input,
        decision=decision,
        mode=mode,
    )


def output_cut(tool_use_id: str, **facts: int | str) -> kinds.AgentOther:
    """How much of a call's output the agent left out."""
    payload = {"tool_use_id": tool_use_id, **facts}
    return kinds.AgentOther(raw_kind=OUTPUT_CUT, payload=payload)


def whole_ms(value: Json) -> int | None:
    """Milliseconds as a whole number, or ``None`` if the value is not a plausible duration."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return round(value) if 0 <= value < 1e12 else None  # noqa: PLR2004 - thirty years


def exit_code(value: Json) -> int | None:
    """An exit code, or ``None`` if the value cannot be one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 32 else None


def hunks_as_patch(path: str, hunks: Sequence[Json]) -> str | None:
    """A unified diff from hunks of the shape {oldStart, oldLines, newStart, newLines, lines}."""
    lines = from_hunks(hunks)
    return "\n".join([*_names(path), *lines, ""]) if lines else None
