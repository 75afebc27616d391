"""Output that the agent itself cut is kept as the agent gave it, marked with its full size."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.helpers.capturing import (
    CLAUDE,
    CaptureBench,
    asks,
    exchange,
    messages_stream,
    result_block,
    text_block,
    tool_block,
)

from promptster.replay.model import EntryRole
from promptster.replay.timeline import build

CODEX = {"originator": "codex_exec", "session-id": "s1", "thread-id": "s1"}
APART = "<persisted-output>\nOutput too large (195.3KB). Full output saved to: o.txt\n\nxx\n</persisted-output>"
MIDDLE = "yy\n\n... [20012 characters truncated] ...\n\nyy"
LONG = (
    "Chunk ID: 1\nWall time: 0.0 seconds\nProcess exited with code 0\nOriginal token count: 50001\nOutput:\n"
    "Warning: truncated output (original token count: 50001)\nTotal output lines: 1\n\n"
    "xx\u202640001 tokens truncated\u2026xx"
)


def _marks(bench: CaptureBench, kind: str = "command") -> list[tuple[Any, tuple[str, ...]]]:
    timeline = build(bench.recorded())
    assert all(entry.role is EntryRole.ROUTINE for entry in timeline.entries if entry.kind == "agent_other")
    name = {"command": "output", "tool_result": "content"}[kind]
    return [(entry.fields.get(name), entry.marks) for entry in timeline.entries if entry.kind == kind]


def _asked(bench: CaptureBench, name: str = "Bash", **given: Any) -> None:
    exchange(bench, asks(("user", "go")), messages_stream(tool_block("t1", name, **given)), agent=CLAUDE)


def _answered(bench: CaptureBench, output: str, *, is_error: bool = False, name: str = "Bash") -> None:
    calls = [tool_block("t1", name, command="make")]
    body = asks(("user", "go"), ("assistant", calls), ("user", [result_block("t1", output, is_error=is_error)]))
    exchange(bench, body, messages_stream(text_block("ok")), agent=CLAUDE)


def _hook(bench: CaptureBench, event: str, **told: Any) -> None:
    common = {"session_id": "session-1", "tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"command": "make"}}
    bench.hook("claude", hook_event_name=event, **{**common, **told})


def test_an_output_that_claude_code_keeps_in_a_file() -> None:
    """The hook's part of it is kept, with its size and the full size, which the hook knows to the byte."""
    bench = CaptureBench()
    _asked(bench, command="make")
    _hook(bench, "PreToolUse")
    _hook(bench, "PostToolUse", tool_response={"stdout": "x" * 30000, "persistedOutputSize": 200001})
    _answered(bench, APART)
    assert _marks(bench) == [("x" * 30000, ("truncated by the agent: 30,000 of 200,001 bytes kept",))]


def test_what_the_proxy_knows_of_it() -> None:
    """Without a hook, the size comes from the text that the model is shown."""
    bench = CaptureBench()
    _asked(bench, command="make")
    _answered(bench, APART)
    assert _marks(bench) == [(APART, ("truncated by the agent: 195.3KB in full",))]


def test_a_result_that_is_no_command() -> None:
    """Another tool's cut output is marked at its result."""
    bench = CaptureBench()
    _asked(bench, "mcp__x__y")
    _answered(bench, APART, name="mcp__x__y")
    assert _marks(bench, "tool_result") == [(APART, ("truncated by the agent: 195.3KB in full",))]


@pytest.mark.parametrize(
    ("response", "words"),
    [
        ({"file": {"numLines": 40, "totalLines": 9000, "truncatedByTokenCap": True}}, ": 40 of 9,000 lines kept"),
        ({"file": {"numLines": 1, "totalLines": 1, "truncatedByTokenCap": True}}, ""),
        ({"filenames": ["a"], "numFiles": 1, "truncated": True}, ""),
        ({"file": {"numLines": 40, "totalLines": 9000}, "truncated": False}, None),
    ],
    ids=["lines", "in a line", "names", "a part that was asked for"],
)
def test_a_file_that_claude_code_did_not_read_whole(response: dict[str, Any], words: str | None) -> None:
    """The hook says so, while the model gets the beginning without a note."""
    bench = CaptureBench()
    _asked(bench, "Read", file_path="/w/big.txt")
    given = {"tool_name": "Read", "tool_input": {"file_path": "/w/big.txt"}}
    _hook(bench, "PreToolUse", **given)
    _hook(bench, "PostToolUse", tool_response=response, **given)
    _answered(bench, "the beginning", name="Read")
    marks = () if words is None else (f"truncated by the agent{words}",)
    assert _marks(bench, "tool_result") == [("the beginning", marks)]


@pytest.mark.parametrize("is_hooked", [False, True])
def test_an_output_cut_in_its_middle(*, is_hooked: bool) -> None:
    """For an error Claude Code keeps beginning and end, and says how much is missing."""
    bench = CaptureBench()
    _asked(bench, command="make")
    if is_hooked:
        _hook(bench, "PreToolUse")
        _hook(bench, "PostToolUseFailure", error=f"Exit code 3\n{MIDDLE}")
    _answered(bench, f"Exit code 3\n{MIDDLE}", is_error=True)
    assert _marks(bench) == [(MIDDLE, ("truncated by the agent: 20,012 characters left out",))]


@pytest.mark.parametrize("is_hooked", [False, True])
def test_an_output_that_codex_cut(*, is_hooked: bool) -> None:
    """Codex counts in tokens, at the beginning and in the middle."""
    bench = CaptureBench()
    call = {"type": "function_call", "id": "i", "call_id": "c1", "name": "exec_command", "arguments": '{"cmd":"make"}'}
    for output in ([call], []):
        done = {"type": "response.completed", "response": {"id": "r", "output": output, "status": "completed"}}
        given: list[Any] = [{"role": "user", "content": "go"}]
        if not output:
            given += [call, {"type": "function_call_output", "call_id": "c1", "output": LONG}]
        stream = f"event: response.completed\ndata: {json.dumps(done)}\n\n".encode()
        body = {"model": "m", "stream": True, "input": given}
        exchange(bench, body, stream, target="/openai/v1/responses", upstream="openai", agent=CODEX)
        if output and is_hooked:
            told = {"session_id": "s1", "tool_name": "Bash", "tool_use_id": "c1", "tool_input": {"command": "make"}}
            bench.hook("codex", hook_event_name="PreToolUse", **told)
            bench.hook("codex", hook_event_name="PostToolUse", **told, tool_response=LONG)
    ((output, marks),) = _marks(bench)
    assert marks == ("truncated by the agent: 50,001 tokens in full",)
    assert "40001 tokens truncated" in output


@pytest.mark.parametrize("output", ["x", f"cat: {MIDDLE[4:-4]}!", "\u20265 tokens truncated\u2026"])
def test_whole_outputs_have_no_mark(output: str) -> None:
    """Complete output is not marked."""
    bench = CaptureBench()
    _asked(bench, command="make")
    _answered(bench, output)
    assert _marks(bench) == [(output, ())]
