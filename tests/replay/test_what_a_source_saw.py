"""What Claude Code's hooks and the proxy can have seen of a file: one way to report an edit per line, and its text.

If the hook saw the file, its report is the truth: the whole file, with line numbers. A source that saw only passages
says that they are a part of it, without numbers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.capturing import CaptureBench
from tests.helpers.sessions import CLAUDE, Script

from promptster.agents.registry import readers
from promptster.capture.providers.interface import ToolReturn, ToolUse
from promptster.protocol.events.base import fields_of
from promptster.replay.edits import edit_diff
from promptster.replay.model import Extent
from promptster.replay.narration import narrate
from promptster.replay.timeline import build

if TYPE_CHECKING:
    from promptster.replay.model import Entry

FILE, WRITTEN, PASSAGES = Extent.FILE, Extent.WRITTEN, Extent.PASSAGES
NO_END = "\n\\ No newline at end of file"
PART = "part of the file"
PATH = "/w/a.txt"


@dataclass(frozen=True, kw_only=True)
class ReportedEdit:
    """One way to report an edit, and what is right."""

    tool: str = "Edit"
    given: dict[str, Any]
    """The tool's arguments, which is all that the proxy sees."""
    answer: dict[str, Any]
    """What the hook's response has in addition to the path."""
    extent: Extent
    diff: str | None
    proxy: str | None
    """What the proxy alone can know."""
    proxy_extent: Extent = PASSAGES


def _edit(old: str, new: str, **more: Any) -> dict[str, Any]:
    return {"old_string": old, "new_string": new, **more}


def _answer(old: str, new: str, **more: Any) -> dict[str, Any]:
    return {"oldString": old, "newString": new, **more}


