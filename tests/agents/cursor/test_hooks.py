"""Cursor's hooks, by their documented shapes; they are the only source for Cursor."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.helpers.capturing import CaptureBench, recorded_hooks, values

from promptster.agents.cursor import hook_events

COMMON = {
    "conversation_id": "5b0d6c1e-8a4f-4f1e-9d8e-2b7f1c3a9e10",
    "generation_id": "g-1",
    "session_id": "5b0d6c1e-8a4f-4f1e-9d8e-2b7f1c3a9e10",
    "model": "composer-2.5",
    "model_id": "composer-2.5",
    "model_params": [{"id": "thinking", "value": "high"}],
    "cursor_version": "2026.09.18-9a7762b",
    "workspace_roots": ["/workspace"],
    "user_email": "someone@example.com",
    "transcript_path": "/home/someone/.cursor/projects/workspace/agent-transcripts/5b0d6c1e.jsonl",
}
"""What every payload holds, as https://cursor.com/docs/hooks and the published runtime (1.0.32) have it."""
CALL = "call_9QxT1\nctc_71b0"
"""Cursor's ids of calls may hold a line break."""


@pytest.fixture
def bench() -> CaptureBench:
    """An engine that has seen nothing."""
    return CaptureBench()


def hook(bench: CaptureBench, event: str, **fields: Any) -> None:
    """One payload with Cursor's common fields; ``agent`` is the agent whose hook it was."""
    bench.hook(fields.pop("agent", "cursor"), hook_event_name=event, **{**COMMON, **fields})


def test_a_prompt(bench: CaptureBench) -> None:
    """A prompt's words are recorded once per generation."""
    hook(bench, "beforeSubmitPrompt", prompt="fix it", attachments=[])
    hook(bench, "beforeSubmitPrompt", prompt="fix it", attachments=[])
    hook(bench, "beforeSubmitPrompt", prompt="fix it", generation_id="g-2")
    assert values(bench.drafts, "text", "prompt_id") == [("fix it", "g-1"), ("fix it", "g-2")]


def _ran(bench: CaptureBench, identifier: str, command: str, output: str, *, code: int | None = 0) -> None:
    """One command as the runtime reports it: two events before, two after; the output twice, the exit code once."""
    given = {"command": command, "cwd": "/workspace"}
    tool = {"tool_name": "Shell", "tool_input": given, "tool_use_id": identifier, "cwd": "/workspace"}
    hook(bench, "preToolUse", **tool)
    hook(bench, "beforeShellExecution", command=command, cwd="/workspace", sandbox=False)
    hook(bench, "afterShellExecution", command=command, output=output, duration=1234.5, sandbox=False)
    if code == 0:
        told = json.dumps({"output": output, "exitCode": code})
        hook(bench, "postToolUse", **tool, tool_output=told, duration=1234.5)
    else:
        words = f"Command failed with exit code {code}" if code is not None else output.strip()
        failure = {"failure_type": "error", "duration": 1234.5, "is_interrupt": False}
        hook(bench, "postToolUseFailure", **tool, error_message=words, **failure)


def test_a_command_told_by_four_events_is_one_call_one_command_one_result(bench: CaptureBench) -> None:
    """The command has the output from one event, the exit code from another, and the id of its call."""
    _ran(bench, CALL, "npm test", "ok\n")
    assert [draft.kind for draft in bench.drafts] == ["tool_call", "command", "tool_result"]
    assert values(bench.drafts, "tool_use_id") == [(CALL,)] * 3
    names = ("command", "cwd", "output", "duration_ms", "exit_code", "is_error")
    assert values(bench.kinds("command"), *names) == [("npm test", "/workspace", "ok\n", 1234, 0, False)]
    assert bench.drafts[1].refs == bench.drafts[2].refs == (0,)


def test_a_command_that_fails_and_is_run_again_is_two(bench: CaptureBench) -> None:
    """A failure, with or without an exit code in its text, and the same command again are two, each with its own id."""
    _ran(bench, "t-1", "npm test", "1 failing\n", code=3)
    _ran(bench, "t-2", "npm test", "1 failing\n", code=None)
    _ran(bench, "t-3", "npm test", "ok\n")
    assert values(bench.kinds("command"), "tool_use_id", "exit_code", "is_error") == [
        ("t-1", 3, True),
        ("t-2", None, True),
        ("t-3", 0, False),
    ]
    assert values(bench.kinds("tool_result"), "tool_use_id", "is_error") == [
        ("t-1", True),
        ("t-2", True),
        ("t-3", False),
    ]


