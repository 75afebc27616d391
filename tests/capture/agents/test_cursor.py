"""Cursor's hooks, by their documented shapes: the only source there is for Cursor."""

from __future__ import annotations

from typing import Any

import pytest
from tests.helpers.capturing import Bench, values

COMMON = {
    "conversation_id": "c-1",
    "generation_id": "g-1",
    "model": "m-1",
    "cursor_version": "3.1.0",
    "workspace_roots": ["/workspace"],
    "user_email": "someone@example.com",
    "transcript_path": None,
}


@pytest.fixture
def bench() -> Bench:
    """An engine that has seen nothing."""
    return Bench()


def hook(bench: Bench, event: str, agent: str = "cursor", **fields: Any) -> None:
    """One payload with Cursor's common fields."""
    bench.hook(agent, hook_event_name=event, **{**COMMON, **fields})


def test_a_prompt(bench: Bench) -> None:
    """The words, once per generation."""
    hook(bench, "beforeSubmitPrompt", prompt="fix it", attachments=[])
    hook(bench, "beforeSubmitPrompt", prompt="fix it", attachments=[])
    hook(bench, "beforeSubmitPrompt", prompt="fix it", generation_id="g-2")
    assert values(bench.drafts, "text", "prompt_id") == [("fix it", "g-1"), ("fix it", "g-2")]


def test_a_command_told_by_two_events_is_one_call(bench: Bench) -> None:
    """PreToolUse and beforeShellExecution tell of one command; afterShellExecution brings its output."""
    for identifier in ("t-1", "t-2"):
        given = {"command": "npm test", "working_directory": "/workspace"}
        hook(bench, "preToolUse", tool_name="Shell", tool_input=given, tool_use_id=identifier)
        hook(bench, "beforeShellExecution", command="npm test", cwd="/workspace")
        hook(bench, "afterShellExecution", command="npm test", output="ok\n", duration=1234)
        hook(bench, "postToolUse", tool_name="Shell", tool_input=given, tool_use_id=identifier, tool_output="{}")
    assert values(bench.kinds("tool_call"), "tool_use_id", "name") == [("t-1", "Shell"), ("t-2", "Shell")]
    names = ("tool_use_id", "command", "output", "duration_ms", "exit_code")
    assert values(bench.kinds("command"), *names) == [
        ("t-1", "npm test", "ok\n", 1234, None),
        ("t-2", "npm test", "ok\n", 1234, None),
    ]
    assert values(bench.kinds("tool_result"), "tool_use_id") == [("t-1",), ("t-2",)]


def test_a_command_told_by_its_own_events_only(bench: Bench) -> None:
    """Older versions have no preToolUse; two commands with the same words are two."""
    for _ in range(2):
        hook(bench, "beforeShellExecution", command="ls", cwd="/workspace")
        hook(bench, "afterShellExecution", command="ls", output="a\n")
        bench.clock.now_ms += 3000
    assert len(bench.kinds("tool_call")) == len(bench.kinds("command")) == 2


def test_an_edit(bench: Bench) -> None:
    """The passages before and after, and a patch of all of them."""
    edits = [{"old_string": "a", "new_string": "b"}, {"old_string": "c", "new_string": "d"}]
    hook(bench, "afterFileEdit", file_path="/workspace/x.py", edits=edits)
    hook(bench, "afterFileEdit", file_path="/workspace/y.py", edits=[{"old_string": "", "new_string": "new"}])
    assert values(bench.drafts, "path", "operation", "before", "after") == [
        ("/workspace/x.py", "modify", "a\nc", "b\nd"),
        ("/workspace/y.py", "create", None, "new"),
    ]
    assert "-a" in str(bench.drafts[0].fields["patch"])
    assert "+d" in str(bench.drafts[0].fields["patch"])


def test_a_tool_of_a_server_told_by_two_events_is_one_call(bench: Bench) -> None:
    """BeforeMCPExecution and preToolUse name the tool differently and its arguments in different forms."""
    hook(bench, "preToolUse", tool_name="MCP:search", tool_input={"q": "x"}, tool_use_id="t-1")
    hook(bench, "beforeMCPExecution", tool_name="search", tool_input='{"q":"x"}')
    hook(bench, "afterMCPExecution", tool_name="search", tool_input='{"q":"x"}', result_json='{"hits":1}', duration=5)
    hook(bench, "postToolUse", tool_name="MCP:search", tool_input={"q": "x"}, tool_use_id="t-1", tool_output="x")
    assert len(bench.kinds("tool_call")) == 1
    assert values(bench.kinds("tool_result"), "content", "is_error") == [({"hits": 1}, False)]


def test_answers_thoughts_subagents_compaction(bench: Bench) -> None:
    """What the model said, and what it started."""
    hook(bench, "afterAgentThought", text="hm", duration_ms=10)
    hook(bench, "afterAgentResponse", text="done")
    hook(bench, "subagentStart", subagent_id="s-1", subagent_type="explore", task="look", tool_call_id="t-9")
    hook(bench, "subagentStop", subagent_id="s-1", subagent_type="explore", summary="found", status="completed")
    hook(bench, "preCompact", trigger="auto", context_tokens=1)
    assert [draft.kind for draft in bench.drafts] == [
        "model_response",
        "model_response",
        "subagent_started",
        "subagent_stopped",
        "compaction",
    ]
    assert values(bench.drafts[:2], "thinking", "text") == [("hm", None), (None, "done")]
    assert [draft.lane for draft in bench.drafts] == [1, 1, 2, 2, 1]


def test_other_events_are_kept_raw_without_content_of_files(bench: Bench) -> None:
    """A file that was only read is named, not copied; an unknown event is kept and counted."""
    hook(bench, "beforeReadFile", file_path="/workspace/.env", content="SECRET=1")
    hook(bench, "somethingNew", detail="x")
    assert values(bench.drafts, "raw_kind") == [("beforeReadFile",), ("somethingNew",)]
    assert "SECRET" not in repr(bench.drafts)
    assert bench.capture.counts["hook_raw"] == 2


def test_a_hook_that_cursor_borrows_from_claude_code_is_cursors(bench: Bench) -> None:
    """Cursor may run hooks written for Claude Code; the action told by both is one event of Cursor's."""
    hook(bench, "preToolUse", tool_name="Read", tool_input={"path": "a"}, tool_use_id="t-1")
    hook(bench, "PreToolUse", agent="claude", tool_name="Read", tool_input={"path": "a"}, tool_use_id="t-1")
    assert values(bench.drafts, "agent", "tool_use_id") == [("cursor", "t-1")]


def test_the_address_of_the_person_is_dropped(bench: Bench) -> None:
    """No event holds the direct identifier that every payload carries."""
    for event in ("sessionStart", "stop", "beforeSubmitPrompt", "afterFileEdit", "preCompact", "unknownEvent"):
        hook(bench, event, prompt="x", session_id="s")
    assert bench.drafts
    assert "someone@example.com" not in repr(bench.drafts)