LINES = {
    "the passage is the whole file, two lines": ReportedEdit(
        given=_edit("a\nb", "a\nc"),
        answer=_answer("a\nb", "a\nc", originalFile="a\nb"),
        extent=FILE,
        diff=f"@@ -1,2 +1,2 @@\n a\n-b{NO_END}\n+c{NO_END}",
        proxy="@@\n a\n-b\n+c",
    ),
    "the passage is the whole file, with its last newline": ReportedEdit(
        given=_edit("a\nb\n", "a\nc\n"),
        answer=_answer("a\nb\n", "a\nc\n", originalFile="a\nb\n"),
        extent=FILE,
        diff="@@ -1,2 +1,2 @@\n a\n-b\n+c",
        proxy="@@\n a\n-b\n+c",
    ),
    "the passage is the whole file, one line": ReportedEdit(
        given=_edit("a", "b"),
        answer=_answer("a", "b", originalFile="a"),
        extent=FILE,
        diff=f"@@ -1 +1 @@\n-a{NO_END}\n+b{NO_END}",
        proxy="@@\n-a\n+b",
    ),
    "the whole file goes": ReportedEdit(
        given=_edit("a\nb\n", ""),
        answer=_answer("a\nb\n", "", originalFile="a\nb\n"),
        extent=FILE,
        diff="@@ -1,2 +0,0 @@\n-a\n-b",
        proxy="@@\n-a\n-b",
    ),
    "the whole file, and the agent's own patch": ReportedEdit(
        given=_edit("a\nb", "a\nc"),
        answer=_answer(
            "a\nb",
            "a\nc",
            originalFile="a\nb\n",
            structuredPatch=[
                {"oldStart": 1, "oldLines": 2, "newStart": 1, "newLines": 2, "lines": [" a", "-b", "+c"]},
            ],
        ),
        extent=FILE,
        diff="@@ -1,2 +1,2 @@\n a\n-b\n+c",
        proxy="@@\n a\n-b\n+c",
    ),
    "the passage stands once in the file": ReportedEdit(
        given=_edit("b", "c"),
        answer=_answer("b", "c", originalFile="a\nb\n"),
        extent=FILE,
        diff="@@ -1,2 +1,2 @@\n a\n-b\n+c",
        proxy="@@\n-b\n+c",
    ),
    "every place of the passage": ReportedEdit(
        given=_edit("b", "c", replace_all=True),
        answer=_answer("b", "c", originalFile="b\nb\n", replaceAll=True),
        extent=FILE,
        diff="@@ -1,2 +1,2 @@\n-b\n-b\n+c\n+c",
        proxy="@@\n-b\n+c",
    ),
    "every place, as only the arguments say": ReportedEdit(
        given=_edit("b", "c", replace_all=True),
        answer=_answer("b", "c", originalFile="b\nb\n"),
        extent=FILE,
        diff="@@ -1,2 +1,2 @@\n-b\n-b\n+c\n+c",
        proxy="@@\n-b\n+c",
    ),
    "one of two places, and nobody says which": ReportedEdit(
        given=_edit("b", "c"),
        answer=_answer("b", "c", originalFile="b\nb\n", replaceAll=False),
        extent=PASSAGES,
        diff="@@\n-b\n+c",
        proxy="@@\n-b\n+c",
    ),
    "the file does not have the passage": ReportedEdit(
        given=_edit("x\ny", "z"),
        answer=_answer("x\ny", "z", originalFile="a\nb\n"),
        extent=PASSAGES,
        diff="@@\n-x\n-y\n+z",
        proxy="@@\n-x\n-y\n+z",
    ),
    "the hook has no file": ReportedEdit(
        given=_edit("a\nb", "a\nc"),
        answer=_answer("a\nb", "a\nc", originalFile=None),
        extent=PASSAGES,
        diff="@@\n a\n-b\n+c",
        proxy="@@\n a\n-b\n+c",
    ),
    "line endings of the file and of the passage differ": ReportedEdit(
        given=_edit("b\nc", "B\nC"),
        answer=_answer("b\nc", "B\nC", originalFile="a\r\nb\r\nc\r\n"),
        extent=FILE,
        diff="@@ -1,3 +1,3 @@\n a\n-b\n-c\n+B\n+C",
        proxy="@@\n-b\n-c\n+B\n+C",
    ),
    "a byte order mark before the passage": ReportedEdit(
        given=_edit("a\nb\n", "a\nc\n"),
        answer=_answer("a\nb\n", "a\nc\n", originalFile="\ufeffa\nb\n"),
        extent=FILE,
        diff="@@ -1,2 +1,2 @@\n \ufeffa\n-b\n+c",
        proxy="@@\n a\n-b\n+c",
    ),
    "into a file of nothing": ReportedEdit(
        given=_edit("", "a\nb\n"),
        answer=_answer("", "a\nb\n", originalFile=""),
        extent=FILE,
        diff="@@ -0,0 +1,2 @@\n+a\n+b",
        proxy="@@ -0,0 +1,2 @@\n+a\n+b",
        proxy_extent=FILE,
    ),
    "several edits that are the whole file": ReportedEdit(
        tool="MultiEdit",
        given={"edits": [_edit("a", "A"), _edit("b", "B", replace_all=True)]},
        answer={"edits": [_edit("a", "A"), _edit("b", "B", replace_all=True)], "originalFileContents": "a\nb"},
        extent=FILE,
        diff=f"@@ -1,2 +1,2 @@\n-a\n-b{NO_END}\n+A\n+B{NO_END}",
        proxy="@@\n-a\n+A\n@@\n-b\n+B",
    ),
    "several edits, one of them everywhere": ReportedEdit(
        tool="MultiEdit",
        given={"edits": [_edit("b", "c", replace_all=True), _edit("a", "A")]},
        answer={"edits": [_edit("b", "c", replace_all=True), _edit("a", "A")], "originalFile": "a\nb\nb\n"},
        extent=FILE,
        diff="@@ -1,3 +1,3 @@\n-a\n-b\n-b\n+A\n+c\n+c",
        proxy="@@\n-b\n+c\n@@\n-a\n+A",
    ),
    "several edits, and no file": ReportedEdit(
        tool="MultiEdit",
        given={"edits": [_edit("a", "A"), _edit("b", "B")]},
        answer={"edits": [_edit("a", "A"), _edit("b", "B")]},
        extent=PASSAGES,
        diff="@@\n-a\n+A\n@@\n-b\n+B",
        proxy="@@\n-a\n+A\n@@\n-b\n+B",
    ),
    "a new file written": ReportedEdit(
        tool="Write",
        given={"content": "a\nb"},
        answer={"type": "create", "content": "a\nb", "originalFile": None, "structuredPatch": []},
        extent=FILE,
        diff=f"@@ -0,0 +1,2 @@\n+a\n+b{NO_END}",
        proxy=None,
        proxy_extent=WRITTEN,
    ),
    "written over, and the file is told": ReportedEdit(
        tool="Write",
        given={"content": "a\nc"},
        answer={"type": "update", "content": "a\nc", "originalFile": "a\nb\n"},
        extent=FILE,
        diff=f"@@ -1,2 +1,2 @@\n a\n-b\n+c{NO_END}",
        proxy=None,
        proxy_extent=WRITTEN,
    ),
    "written over a file of nothing": ReportedEdit(
        tool="Write",
        given={"content": "a\n"},
        answer={"type": "update", "content": "a\n", "originalFile": ""},
        extent=FILE,
        diff="@@ -0,0 +1 @@\n+a",
        proxy=None,
        proxy_extent=WRITTEN,
    ),
    "written over, and what was there is not told": ReportedEdit(
        tool="Write",
        given={"content": "a\n"},
        answer={"type": "update", "content": "a\n", "originalFile": None},
        extent=WRITTEN,
        diff=None,
        proxy=None,
        proxy_extent=WRITTEN,
    ),
    "written, and nothing is told": ReportedEdit(
        tool="Write",
        given={"content": "a\n"},
        answer={},
        extent=WRITTEN,
        diff=None,
        proxy=None,
        proxy_extent=WRITTEN,
    ),
}