def test_a_command_whose_end_nobody_tells_is_recorded_without_it(bench: CaptureBench) -> None:
    """If the call's result does not come within two seconds, the command is recorded once, as far as it is known."""
    hook(bench, "preToolUse", tool_name="Shell", tool_input={"command": "ls"}, tool_use_id="t-1")
    hook(bench, "afterShellExecution", command="ls", output="a\n", duration=5)
    assert bench.kinds("command") == []
    bench.clock.now_ms += 2000
    bench.capture.tick()
    assert values(bench.kinds("command"), "tool_use_id", "output", "exit_code") == [("t-1", "a\n", None)]
    bench.clock.now_ms += 2000
    bench.capture.tick()
    assert len(bench.kinds("command")) == 1


def test_a_command_in_flight_at_the_end_is_recorded(bench: CaptureBench) -> None:
    """The recorder's end does not wait for a result."""
    hook(bench, "preToolUse", tool_name="Shell", tool_input={"command": "ls"}, tool_use_id="t-1")
    hook(bench, "afterShellExecution", command="ls", output="a\n", duration=5)
    bench.capture.finish()
    assert values(bench.kinds("command"), "tool_use_id", "output") == [("t-1", "a\n")]


def test_a_command_told_by_its_own_events_only(bench: CaptureBench) -> None:
    """Older versions have no preToolUse; two commands with the same text are two."""
    for _ in range(2):
        hook(bench, "beforeShellExecution", command="ls", cwd="/workspace")
        hook(bench, "afterShellExecution", command="ls", output="a\n")
        bench.clock.now_ms += 3000
    assert len(bench.kinds("tool_call")) == len(bench.kinds("command")) == 2


def test_an_edit(bench: CaptureBench) -> None:
    """The edit has the passages before and after, their patch, and the id of the call, which its own event names."""
    edits = [{"old_string": "a", "new_string": "b"}, {"old_string": "c", "new_string": "d"}]
    for number, (path, passages) in enumerate(
        (
            ("/workspace/x.py", edits),
            ("/workspace/y.py", [{"old_string": "", "new_string": "new\n"}]),
            ("/workspace/x.py", [{"old_string": "", "new_string": "a line put in"}]),
        )
    ):
        tool = {"tool_name": "Write", "tool_input": {"file_path": path, "content": "…"}, "tool_use_id": f"t-{number}"}
        hook(bench, "preToolUse", **tool)
        hook(bench, "afterFileEdit", file_path=path, edits=passages)
        hook(bench, "postToolUse", **tool, tool_output='{"file_path":"x","success":true}', duration=36.8)
    assert values(bench.kinds("file_edit"), "tool_use_id", "path", "operation", "before", "after") == [
        ("t-0", "/workspace/x.py", "modify", "a\nc", "b\nd"),
        ("t-1", "/workspace/y.py", "create", None, "new\n"),
        ("t-2", "/workspace/x.py", "modify", None, "a line put in"),
    ]
    patch = str(bench.kinds("file_edit")[0].fields["patch"])
    assert "-a" in patch
    assert "+d" in patch


def test_an_edit_after_a_failed_one_keeps_its_own_call(bench: CaptureBench) -> None:
    """The next edit of a file does not count as the result of an earlier call without effect."""
    tool = {"tool_name": "Write", "tool_input": {"file_path": "/workspace/x.py", "content": "…"}}
    hook(bench, "preToolUse", **tool, tool_use_id="t-1")
    hook(bench, "postToolUseFailure", **tool, tool_use_id="t-1", error_message="disk full", failure_type="error")
    hook(bench, "preToolUse", **tool, tool_use_id="t-2")
    hook(bench, "afterFileEdit", file_path="/workspace/x.py", edits=[{"old_string": "a", "new_string": "b"}])
    assert values(bench.kinds("file_edit"), "tool_use_id") == [("t-2",)]


def test_a_tool_of_a_server_told_by_four_events_is_one_call_and_one_result(bench: CaptureBench) -> None:
    """The server's own events name the tool differently and have text arguments and no id; they get the call's id."""
    server = {"mcp_server_name": "docs", "command": "npx docs"}
    for number in (1, 2):
        tool = {"tool_name": "MCP:search", "tool_input": {"q": "x"}, "tool_use_id": f"t-{number}"}
        hook(bench, "preToolUse", **tool)
        hook(bench, "beforeMCPExecution", tool_name="search", tool_input='{"q":"x"}', **server)
        given = {"tool_name": "search", "tool_input": '{"q":"x"}', "mcp_server_name": "docs"}
        hook(bench, "afterMCPExecution", **given, result_json='{"hits":1}', duration=5)
        hook(bench, "postToolUse", **tool, tool_output='{"hits":1}', duration=5)
    assert values(bench.kinds("tool_call"), "tool_use_id") == [("t-1",), ("t-2",)]
    assert values(bench.kinds("tool_result"), "tool_use_id", "content", "is_error") == [
        ("t-1", {"hits": 1}, False),
        ("t-2", {"hits": 1}, False),
    ]


