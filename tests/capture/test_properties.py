"""Properties over random sessions and random bytes: each thing exactly once and in order, and never an exception."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.capturing import (
    CLAUDE,
    JSON,
    SSE,
    CaptureBench,
    asks,
    exchange,
    messages_stream,
    pieces,
    result_block,
    text_block,
    tool_block,
)

WORDS = st.sampled_from(["continue", "yes", "fix the test", "why?"])
FAULTS = st.lists(st.sampled_from(["429", "cut", "error", "unreachable"]), max_size=2)
TURNS = st.lists(st.tuples(WORDS, st.lists(st.tuples(st.integers(0, 4), FAULTS), max_size=3)), min_size=1, max_size=4)


def _fail(bench: CaptureBench, body: dict[str, Any], fault: str) -> None:
    broken = messages_stream(text_block("half"), whole=False)
    if fault == "429":
        exchange(bench, body, b'{"error":{"type":"rate_limit_error"}}', status=429, headers=JSON, agent=CLAUDE)
    elif fault == "cut":
        exchange(bench, body, broken, outcome="cut_by_provider", agent=CLAUDE)
    elif fault == "error":
        exchange(bench, body, broken + b'event: error\ndata: {"type":"error","error":{}}\n\n', agent=CLAUDE)
    else:
        exchange(bench, body, None, outcome="failed", agent=CLAUDE)


def _hooks(bench: CaptureBench, calls: list[str], order: st.DataObject) -> None:
    """Parallel tools: every call's hooks in their order, the calls mixed."""
    waiting = {call: ["PreToolUse", "PostToolUse"] for call in calls}
    while waiting:
        call = order.draw(st.sampled_from(sorted(waiting)))
        event = waiting[call].pop(0)
        payload = {"tool_name": "Bash", "tool_use_id": call, "tool_input": {"command": call}, "tool_response": {}}
        for _ in range(order.draw(st.integers(1, 2))):
            bench.hook("claude", hook_event_name=event, session_id="session-1", **payload)
        if not waiting[call]:
            del waiting[call]


