"""Edits: their texts come from the one source that saw the file; passages are never shown as if they were the file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.capturing import RECORDINGS, CaptureBench, recorded_hooks
from tests.helpers.sessions import CLAUDE, Script

from promptster.agents.registry import readers
from promptster.capture.providers.interface import ToolReturn, ToolUse
from promptster.protocol.events.base import fields_of
from promptster.replay.edits import edit_diff
from promptster.replay.exporters import find
from promptster.replay.loading import from_opened
from promptster.replay.model import Extent
from promptster.replay.narration import Style, narrate
from promptster.replay.timeline import build

if TYPE_CHECKING:
    from collections.abc import Collection

    from promptster.replay.model import Entry

BOTH = ("proxy", "hook")
RECORDED = json.loads((RECORDINGS / "promptster-0.1" / "edits.json").read_bytes())
"""Tool calls and edits as version 0.1 recorded them from the recordings in the same folder."""
REPORTED = [line["payload"] for line in recorded_hooks("claude", "2.1.330", "edits")]
WHOLE = {
    "tabs.py": "@@ -1,4 +1,4 @@\n def f():\n \tif x:\n-\t\treturn 1\n+\t\treturn 3\n \treturn 2",
    "win.txt": "@@ -1,3 +1,3 @@\n alpha\n-beta\n+BETA\n gamma",
    "del.txt": "@@ -1,3 +1,2 @@\n one\n-two\n three",
    "nonl.txt": ("@@ -1,2 +1,2 @@\n one\n-two\n\\ No newline at end of file\n+TWO\n\\ No newline at end of file"),
    "quotes.txt": "@@ -1,2 +1,2 @@\n-say “hello” now\n+say “bye” now\n rest",
    "all.txt": "@@ -1,3 +1,3 @@\n-a x a\n+A x A\n b\n-a\n+A",
    "old.txt": "@@ -1,2 +1,2 @@\n-old\n-content\n+new\n+content\n\\ No newline at end of file",
    "made.txt": "@@ -0,0 +1,2 @@\n+hello\n+there\n\\ No newline at end of file",
}
"""What real edits of Claude Code did, in their files."""
PASSAGES = {
    "tabs.py": "@@\n-return 1\n+return 3",
    "win.txt": "@@\n-beta\n+BETA",
    "del.txt": "@@\n-two",
    "nonl.txt": "@@\n-two\n+TWO",
    "quotes.txt": '@@\n-say "hello" now\n+say "bye" now',
    "all.txt": "@@\n-a\n+A",
}
"""What the model asked for, which is all that the proxy sees of them."""


def _of_old(session: str, sources: Collection[str] = BOTH) -> list[Entry]:
    """The edits that version 0.1 recorded of a session, as some sources saw them."""
    script = Script()
    for line in RECORDED:
        if line["session"] == session and line["src"] in sources:
            script.add(line["src"], line["kind"], lane=line["lane"], **line["fields"])
    return _edits(script.events)


def _of_now(sources: Collection[str] = BOTH) -> list[Entry]:
    """The edits that Claude Code's hooks reported, as they are recorded now, by the hooks and by the proxy."""
    script = Script()
    claude, bench = readers().requests("claude"), CaptureBench()
    for payload in REPORTED if "proxy" in sources else ():
        call = ToolUse(id=payload["tool_use_id"], name=payload["tool_name"], input=payload["tool_input"])
        for finding in claude.actions(call, ToolReturn(id=call.id, text="The file has been updated")):
            said: dict[str, Any] = fields_of(finding)
            script.add("proxy", finding.kind, lane=1, agent="claude", **said)
    for payload in REPORTED if "hook" in sources else ():
        bench.capture.hook("claude", json.dumps(payload).encode())
    for event in bench.recorded():
        script.add(event.src, event.kind, lane=1, **event.fields)
    return _edits(script.events)


def _of_0_1(sources: Collection[str] = BOTH) -> list[Entry]:
    """The same edits as version 0.1 recorded them."""
    return _of_old("edits", sources)


def _edits(events: Any) -> list[Entry]:
    return [entry for entry in build(events).entries if entry.kind == "file_edit"]


