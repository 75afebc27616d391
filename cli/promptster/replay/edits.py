"""How much of a file those saw who report an edit, which report is believed, and the difference that is shown.

The text before, the text after and the patch of an edit belong together: they are taken from one report, the one that
saw most of the file. What a report saw is said in the report itself if the recorder that made it says so (a
patch of passages has hunks without line numbers), by what the agent's hook answered of the same call, and otherwise
by what its source and its agent are able to see.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from promptster.protocol.agents import CATALOGUE, EDIT_ANSWER
from promptster.protocol.events import Source
from promptster.protocol.events.kinds import FileEdit, ToolCall, ToolResult
from promptster.replay.differences import (
    LineKind,
    agrees,
    classify,
    is_comparable,
    passages,
    unified,
    unplaced,
    without_names,
)
from promptster.replay.json_values import as_list, as_object
from promptster.replay.model import Extent

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from promptster.protocol.events import OpenedEvent
    from promptster.replay.model import Entry

TEXTS = ("before", "after", "patch")
"""Fields of an edit that are believed or not as one."""

_PART = re.compile(r"^(?:@@(?! -\d)|\*\*\* (?!Add File: |Delete File: ))", re.MULTILINE)
"""A hunk without line numbers, or a section of the ``apply_patch`` language that changes a file."""
_COUNTED = re.compile(r"^@@ -\d+(?:,1 \+\d+,\d+|,\d+ \+\d+,1) @@", re.MULTILINE)
"""A count of 1 that is written: version 0.1 wrote it in patches of whole files only."""
_CHANGED = frozenset({LineKind.ADDED, LineKind.REMOVED})
_TEXT = _CHANGED | {LineKind.CONTEXT}
_SEE_NO_FILE = frozenset(agent.id for agent in CATALOGUE if not agent.sees_whole_files)
"""Agents that report of an existing file only what changed in it."""
_RANKS = {None: 0, Extent.PASSAGES: 1, Extent.WRITTEN: 2, Extent.FILE: 3}


@dataclass(frozen=True, slots=True)
class Calls:
    """What a session has on record of its tool calls, by their ids."""

    asked: defaultdict[str, list[ToolCall]] = field(default_factory=lambda: defaultdict(list))
    """The calls."""
    answered: defaultdict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    """What hooks reported of how they went, if that is a structure."""


def calls_of(events: Iterable[OpenedEvent]) -> Calls:
    """The tool calls of a session, and what hooks reported of them."""
    found = Calls()
    for event in events:
        match event.event:
            case ToolCall(tool_use_id=str(name)) as call:
                found.asked[name].append(call)
            case ToolResult(tool_use_id=str(name), content=content) if event.src == Source.HOOK:
                answer = as_object(content)
                found.answered[name] += [answer] if answer is not None else []
            case _:
                continue
    return found


def best_report(cluster: Sequence[OpenedEvent], calls: Calls) -> tuple[OpenedEvent, Extent | None]:
    """The report of an edit that saw most of the file, and how much; of equals the agent's own."""
    rated = [(event, extent_of(event, event.event, calls)) for event in cluster if isinstance(event.event, FileEdit)]
    return max(rated, key=lambda pair: (_worth(*pair), pair[0].src == Source.HOOK))


def _worth(event: OpenedEvent, extent: Extent | None) -> tuple[int, int]:
    """How much of the file a report shows, and how many texts it shows in full; less than any other if it has none."""
    shown = [name for name in TEXTS if name in event.fields]
    return (_RANKS[extent] if shown else 0), sum(1 for name in shown if name not in event.cut)


def extent_of(event: OpenedEvent, edit: FileEdit, calls: Calls) -> Extent | None:
    """How much of the file a report of an edit shows; ``None`` if it shows nothing of it."""
    said = event.fields.keys() | event.withheld
    if said.isdisjoint(TEXTS):
        return None
    if edit.patch is not None and _PART.search(edit.patch):
        return Extent.PASSAGES
    if edit.operation in {"create", "delete"}:
        return Extent.FILE
    if "before" in said and event.src != Source.PROXY and edit.agent not in _SEE_NO_FILE:
        return Extent.FILE if _saw_file(event, edit, calls) else Extent.PASSAGES
    if "before" in said or edit.agent in _SEE_NO_FILE or _of_notebook(edit, calls):
        return Extent.PASSAGES
    return Extent.FILE if "patch" in said and event.src != Source.PROXY else Extent.WRITTEN


def _saw_file(event: OpenedEvent, edit: FileEdit, calls: Calls) -> bool:
    """Whether the text before the edit, which a report has, is the whole file.

    What the hook answered of the call decides if it is on record: the file that was there is in it, or is not. A
    file may hold nothing but the passage that was asked for.
    """
    told = calls.answered.get(edit.tool_use_id or "", ())
    answers = [
        answer
        for answer in told
        if edit.path in {answer.get(name) for name in EDIT_ANSWER.paths if _string(answer, name)}
    ]
    originals = {
        answer[name] for answer in answers for name in EDIT_ANSWER.originals if isinstance(answer.get(name), str)
    }
    if answers and not originals:
        return False
    return (bool(originals) and _may_be(event, "before", originals)) or not _repeats(event, edit, calls)


