"""Edits of Claude Code: its hooks report what is on the disk, and its arguments are passages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.helpers.capturing import recorded_hooks

from promptster.agents.claude.edits import edits_done, edits_from_input
from promptster.capture.providers.interface import ToolUse

REAL = recorded_hooks("claude", "2.1.330", "edits")
"""Payloads of a real run, each with its file's content afterwards."""


@pytest.mark.parametrize("line", REAL, ids=[str(line["payload"]["tool_input"]).split("/")[2][:9] for line in REAL])
def test_the_text_after_is_what_stands_on_the_disk(line: dict[str, Any]) -> None:
    """It is equal except for line endings (hooks report line feeds), deletions, quotes, tabs and new files."""
    payload = line["payload"]
    call = ToolUse(id="t", name=payload["tool_name"], input=payload["tool_input"])
    (edit,) = edits_done(call, payload["tool_response"])
    if call.name == "NotebookEdit":
        assert edit.after in _cells(line["on_disk"])
        assert edit.before in {None, *_cells(payload["tool_response"]["original_file"])}
        assert f"@@ cell {payload['tool_response']['cell_id']}, " in str(edit.patch)
        return
    assert edit.after == line["on_disk"].replace("\r\n", "\n")
    before = payload["tool_response"].get("originalFile", payload["tool_response"].get("original_file"))
    made = edit.operation == "create"
    assert edit.before == (None if made else before)
    assert "@@ -" in str(edit.patch)


def _cells(notebook: str) -> set[str]:
    """The content of a notebook's cells."""
    return {"".join(cell["source"]) for cell in json.loads(notebook)["cells"]}


def _done(tool: str, given: dict[str, Any], **response: Any) -> list[tuple[Any, ...]]:
    call = ToolUse(id="t", name=tool, input={"file_path": "/w/a", **given})
    edits = edits_done(call, {"filePath": "/w/a", **response}) if response else edits_from_input(call)
    return [(edit.operation, edit.before, edit.after, edit.patch) for edit in edits]


HEAD = "--- a/w/a\n+++ b/w/a\n"
ONE_LINE: Any = {"oldStart": 2, "oldLines": 1, "newStart": 2, "newLines": 1, "lines": ["-b", "+c"]}


def test_a_patch_without_the_file_is_all_that_is_known_of_it() -> None:
    """The agent's patch saw the whole file, so it is used without the passages, which did not."""
    given = {"old_string": "b", "new_string": "c"}
    (edit,) = _done("Edit", given, oldString="b", newString="c", originalFile=None, structuredPatch=[ONE_LINE])
    assert edit == ("modify", None, None, f"{HEAD}@@ -2,1 +2,1 @@\n-b\n+c\n")


def test_a_patch_that_the_texts_contradict_makes_the_text_after() -> None:
    """What was replaced was changed meanwhile, as by a person: the patch knows."""
    (edit,) = _done(
        "Edit", {}, oldString="b", newString="x", originalFile="a\nb\n", structuredPatch=[ONE_LINE], userModified=True
    )
    assert edit == ("modify", "a\nb\n", "a\nc\n", f"{HEAD}@@ -1,2 +1,2 @@\n a\n-b\n+c\n")
    odd = {**ONE_LINE, "lines": ["-nowhere", "+c"]}
    (edit,) = _done("Edit", {}, oldString="b", newString="x", originalFile="a\nb\n", structuredPatch=[odd])
    assert edit == ("modify", "a\nb\n", None, f"{HEAD}@@ -2,1 +2,1 @@\n-nowhere\n+c\n")


def test_a_response_that_tells_nothing_leaves_the_arguments() -> None:
    """Without file and patch only the passages are known."""
    assert _done("Edit", {"old_string": "b", "new_string": "c"}, success=True) == [
        ("modify", "b", "c", f"{HEAD}@@\n-b\n+c\n")
    ]