def test_a_tool_of_a_server_told_by_its_own_events_only(bench: CaptureBench) -> None:
    """Older versions have no preToolUse and no postToolUse."""
    hook(bench, "beforeMCPExecution", tool_name="search", tool_input='{"q":"x"}', url="http://127.0.0.1/mcp")
    hook(bench, "afterMCPExecution", tool_name="search", tool_input='{"q":"x"}', result_json='{"hits":1}', duration=5)
    assert [draft.kind for draft in bench.drafts] == ["tool_call", "tool_result"]


@pytest.mark.parametrize(
    ("result", "is_error", "is_refused"),
    [
        ({"content": [], "isError": True}, True, False),
        ({"error": "no such server"}, True, False),
        ({"rejected": True, "reason": "not now"}, True, True),
        ({"permissionDenied": True, "error": "blocked"}, True, True),
        ({"content": [], "isError": False}, False, False),
    ],
)
def test_how_a_servers_tool_ended(
    bench: CaptureBench, result: dict[str, Any], *, is_error: bool, is_refused: bool
) -> None:
    """The server's answer itself says whether it is an error, and whether the person refused."""
    hook(bench, "afterMCPExecution", tool_name="search", tool_input="{}", result_json=json.dumps(result), duration=1)
    assert values(bench.kinds("tool_result"), "content", "is_error") == [(result, is_error)]
    assert values(bench.kinds("permission"), "decision") == [("denied",)] * is_refused


def test_a_refused_call_is_a_permission_denied(bench: CaptureBench) -> None:
    """The failure of a call that was not allowed has the refusal next to the result."""
    tool = {"tool_name": "Shell", "tool_input": {"command": "rm -rf /"}, "tool_use_id": "t-1"}
    hook(bench, "preToolUse", **tool)
    failure = {"failure_type": "permission_denied", "duration": 0, "is_interrupt": False}
    hook(bench, "postToolUseFailure", **tool, error_message="blocked", **failure)
    assert [draft.kind for draft in bench.drafts] == ["tool_call", "permission", "tool_result"]
    assert values(bench.kinds("permission"), "tool_use_id", "decision") == [("t-1", "denied")]


def test_answers_thoughts_subagents_compaction(bench: CaptureBench) -> None:
    """The model's answers and thoughts, its subagents and compaction are recorded."""
    hook(bench, "afterAgentThought", text="hm", duration_ms=10)
    hook(bench, "afterAgentResponse", text="done", input_tokens=7, output_tokens=3)
    begun = {"subagent_id": "s-1", "subagent_type": "explore", "task": "look", "parent_conversation_id": "c-1"}
    hook(bench, "subagentStart", **begun, tool_call_id="t-9", subagent_model="m", is_parallel_worker=False)
    ended = {"status": "completed", "duration_ms": 50, "summary": "found", "message_count": 4, "tool_call_count": 1}
    more: dict[str, Any] = {
        "modified_files": [],
        "loop_count": 0,
        "agent_transcript_path": None,
        "description": "look around",
    }
    hook(bench, "subagentStop", **begun, **ended, **more)
    context = {"context_usage_percent": 91, "context_tokens": 1, "context_window_size": 2, "is_first_compaction": True}
    hook(bench, "preCompact", trigger="auto", **context, message_count=6, messages_to_compact=5)
    assert [draft.kind for draft in bench.drafts] == [
        "model_response",
        "model_response",
        "subagent_started",
        "subagent_stopped",
        "compaction",
    ]
    assert values(bench.drafts[:2], "thinking", "text") == [("hm", None), (None, "done")]
    assert bench.drafts[1].fields["usage"] == {"input_tokens": 7, "output_tokens": 3}
    assert [draft.lane for draft in bench.drafts] == [1, 1, 2, 2, 1]
    assert bench.capture.counts["hook_raw"] == 0


def test_other_events_are_kept_raw_without_content_of_files(bench: CaptureBench) -> None:
    """A file that was only read is named, not copied; an unknown event is kept and counted."""
    hook(bench, "beforeReadFile", file_path="/workspace/.env", content="SECRET=1")
    hook(bench, "somethingNew", detail="x")
    assert values(bench.drafts, "raw_kind") == [("beforeReadFile",), ("somethingNew",)]
    assert "SECRET" not in repr(bench.drafts)
    assert bench.capture.counts["hook_raw"] == 2


def test_a_hook_that_cursor_borrows_from_claude_code_is_cursors(bench: CaptureBench) -> None:
    """Cursor may run hooks written for Claude Code; an action that both report is one event of Cursor's."""
    hook(bench, "preToolUse", tool_name="Read", tool_input={"path": "a"}, tool_use_id="t-1")
    hook(bench, "PreToolUse", agent="claude", tool_name="Read", tool_input={"path": "a"}, tool_use_id="t-1")
    assert values(bench.drafts, "agent", "tool_use_id") == [("cursor", "t-1")]