def _told(edits: list[Entry]) -> dict[str, str | None]:
    return {str(entry.fields["path"]).rpartition("/")[2]: edit_diff(entry) for entry in edits}


@pytest.mark.parametrize("record", [_of_now, _of_0_1], ids=["now", "0.1"])
@pytest.mark.parametrize("sources", [BOTH, ("hook",)], ids=["both", "hook"])
def test_an_edit_that_the_hook_saw_is_shown_in_its_file(record: Any, sources: tuple[str, ...]) -> None:
    """Whoever else reports it, it has its place, its own tabs, what was really written, and its true end of file."""
    edits = record(sources)
    told = _told(edits)
    assert {name: told[name] for name in WHOLE} == WHOLE
    assert {entry.extent for entry in edits if not str(entry.fields["path"]).endswith(".ipynb")} == {Extent.FILE}


@pytest.mark.parametrize("record", [_of_now, _of_0_1], ids=["now", "0.1"])
def test_an_edit_that_only_the_proxy_saw_is_a_part_of_its_file(record: Any) -> None:
    """It has no line numbers and no claim about the file's end; a new file is complete, an overwritten one is not."""
    edits = record(("proxy",))
    told = _told(edits)
    assert {name: told[name] for name in PASSAGES} == PASSAGES
    assert told["made.txt"] == WHOLE["made.txt"]
    assert told["old.txt"] is None
    by_name = {str(entry.fields["path"]).rpartition("/")[2]: entry for entry in edits}
    (passage,) = narrate(by_name["win.txt"]).passages
    assert (passage.label, passage.style) == ("part of the file", Style.DIFF)
    overwritten = narrate(by_name["old.txt"])
    assert overwritten.note == ""
    assert [(passage.label, passage.text) for passage in overwritten.passages] == [
        ("the whole file, as written; what was there before is not recorded", "new\ncontent")
    ]


@pytest.mark.parametrize("record", [_of_now, _of_0_1], ids=["now", "0.1"])
def test_the_texts_of_an_edit_are_one_sources(record: Any) -> None:
    """Before, after and patch come from the hook even if the proxy's text is longer; the other view is kept."""
    assert {source for entry in record() for source in entry.views} == {"proxy"}
    quotes = next(entry for entry in record() if str(entry.fields["path"]).endswith("quotes.txt"))
    assert quotes.fields["before"] == "say “hello” now\nrest\n"
    assert quotes.views["proxy"]["before"] == 'say "hello" now'
    assert [(passage.label, passage.text) for passage in narrate(quotes).passages[1:]] == [
        ("as the proxy saw it", PASSAGES["quotes.txt"])
    ]


def test_a_longer_passage_does_not_win_over_a_shorter_file() -> None:
    """The whole file is short and the requested passage long: choosing by length would be wrong."""
    script = Script()
    same: dict[str, Any] = {"tool_use_id": "t", "path": "a", "operation": "modify", **CLAUDE}
    script.add(
        "proxy",
        "file_edit",
        before="x",
        after="y" * 50,
        patch="--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+" + "y" * 50,
        **same,
    )
    script.add("hook", "file_edit", before="x\n", after="y\n", patch="@@ -1,1 +1,1 @@\n-x\n+y", **same)
    (entry,) = _edits(script.events)
    assert {name: entry.fields[name] for name in ("before", "after")} == {"before": "x\n", "after": "y\n"}
    assert edit_diff(entry) == "@@ -1 +1 @@\n-x\n+y"


def test_a_file_that_was_made_has_no_text_before_of_another_source() -> None:
    """What the chosen source does not say is not filled in from one that saw less."""
    script = Script()
    same: dict[str, Any] = {"tool_use_id": "t", "path": "a", **CLAUDE}
    script.add("proxy", "file_edit", operation="modify", before="old", after="new", **same)
    script.add("hook", "file_edit", operation="create", after="new\n", **same)
    (entry,) = _edits(script.events)
    assert "before" not in entry.fields
    assert edit_diff(entry) == "@@ -0,0 +1 @@\n+new"
    assert entry.views["proxy"]["before"] == "old"