def test_several_edits_of_one_call_are_one_edit_of_the_file() -> None:
    """It is whole if the file is reported, has a hunk for each passage if not, and is a new file if there was none."""
    edits = [{"old_string": "a", "new_string": "A"}, {"old_string": "A\nb", "new_string": "A\nB"}]
    assert _done("MultiEdit", {"edits": edits}) == [
        ("modify", "a\nA\nb", "A\nA\nB", f"{HEAD}@@\n-a\n+A\n@@\n A\n-b\n+B\n")
    ]
    assert _done("MultiEdit", {"edits": edits}, edits=edits, originalFileContents="a\nb\n") == [
        ("modify", "a\nb\n", "A\nB\n", f"{HEAD}@@ -1,2 +1,2 @@\n-a\n-b\n+A\n+B\n")
    ]
    made = [{"old_string": "", "new_string": "a\nb\n"}, {"old_string": "b", "new_string": "c"}]
    whole = ("create", None, "a\nc\n", f"{HEAD}@@ -0,0 +1,2 @@\n+a\n+c\n")
    assert _done("MultiEdit", {"edits": made}) == _done("MultiEdit", {"edits": made}, originalFile="") == [whole]


def test_a_file_that_was_empty_is_not_a_new_one() -> None:
    """An update says that the file existed, with nothing in it."""
    patch: Any = {"oldStart": 1, "oldLines": 0, "newStart": 1, "newLines": 1, "lines": ["+x"]}
    (edit,) = _done("Write", {}, type="update", content="x\n", originalFile="", structuredPatch=[patch])
    assert edit == ("modify", "", "x\n", f"{HEAD}@@ -0,0 +1,1 @@\n+x\n")
    assert _done("Write", {}, type="update", content="x\n", originalFile=None) == [("modify", None, "x\n", None)]


def test_a_cell_from_its_arguments_is_a_part_of_a_notebook() -> None:
    """An inserted cell is added; of a replaced one only the new text is known; of a deleted one only the cell."""
    told = {"notebook_path": "/w/a", "new_source": "x = 1", "cell_id": "c1"}
    added, other = "@@ a new cell after cell c1, inserted\n+x = 1\n", "@@ cell c1, replaced\n"
    assert _done("NotebookEdit", {**told, "edit_mode": "insert"}) == [("modify", None, "x = 1", HEAD + added)]
    assert _done("NotebookEdit", told) == [("modify", None, "x = 1", HEAD + other)]
    gone = _done("NotebookEdit", {**told, "edit_mode": "delete"})
    assert gone == [("modify", None, None, f"{HEAD}@@ cell c1, deleted\n")]
    first = _done("NotebookEdit", {"notebook_path": "/w/a", "new_source": "x", "edit_mode": "insert"})
    assert first == [("modify", None, "x", f"{HEAD}@@ a new cell, inserted\n+x\n")]
    failed = {"notebook_path": "/w/a", "original_file": "{}", "updated_file": "{}", "error": "no such cell"}
    assert _done("NotebookEdit", told, **failed) == []


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            {"edit_mode": "replace", "old_source": "a\nb", "new_source": "a\nc"},
            ("a\nb", "a\nc", "replaced\n a\n-b\n+c\n"),
        ),
        ({"edit_mode": "delete", "old_source": "bye", "new_source": ""}, ("bye", None, "deleted\n-bye\n")),
        ({"edit_mode": "insert", "new_source": "# t\nhi"}, (None, "# t\nhi", "inserted\n+# t\n+hi\n")),
        ({"edit_mode": "replace", "old_source": "", "new_source": ""}, ("", "", "replaced\n")),
    ],
)
def test_a_cell_that_the_hook_tells(told: dict[str, Any], expected: tuple[str | None, str | None, str]) -> None:
    """The edit has before and after of the cell alone, its id and what happened to it."""
    (edit,) = _done("NotebookEdit", {}, notebook_path="/w/a", cell_id="c 1\n", **told)
    assert edit == ("modify", *expected[:2], f"{HEAD}@@ cell c 1, {expected[2]}")