def _record(line: ReportedEdit, sources: tuple[str, ...]) -> Script:
    """The record of the edit as some sources saw it."""
    script, bench = Script(), CaptureBench()
    given = {"file_path": PATH, **line.given}
    if "hook" in sources:
        response = {"tool_response": {"filePath": PATH, **line.answer}}
        for name, more in (("PreToolUse", {}), ("PostToolUse", response)):
            payload = {"hook_event_name": name, "session_id": "s", "tool_name": line.tool, "tool_use_id": "t"}
            bench.capture.hook("claude", json.dumps({**payload, "tool_input": given, **more}).encode())
    for event in bench.recorded():
        script.add(event.src, event.kind, lane=1, **event.fields)
    if "proxy" in sources:
        call = ToolUse(id="t", name=line.tool, input=given)
        script.add("proxy", "tool_call", lane=1, tool_use_id="t", name=line.tool, input=given, **CLAUDE)
        for finding in readers().requests("claude").actions(call, ToolReturn(id="t", text="The file has been updated")):
            said: dict[str, Any] = fields_of(finding)
            script.add("proxy", finding.kind, lane=1, **said, **CLAUDE)
    return script


def _only(script: Script) -> Entry:
    (entry,) = (entry for entry in build(script.events).entries if entry.kind == "file_edit")
    return entry


def _is_part(entry: Entry) -> bool:
    return any(passage.label.startswith(PART) for passage in narrate(entry).passages)


@pytest.mark.parametrize("sources", [("hook",), ("hook", "proxy")], ids=["hook", "both"])
@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_what_the_hook_saw_is_told(line: ReportedEdit, sources: tuple[str, ...]) -> None:
    """It is the whole file with its numbers if the hook saw it, and a part without numbers if not."""
    entry = _only(_record(line, sources))
    assert (entry.extent, edit_diff(entry)) == (line.extent, line.diff)
    assert _is_part(entry) == (line.extent is PASSAGES)


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_what_the_proxy_alone_saw_is_a_part(line: ReportedEdit) -> None:
    """The proxy sees the arguments: only what was replaced, or the whole of a file that they make or write."""
    entry = _only(_record(line, ("proxy",)))
    assert (entry.extent, edit_diff(entry)) == (line.proxy_extent, line.proxy)
    assert _is_part(entry) == (line.proxy_extent is PASSAGES)


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_the_three_texts_are_one_sources(line: ReportedEdit) -> None:
    """The texts from both sources together are those that one of them has alone."""
    both = _only(_record(line, ("hook", "proxy"))).fields
    alone = [_only(_record(line, (source,))).fields for source in ("hook", "proxy")]
    names = ("before", "after", "patch")
    assert [both.get(name) for name in names] in [[fields.get(name) for name in names] for fields in alone]


