"""One id for several calls: each result belongs to its own call, and to no other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.capturing import (
    CLAUDE,
    CaptureBench,
    asks,
    exchange,
    messages_stream,
    result_block,
    text_block,
    tool_block,
    values,
)

from promptster.replay.timeline import build

SAME = "toolu_same"
CODEX = {"originator": "codex_exec", "session-id": "s1"}


def _hook(bench: CaptureBench, event: str, command: str, output: str = "", **more: str) -> None:
    told: dict[str, Any] = {"tool_response": {"stdout": output}} if event == "PostToolUse" else {}
    bench.hook(
        "claude",
        hook_event_name=event,
        session_id="session-1",
        tool_name="Bash",
        tool_use_id=SAME,
        tool_input={"command": command},
        **told,
        **more,
    )


def _told(bench: CaptureBench, kind: str) -> list[tuple[Any, Any, tuple[str, ...]]]:
    """What the replay shows: per entry, the command of the call it belongs to, what it brought, and who saw it."""
    timeline = build(bench.recorded())
    commands = {entry.seq: entry.fields["input"]["command"] for entry in timeline.entries if entry.kind == "tool_call"}
    name = {"tool_result": "content", "command": "output"}[kind]
    shown = [entry for entry in timeline.entries if entry.kind == kind]
    return [(commands[entry.action or 0], entry.fields.get(name), tuple(sorted(entry.sources))) for entry in shown]


def test_results_that_the_agent_never_sends() -> None:
    """Claude Code with one id for every call sends the first call and its result again and again."""
    bench = CaptureBench()
    history: list[tuple[str, Any]] = [("user", [text_block("go")])]
    outputs = {"echo one": "one", "echo two": "two", "echo three": "three"}
    for command, output in outputs.items():
        exchange(bench, asks(*history), messages_stream(tool_block(SAME, command=command)), agent=CLAUDE)
        _hook(bench, "PreToolUse", command)
        bench.clock.now_ms += 5
        _hook(bench, "PostToolUse", command, output)
        history = [
            *history[:1],
            ("assistant", [tool_block(SAME, command="echo one")]),
            ("user", [result_block(SAME, "one")]),
        ]
        bench.clock.now_ms += 5
    exchange(bench, asks(*history), messages_stream(text_block("done")), agent=CLAUDE)
    assert values(bench.kinds("tool_call", src="proxy"), "input") == [({"command": each},) for each in outputs]
    assert values(bench.kinds("tool_result", src="proxy"), "content") == [("one",)]
    assert _told(bench, "command") == [
        ("echo one", "one", ("hook", "proxy")),
        ("echo two", "two", ("hook",)),
        ("echo three", "three", ("hook",)),
    ]


@settings(max_examples=80, deadline=None)
@given(
    commands=st.lists(st.sampled_from(["ls", "pwd", "make"]), min_size=1, max_size=5),
    is_hooked=st.booleans(),
    restarts=st.sets(st.integers(0, 4)),
    sent=st.integers(0, 31),
)
def test_one_id_in_every_turn(*, commands: list[str], is_hooked: bool, restarts: set[int], sent: int) -> None:
    """Whatever results an agent sends, each call has its own or, from the proxy, none."""
    bench = CaptureBench()
    history: list[tuple[str, Any]] = [("user", [text_block("go")])]
    expected: list[tuple[str, str]] = []
    for at, command in enumerate(commands):
        output = f"output {at}"
        exchange(bench, asks(*history), messages_stream(tool_block(SAME, command=command)), agent=CLAUDE)
        if is_hooked:
            _hook(bench, "PreToolUse", command)
            bench.clock.now_ms += 5
            _hook(bench, "PostToolUse", command, output)
        is_sent = bool(sent >> at & 1)
        history.append(("assistant", [tool_block(SAME, command=command)]))
        history.append(("user", [result_block(SAME, output) if is_sent else text_block("(no content)")]))
        bench.clock.now_ms += 5
        if is_sent:
            expected.append((command, output))
        if at in restarts:
            bench.restart()
    exchange(bench, asks(*history), messages_stream(text_block("done")), agent=CLAUDE)
    assert values(bench.kinds("tool_call", src="proxy"), "input") == [({"command": each},) for each in commands]
    told = [(command, output) for command, output, sources in _told(bench, "tool_result") if "proxy" in sources]
    assert told == expected
    if is_hooked:
        assert [command for command, _, _ in _told(bench, "command")] == commands
        assert values(bench.kinds("command", src="hook"), "output") == [
            (f"output {at}",) for at in range(len(commands))
        ]


@pytest.mark.parametrize("sent", [("one", "two"), ("one",)], ids=["both results", "the first result"])
def test_one_id_for_two_calls_at_once(sent: tuple[str, ...]) -> None:
    """Two calls of one answer with one id are two calls, each with its own hook and result."""
    bench = CaptureBench()
    calls = [tool_block(SAME, command="echo one"), tool_block(SAME, command="echo two")]
    exchange(bench, asks(("user", [text_block("go")])), messages_stream(*calls), agent=CLAUDE)
    for event in ("PreToolUse", "PostToolUse"):
        for word in ("one", "two"):
            bench.clock.now_ms += 1
            _hook(bench, event, f"echo {word}", word)
    results = [result_block(SAME, word) for word in sent]
    history = asks(("user", [text_block("go")]), ("assistant", calls[: len(sent)]), ("user", results))
    exchange(bench, history, messages_stream(text_block("done")), agent=CLAUDE)
    both = ("hook", "proxy")
    assert _told(bench, "command") == [
        ("echo one", "one", both),
        ("echo two", "two", both if len(sent) > 1 else ("hook",)),
    ]


def test_a_result_after_an_answer_that_the_provider_keeps() -> None:
    """If the provider holds the history, a result answers the oldest call of its id that has none."""
    bench = CaptureBench()
    call = {"type": "function_call", "id": "i", "call_id": "c", "name": "shell", "arguments": '{"command":["ls"]}'}
    for at in range(2):
        given: list[Any] = [{"type": "function_call_output", "call_id": "c", "output": f"o{at - 1}"}] if at else []
        asked = {"model": "m", "input": given or "go", **({"previous_response_id": f"r{at - 1}"} if at else {})}
        done = {"type": "response.completed", "response": {"id": f"r{at}", "output": [call], "status": "completed"}}
        stream = b"event: x\ndata: " + json.dumps(done).encode() + b"\n\n"
        exchange(bench, asked, stream, target="/v1/responses", upstream="openai", agent=CODEX)
    results = bench.kinds("tool_result")
    assert values(results, "content") == [("o0",)]
    assert results[0].refs == (bench.drafts.index(bench.kinds("tool_call")[0]),)


def _side_by_side(steps: str, commands: tuple[str, str], *, is_hooked: bool, restarts: set[int]) -> CaptureBench:
    """Two subagents whose calls have one id; ``steps`` says whose turn it is: call, hook, hook, result."""
    bench = CaptureBench()
    done = {"a": 0, "b": 0}
    for at, name in enumerate(steps):
        command, output = commands["ab".index(name)], f"output of {name}"
        agent = {**CLAUDE, "X-Claude-Code-Agent-Id": name}
        history: list[tuple[str, Any]] = [("user", [text_block(f"task {name}")])]
        bench.clock.now_ms += 5
        match done[name]:
            case 0:
                exchange(bench, asks(*history), messages_stream(tool_block(SAME, command=command)), agent=agent)
            case 3:
                history += [("assistant", [tool_block(SAME, command=command)]), ("user", [result_block(SAME, output)])]
                exchange(bench, asks(*history), messages_stream(text_block("done")), agent=agent)
            case step if is_hooked:
                _hook(bench, ("PreToolUse", "PostToolUse")[step - 1], command, output, agent_id=name)
            case _:
                pass
        done[name] += 1
        if at in restarts:
            bench.restart()
    return bench


@settings(max_examples=120, deadline=None)
@given(
    steps=st.permutations("aaaabbbb"),
    commands=st.sampled_from([("ls", "ls"), ("ls", "pwd")]),
    is_hooked=st.booleans(),
    restarts=st.sets(st.integers(0, 7), max_size=2),
)
def test_one_id_in_two_subagents(
    *, steps: list[str], commands: tuple[str, str], is_hooked: bool, restarts: set[int]
) -> None:
    """Subagents that run in parallel each keep their own call, result and command, whatever comes first."""
    bench = _side_by_side("".join(steps), commands, is_hooked=is_hooked, restarts=restarts)
    lanes = {draft.fields.get("agent_id"): draft.lane for draft in bench.drafts if draft.fields.get("agent_id")}
    sources = {"hook", "proxy"} if is_hooked else {"proxy"}
    entries = [entry for entry in build(bench.recorded()).entries if entry.kind in {"tool_call", "command"}]
    assert [set(entry.sources) for entry in entries] == [sources] * 4
    calls = {entry.seq: entry.lane for entry in entries if entry.kind == "tool_call"}
    for command in (entry for entry in entries if entry.kind == "command"):
        lane = lanes[str(command.fields["output"])[-1]]
        assert (command.lane, calls[command.action or 0]) == (lane, lane)