@settings(max_examples=60, deadline=None)
@given(turns=TURNS, order=st.data())
def test_random_sessions(turns: list[tuple[str, list[tuple[int, list[str]]]]], order: st.DataObject) -> None:
    """Parallel tools, retries, restarts and repeated words: prompts, calls and results once per source, in order."""
    bench = CaptureBench()
    history: list[tuple[str, Any]] = []
    served: list[str] = []
    for words, rounds in turns:
        history.append(("user", [text_block(words)]))
        for count, faults in [*rounds, (0, [])]:
            body = asks(*history)
            for fault in faults:
                _fail(bench, body, fault)
                if order.draw(st.booleans()):
                    bench.restart()
            calls = [f"toolu_{len(served) + index}" for index in range(count)]
            blocks = [tool_block(call, command=call) for call in calls] or [text_block("done")]
            exchange(bench, body, messages_stream(*blocks), agent=CLAUDE)
            served += calls
            history.append(("assistant", blocks))
            if not calls:
                break
            _hooks(bench, calls, order)
            history.append(("user", [result_block(call) for call in order.draw(st.permutations(calls))]))
    bench.capture.finish()
    assert bench.texts("proxy") == [words for words, _ in turns]
    assert [draft.fields["tool_use_id"] for draft in bench.kinds("tool_call", src="proxy")] == served
    for kind, src in (("tool_call", "hook"), ("tool_result", "hook"), ("tool_result", "proxy"), ("command", "hook")):
        assert sorted(str(draft.fields["tool_use_id"]) for draft in bench.kinds(kind, src=src)) == sorted(served)
    for call in served:
        told = [draft.kind for draft in bench.drafts if draft.fields.get("tool_use_id") == call]
        assert told[:2] == ["tool_call", "tool_call"]
    assert not bench.kinds("capture_hook_silent")
    expected = 1
    for draft in bench.kinds("model_response"):
        assert draft.fields["attempt"] == expected
        expected = 1 if draft.fields["outcome"] == "complete" else expected + 1


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 1 << 70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
NAMES = [
    "messages",
    "input",
    "role",
    "content",
    "type",
    "text",
    "tool_use_id",
    "id",
    "name",
    "call_id",
    "output",
    "arguments",
    "tools",
    "stream",
    "model",
    "action",
    "delta",
    "index",
    "content_block",
    "message",
    "usage",
    "error",
    "item",
    "output_index",
    "response",
    "choices",
    "tool_calls",
    "function",
    "summary",
    "metadata",
    "hook_event_name",
    "session_id",
    "tool_name",
    "tool_input",
    "tool_response",
    "prompt",
    "agent_id",
    "structuredPatch",
    "edits",
    "file_path",
]
KNOWN = [
    "user",
    "assistant",
    "tool",
    "text",
    "tool_use",
    "tool_result",
    "image",
    "message",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "local_shell_call",
    "reasoning",
    "compaction",
    "agent_message",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "error",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.completed",
    "response.failed",
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "UserPromptSubmit",
    "SubagentStop",
    "afterFileEdit",
    "beforeShellExecution",
    "afterShellExecution",
    "Bash",
    "Edit",
    "Write",
    "apply_patch",
]
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    VALUES | st.sampled_from(KNOWN) | st.just("*** Begin Patch\n*** Add File: a\n+x\nno\n*** End Patch"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=7),
    max_leaves=25,
)
TARGETS = st.sampled_from(["/v1/messages", "/responses", "/chat/completions", "/responses/compact", "/other"])
CODINGS = st.sampled_from([b"", b"gzip", b"br", b"zstd", b"deflate", b"nonsense"])
DUMPED = JSON_VALUES.map(lambda value: json.dumps(value).encode())
EVENTS = st.lists(DUMPED.map(lambda data: b"data: " + data + b"\n\n"), max_size=6).map(b"".join)
DEEP = st.just(b"[" * 100_000 + b"]" * 100_000) | st.just(b'{"messages":' * 900 + b"1" + b"}" * 900)


@settings(max_examples=300, deadline=None)
@given(
    target=TARGETS,
    asked=DUMPED | st.binary(max_size=300) | DEEP,
    answer=EVENTS | DUMPED | st.binary(max_size=300) | DEEP,
    head=st.sampled_from([SSE, JSON, ()]),
    coding=CODINGS,
    cuts=st.lists(st.integers(0, 1 << 20), max_size=5),
    status=st.sampled_from([200, 400, 529]),
    agent=st.sampled_from([{}, CLAUDE, {"originator": "codex_exec", "x-codex-turn-metadata": "[1"}]),
)
def test_no_bytes_raise_in_an_exchange(
    *,
    target: str,
    asked: bytes,
    answer: bytes,
    head: tuple[tuple[bytes, bytes], ...],
    coding: bytes,
    cuts: list[int],
    status: int,
    agent: dict[str, str],
) -> None:
    """Any request and answer becomes drafts that can be recorded and learned from."""
    bench = CaptureBench()
    for _ in range(2):
        observer = bench.observer(target, upstream="openai", agent=agent)
        for piece in pieces(asked, cuts):
            observer.request_body(piece)
        observer.request_end()
        observer.response_head(status, (*head, (b"content-encoding", coding)))
        for piece in pieces(answer, cuts):
            observer.response_body(piece)
        observer.finished("complete", "")
        bench.capture.tick()
        bench.restart()


@settings(max_examples=300, deadline=None)
@given(
    agent=st.sampled_from(["claude", "codex", "cursor", "nobody"]),
    payload=DUMPED | st.binary(max_size=200) | DEEP,
)
def test_no_bytes_raise_in_a_hook(agent: str, payload: bytes) -> None:
    """Any hook payload becomes drafts that can be recorded, or is counted as unreadable."""
    bench = CaptureBench()
    for _ in range(2):
        bench.capture.hook(agent, payload)
        bench.clock.now_ms += 5000
        bench.capture.tick()
        bench.restart()