def _added(**fields: Any) -> Entry:
    """A report of an edit as version 0.1 made it, which numbered passages from line 1 too."""
    script = Script()
    for call in ("t", "u"):
        script.add("hook", "tool_call", name="Edit", tool_use_id=call, input=_edit("a\nb", "a\nc"), **CLAUDE)
    script.add("hook", "tool_result", tool_use_id="u", content={"filePath": PATH, "originalFile": "a\nb"}, **CLAUDE)
    patch = "--- a/w/a.txt\n+++ b/w/a.txt\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    answer = fields.pop("answer", None)
    if answer is not None:
        script.add("hook", "tool_result", tool_use_id="t", content=answer, **CLAUDE)
    report: dict[str, Any] = {"before": "a\nb", "after": "a\nc", "patch": patch, **fields}
    script.add(
        "hook",
        "file_edit",
        tool_use_id="t",
        path=PATH,
        operation="modify",
        withheld=frozenset(name for name in ("before", "after") if report[name] is None),
        **{name: value for name, value in report.items() if value is not None},
        **CLAUDE,
    )
    return _only(script)


@pytest.mark.parametrize(
    ("fields", "extent"),
    [
        ({"answer": {"filePath": PATH, "originalFile": "a\nb"}}, FILE),
        ({"answer": {"filePath": PATH, "originalFile": "a\nb"}, "before": None}, FILE),
        ({"answer": {"filePath": PATH, "originalFile": "x\n"}}, PASSAGES),
        ({"answer": {"filePath": PATH}}, PASSAGES),
        ({"answer": {"filePath": PATH}, "before": None, "after": None}, PASSAGES),
        ({"answer": {"stdout": "of another call with this name"}}, PASSAGES),
        ({"answer": "told in words"}, PASSAGES),
        ({}, PASSAGES),
        ({"before": None}, PASSAGES),
        ({"after": None}, PASSAGES),
        ({"before": None, "after": "other"}, FILE),
        ({"before": "a\nb\nz\n", "after": "a\nc\nz\n"}, FILE),
    ],
)
def test_what_the_hook_answered_of_a_call_decides_in_records_of_0_1(fields: dict[str, Any], extent: Extent) -> None:
    """The file is in the answer or it is not; without an answer a report that repeats the call is a part."""
    entry = _added(**fields)
    assert entry.extent is extent
    diff = edit_diff(entry)
    assert diff is not None
    assert ("@@ -1,2 +1,2 @@" in diff or "@@ -1,3 +1,3 @@" in diff) == (extent is FILE)


@pytest.mark.parametrize("agent", ["codex", "cursor"])
@pytest.mark.parametrize("src", ["hook", "proxy"])
def test_an_agent_that_tells_passages_never_saw_the_file(agent: str, src: str) -> None:
    """This also holds if the patch that says so is missing: what is left of an edit is still a part."""
    script = Script()
    cases: list[tuple[str, dict[str, Any]]] = [("/w/a", {"before": "a", "after": "b"}), ("/w/b", {"after": "b"})]
    for path, texts in cases:
        script.add(src, "file_edit", path=path, operation="modify", agent=agent, withheld=frozenset({"patch"}), **texts)
    assert {entry.extent for entry in build(script.events).entries} == {PASSAGES}


def test_many_edits_that_were_too_long_to_compare_are_a_part() -> None:
    """Without a patch, the combined requests of a call with several edits are not a file."""
    script = Script()
    edits = [_edit("a", "A"), _edit("b", "B")]
    script.add("hook", "tool_call", name="MultiEdit", tool_use_id="t", input={"edits": edits}, **CLAUDE)
    script.add(
        "hook", "file_edit", tool_use_id="t", path="/w/a", operation="modify", before="a\nb", after="A\nB", **CLAUDE
    )
    assert _only(script).extent is PASSAGES