def test_an_undocumented_field_is_kept_raw_beside_what_is_understood(bench: CaptureBench) -> None:
    """A field that a later version adds to a known event is kept; fields of every event are not repeated."""
    hook(bench, "beforeSubmitPrompt", prompt="fix it", attachments=[], composer_mode="agent", mood="hasty")
    assert [draft.kind for draft in bench.drafts] == ["prompt", "agent_other"]
    assert values(bench.drafts[1:], "raw_kind", "payload") == [("beforeSubmitPrompt", {"mood": "hasty"})]
    assert bench.capture.counts["hook_raw"] == 1


def test_who_the_person_is_is_dropped(bench: CaptureBench) -> None:
    """No event has the direct identifiers that every payload carries, or the path of the user's own transcripts."""
    for event in ("sessionStart", "stop", "beforeSubmitPrompt", "afterFileEdit", "preCompact", "unknownEvent"):
        hook(bench, event, prompt="x", user_name="Some One", agent_transcript_path="/home/someone/a.jsonl")
    assert bench.drafts
    assert "someone" not in repr(bench.drafts)
    assert "Some One" not in repr(bench.drafts)


def test_every_event_that_we_ask_for_is_understood(bench: CaptureBench) -> None:
    """Only beginnings and ends of sessions and turns, and reads of files, are kept raw."""
    for event in hook_events.EVENTS:
        hook(bench, event, prompt=event, tool_use_id=event, command=event, text=event)
    raw = {str(draft.fields["raw_kind"]) for draft in bench.kinds("agent_other") if "hook_event_name" in str(draft)}
    assert raw == {"sessionStart", "sessionEnd", "stop", "beforeReadFile"}
    assert set(hook_events.EVENTS) < hook_events.KNOWN_EVENTS


def test_what_the_real_runtime_sent(bench: CaptureBench) -> None:
    """The published runtime (1.0.32) ran our tools with hooks from our file: each action is recorded once, complete."""
    payloads = recorded_hooks("cursor", "sdk-1.0.32")
    for payload in payloads:
        bench.capture.hook("cursor", json.dumps(payload).encode())
        bench.clock.now_ms += 20
    bench.capture.finish()
    called = [payload["tool_use_id"] for payload in payloads if payload["hook_event_name"] == "preToolUse"]
    for kind in ("tool_call", "tool_result"):
        assert [draft.fields["tool_use_id"] for draft in bench.kinds(kind)] == called
    assert values(bench.kinds("command"), "tool_use_id", "command", "cwd", "exit_code", "output", "is_error") == [
        (called[0], "npm test", "/workspace", 1, "1 failing\n", True),
        (called[1], "npm test", "/workspace", 0, "3 passing\n", False),
        (called[2], "npm run lint", "/workspace", None, "1 failing\n", True),
        (called[3], "npm run lint", "/workspace", None, "1 failing\n", True),
        (called[4], "npm run lint", "/workspace", 0, "3 passing\n", False),
    ]
    assert values(bench.kinds("file_edit"), "tool_use_id", "path", "operation", "after") == [
        (called[5], "/workspace/new.txt", "create", "one\n"),
        (called[6], "/workspace/new.txt", "modify", "two\nthree"),
    ]
    assert len(bench.kinds("prompt")) == len(bench.kinds("model_response")) == 1
    assert values(bench.kinds("agent_other"), "raw_kind") == [("sessionStart",), ("stop",), ("sessionEnd",)]
    assert "ada@example.com" not in repr(bench.drafts)


@pytest.mark.parametrize("place", range(1, 35))
def test_a_restart_anywhere_doubles_nothing(place: int) -> None:
    """An engine that was restored from the journal knows which call each event belongs to.

    Only a command whose output was reported, but not its end, may be missing: it was not recorded.
    """
    payloads = recorded_hooks("cursor", "sdk-1.0.32")
    benches = CaptureBench(), CaptureBench()
    for whole, bench in enumerate(benches):
        for number, payload in enumerate(payloads):
            if number == place and not whole:
                bench.restart()
            bench.capture.hook("cursor", json.dumps(payload).encode())
            bench.clock.now_ms += 20
        bench.capture.finish()
    restarted, told = ([(draft.kind, draft.fields) for draft in bench.drafts] for bench in benches)
    if payloads[place - 1]["hook_event_name"] == "afterShellExecution":
        missing = [item for item in told if item not in restarted]
        assert [kind for kind, _ in missing] == ["command"]
        told.remove(missing[0])
    assert restarted == told