def _repeats(event: OpenedEvent, edit: FileEdit, calls: Calls) -> bool:
    """Whether a report has nothing but the passages that its call asked to replace."""
    if (edit.patch is not None and _COUNTED.search(edit.patch)) or {"before", "after"} <= event.withheld:
        return False
    for call in calls.asked.get(edit.tool_use_id or "", ()):
        given = as_object(call.input) or {}
        edits = [(_string(edit, "old_string"), _string(edit, "new_string")) for edit in as_list(given.get("edits"))]
        joined = [("\n".join(old for old, _ in edits), "\n".join(new for _, new in edits))] if edits else []
        for old, new in [(_string(given, "old_string"), _string(given, "new_string")), *edits, *joined]:
            if _may_be(event, "before", {old}) and _may_be(event, "after", {new}):
                return True
    return False


def _may_be(event: OpenedEvent, name: str, texts: Collection[str]) -> bool:
    """Whether a text of a report is one of some, as far as the record still has it; no text is an empty one."""
    return name in event.withheld or (_text(event.fields, name) or "") in texts


def _string(given: object, name: str) -> str:
    return _text(as_object(given) or {}, name) or ""


def _of_notebook(edit: FileEdit, calls: Calls) -> bool:
    """Whether a text is that of a notebook's cell."""
    named = {call.name for call in calls.asked.get(edit.tool_use_id or "", ())}
    return "NotebookEdit" in named or (not named and (edit.path or "").endswith(".ipynb"))


def edit_diff(entry: Entry) -> str | None:
    """The difference that a ``file_edit`` made; ``None`` where the record does not say."""
    gone = {*entry.cut, *entry.withheld}
    return shown_diff({name: value for name, value in entry.fields.items() if name not in gone}, entry.extent, gone)


def shown_diff(fields: Mapping[str, Any], extent: Extent | None, unknown: Collection[str] = ()) -> str | None:
    """The difference of one report.

    Args:
        fields: what it says.
        extent: how much of the file they are.
        unknown: texts that there were, and that are not, or not in full, on record.
    """
    before, after, patch = (_text(fields, name) for name in TEXTS)
    is_known = "before" not in unknown and "after" not in unknown
    if extent is Extent.FILE and is_known and _tells_all(fields):
        return _without_returns(unified(before or "", after or "").split("\n"))
    if patch:
        lines = without_names(patch.removesuffix("\n").split("\n"))
        if _CHANGED.isdisjoint(classify(lines)):
            return None
        in_part = extent is Extent.PASSAGES
        return _without_returns(unplaced(lines) if in_part else lines, in_part=in_part)
    if extent is Extent.PASSAGES and is_known and before is not None:
        return _without_returns(passages([(before, after or "")]).split("\n"), in_part=True)
    return None


def _without_returns(lines: Sequence[str], *, in_part: bool = False) -> str:
    """A difference without the carriage returns that end all of its lines; if only some have one, they stay.

    Args:
        lines: the difference.
        in_part: whether its hunks are passages, which may end within a line.
    """
    kinds = classify(lines)
    ends = _last_lines(kinds) if in_part else frozenset[int]()
    told = [line for at, (line, kind) in enumerate(zip(lines, kinds, strict=True)) if kind in _TEXT and at not in ends]
    if any(line.endswith("\r") for line in lines) and all(line.endswith("\r") for line in told):
        lines = [line.removesuffix("\r") if kind in _TEXT else line for line, kind in zip(lines, kinds, strict=True)]
    return "\n".join(lines)


def _last_lines(kinds: Sequence[LineKind]) -> frozenset[int]:
    """The positions of each hunk's last lines, before and after."""
    found: set[int] = set()
    last: dict[LineKind, int] = {}
    for at, kind in enumerate([*kinds, LineKind.HUNK]):
        if kind is LineKind.HUNK:
            context = last.get(LineKind.CONTEXT, -1)
            found |= {max(context, last.get(changed, -1)) for changed in _CHANGED}
            last = {}
        elif kind in _TEXT:
            last[kind] = at
    return frozenset(found)


def _tells_all(fields: Mapping[str, Any]) -> bool:
    """Whether the two texts of a whole file show the change, at least as well as the patch does."""
    before, after, patch = (_text(fields, name) for name in TEXTS)
    if before is not None and after is not None:
        return not patch or (is_comparable(before, after) and agrees(before, after, patch))
    made, gone = fields.get("operation") == "create", fields.get("operation") == "delete"
    return (made and after is not None) or (gone and before is not None)


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) else None