def test_a_huge_file_keeps_the_patch_of_the_agent() -> None:
    """If comparing takes too long, the agent's own patch is used."""
    before = "".join(f"{number}\n" for number in range(60_000))
    hunk: Any = {"oldStart": 30_001, "oldLines": 1, "newStart": 30_001, "newLines": 1, "lines": ["-30000", "+x"]}
    (edit,) = _done("Edit", {}, oldString="30000", newString="x", originalFile=before, structuredPatch=[hunk])
    assert edit == ("modify", before, before.replace("30000", "x"), f"{HEAD}@@ -30001,1 +30001,1 @@\n-30000\n+x\n")


@pytest.mark.parametrize(
    ("before", "old", "new", "lines", "after"),
    [
        ("b x\n", " x", "", ["-b x", "+b", "\\ No newline at end of file"], "b"),
        ("b", "b", "“c”\n", ["-b", "\\ No newline at end of file", "+c"], "c\n"),
        ("b\n", "b\n", "“c”", ["-b", "+c", "\\ No newline at end of file"], "c"),
        ("b", "b", "c", ["-b", "\\ No newline at end of file", "+c", "\\ No newline at end of file"], "c"),
    ],
)
def test_the_patch_knows_how_the_file_ends(before: str, old: str, new: str, lines: list[str], after: str) -> None:
    """A deletion may include the last newline, and what was changed meanwhile may bring or lack one."""
    hunk = {"oldStart": 1, "oldLines": 1, "newStart": 1, "newLines": 1, "lines": lines}
    (edit,) = _done("Edit", {}, oldString=old, newString=new, originalFile=before, structuredPatch=[hunk])
    assert edit == ("modify", before, after, "\n".join([f"{HEAD}@@ -1,1 +1,1 @@", *lines, ""]))


def test_tabs_after_what_javascript_takes_for_a_lines_end_are_spaces_in_a_patch_too() -> None:
    """A separator of Unicode or a lone carriage return does not keep the text after from being reported."""
    before = "\u2028\tb\n\u2029\tb\nx\r\t\ty\td\n"
    hunk = {"oldStart": 1, "oldLines": 3, "newStart": 1, "newLines": 2}
    lines = [" \u2028  b", "-\u2029  b", "-x\r    y\td", "+\u2029  cx\r    y\td"]
    given = {"oldString": "b\nx", "newString": "cx", "structuredPatch": [{**hunk, "lines": lines}]}
    (edit,) = _done("Edit", {}, originalFile=before, **given)
    assert edit[:3] == ("modify", before, "\u2028\tb\n\u2029\tcx\r\t\ty\td\n")


def test_a_file_of_nothing_but_a_byte_order_mark_is_filled_after_it() -> None:
    """The patch has two spaces for each tab; the text after has the tabs."""
    hunk = {"oldStart": 1, "oldLines": 1, "newStart": 1, "newLines": 1}
    lines = ["-\ufeff", "\\ No newline at end of file", "+\ufeffa", "+  b"]
    patch = [{**hunk, "newLines": 2, "lines": lines}]
    (edit,) = _done("Edit", {}, oldString="", newString="a\n\tb\n", originalFile="\ufeff", structuredPatch=patch)
    assert edit[:3] == ("modify", "\ufeff", "\ufeffa\n\tb\n")


def test_a_line_that_may_have_gone_altogether_is_a_passage_where_no_patch_tells() -> None:
    """The agent removes the end of a deleted line too; without its patch it is unknown whether this version did."""
    (edit,) = _done("Edit", {"old_string": "b", "new_string": ""}, oldString="b", newString="", originalFile="a\nb\nc")
    assert edit == ("modify", "b", "", f"{HEAD}@@\n-b\n")
    (edit,) = _done("Edit", {"old_string": "c", "new_string": ""}, oldString="c", newString="", originalFile="a\nb\nc")
    assert edit[:3] == ("modify", "a\nb\nc", "a\nb\n")