def test_edits_of_other_agents_as_version_0_1_recorded_them() -> None:
    """Codex's sections have no places, Cursor's passages lose the false ones; each passage is a hunk of its own."""
    assert _told(_of_old("codex-0.169.0/direct_tools")) == {
        "a.txt": "*** Update File: a.txt\n@@\n one\n-two\n+TWO\n three",
        "new.txt": "@@ -0,0 +1,2 @@\n+hello\n+world",
        "c.txt": "*** Update File: a.txt\n*** Move to: c.txt\n@@\n-one\n+ONE",
    }
    cursor = _of_old("cursor")
    assert [entry.extent for entry in cursor] == [Extent.FILE, Extent.PASSAGES, Extent.PASSAGES]
    assert [edit_diff(entry) for entry in cursor] == [
        "@@ -0,0 +1 @@\n+one",
        "@@\n+two\n+three",
        "@@\n-one\n+1\n@@\n-x = 5\n+-- x = 6",
    ]


def test_a_notebook_is_told_by_cell() -> None:
    """The edit has the cell, what happened to it, and its texts; version 0.1 kept the new cell's text alone."""
    now = [entry for entry in _of_now() if str(entry.fields["path"]).endswith(".ipynb")]
    assert [entry.extent for entry in now] == [Extent.PASSAGES, Extent.PASSAGES]
    assert [edit_diff(entry) for entry in now] == [
        "@@ cell c1, replaced\n-print('hello')\n-print(2)\n+print('bye')",
        "@@ cell a62965b4, inserted\n+x = 1",
    ]
    assert [narrate(entry).subject.partition(", ")[2] for entry in now] == [
        "cell c1, replaced",
        "cell a62965b4, inserted",
    ]
    old = [entry for entry in _of_old("edits") if str(entry.fields["path"]).endswith(".ipynb")]
    assert [(entry.extent, edit_diff(entry)) for entry in old] == [(Extent.PASSAGES, None)] * 2
    assert [passage.label for passage in narrate(old[0]).passages] == [
        "part of the file, as written; what was there before is not recorded"
    ]


@pytest.mark.parametrize(
    ("fields", "extent", "diff"),
    [
        ({}, None, None),
        ({"after": "new\n", "operation": "create"}, Extent.FILE, "@@ -0,0 +1 @@\n+new"),
        ({"before": "old\n", "operation": "delete"}, Extent.FILE, "@@ -1 +0,0 @@\n-old"),
        ({"patch": "*** Delete File: a", "operation": "delete"}, Extent.FILE, None),
        ({"patch": "*** Begin Patch\n+x\n-y\n"}, Extent.PASSAGES, "*** Begin Patch\n+x\n-y"),
        ({"after": "new\n", "operation": "modify"}, Extent.WRITTEN, None),
        ({"before": "a\n", "after": "a\n"}, Extent.FILE, ""),
        (
            {"before": "a\nb\n", "after": "wrong\n", "patch": "--- a/a\n+++ b/a\n@@ -2 +2 @@\n-b\n+c\n"},
            Extent.FILE,
            "@@ -2 +2 @@\n-b\n+c",
        ),
        ({"after": "c\n", "patch": "@@ -2 +2 @@\n-b\n+c\n"}, Extent.FILE, "@@ -2 +2 @@\n-b\n+c"),
        ({"before": "a\r\nb\r\n", "after": "a\r\nc\r\n"}, Extent.FILE, "@@ -1,2 +1,2 @@\n a\n-b\n+c"),
        ({"before": "a\nb\n", "after": "a\r\nb\n"}, Extent.FILE, "@@ -1,2 +1,2 @@\n-a\n+a\r\n b"),
        ({"before": "a", "after": "b\r\nc", "patch": "@@\n-a\n+b\r\n+c\n"}, Extent.PASSAGES, "@@\n-a\n+b\n+c"),
        ({"patch": "@@\n-a\n+b\r\n+c\n+d\n"}, Extent.PASSAGES, "@@\n-a\n+b\r\n+c\n+d"),
        ({"patch": "@@\n-a\r\n+b\r\n@@\n-c\n+d\n"}, Extent.PASSAGES, "@@\n-a\n+b\n@@\n-c\n+d"),
    ],
)
def test_what_a_report_of_a_hook_shows(fields: dict[str, Any], extent: Extent | None, diff: str | None) -> None:
    """An unknown text is not an empty change, a patch is used if texts contradict it, mixed line endings are noted."""
    script = Script()
    script.add("hook", "file_edit", path="a", **fields)
    (entry,) = _edits(script.events)
    assert (entry.extent, edit_diff(entry)) == (extent, diff)


@pytest.mark.parametrize("gone", ["cut", "withheld"])
def test_texts_that_are_not_there_in_full_are_not_compared(gone: str) -> None:
    """A text that was cut or redacted gives no false difference: the patch is shown, or nothing."""
    script = Script()
    patch = "@@ -2 +2 @@\n-b\n+c"
    fields: dict[str, Any] = {"operation": "modify", "after": "a\nc\n"}
    more: dict[str, Any] = {"withheld": frozenset({"before"})}
    if gone == "cut":
        fields["before"], more = "a", {"cut": {"before": (9_000_000, "5e" * 32)}}
    script.add("hook", "file_edit", path="a", patch=patch, **fields, **more)
    script.add("hook", "file_edit", path="b", **fields, **more)
    assert [edit_diff(entry) for entry in _edits(script.events)] == [patch, None]


def test_a_report_whose_texts_were_redacted_is_not_believed_over_one_that_shows_some() -> None:
    """Of two reports, one of which has lost its texts, the other is shown."""
    script = Script()
    same: dict[str, Any] = {"tool_use_id": "t", "path": "a", "operation": "modify", **CLAUDE}
    script.add("proxy", "file_edit", before="b", after="c", **same)
    script.add("hook", "file_edit", withheld=frozenset({"before", "after", "patch"}), **same)
    (entry,) = _edits(script.events)
    assert edit_diff(entry) == "@@\n-b\n+c"
    assert entry.extent is Extent.PASSAGES


def test_a_file_as_long_as_its_passage_is_still_a_file() -> None:
    """``hello`` is all that the file has: the agent's own patch says so, and the missing newline is true."""
    script = Script()
    script.add(
        "proxy", "tool_call", name="Edit", tool_use_id="t", input={"old_string": "a", "new_string": "b"}, **CLAUDE
    )
    patch = "--- a/a\n+++ b/a\n@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n"
    script.add(
        "hook", "file_edit", tool_use_id="t", path="a", operation="modify", before="a", after="b", patch=patch, **CLAUDE
    )
    assert [entry.extent for entry in _edits(script.events)] == [Extent.FILE]
    script.add(
        "hook",
        "file_edit",
        tool_use_id="t",
        path="b",
        operation="modify",
        before="a",
        after="b",
        patch="@@ -1 +1 @@\n-a\n+b",
        **CLAUDE,
    )
    assert [entry.extent for entry in _edits(script.events)] == [Extent.FILE, Extent.PASSAGES]


def test_the_lines_for_programs_say_how_much_of_the_file_an_edit_is() -> None:
    """``extent`` comes with the texts, for edits only."""
    script = Script()
    script.add("proxy", "file_edit", path="a", before="x", after="y", operation="modify", **CLAUDE)
    script.add("candidate", "note", text="x")
    lines = [json.loads(line) for line in find("jsonl").export(from_opened(script.events))]
    assert [line.get("extent") for line in lines] == ["passages", None]


@pytest.mark.parametrize("sources", [BOTH, ("hook",)], ids=["both", "hook"])
def test_what_a_hook_reports_of_an_edit_is_no_raw_json(sources: tuple[str, ...]) -> None:
    """Its patch is a difference in the result, too, whether that is the shown result or the other view of it."""
    script, payload = Script(), REPORTED[1]
    same: dict[str, Any] = {"tool_use_id": "t", "name": "Edit", "is_error": False, **CLAUDE}
    if "proxy" in sources:
        script.add("proxy", "tool_result", content="The file has been updated", **same)
    script.add("hook", "tool_result", content=payload["tool_response"], **same)
    (entry,) = build(script.events).entries
    text = narrate(entry).passages[-1].text
    assert "patch: \n@@ -1,3 +1,3 @@\n alpha\n-beta\n+BETA\n gamma" in text
    assert "originalFile: \nalpha\nbeta\ngamma" in text
    assert "{" not in text
