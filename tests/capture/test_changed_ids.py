"""Calls without ids, or whose ids an agent writes differently: each is recorded once, with its result."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.helpers.capturing import CaptureBench, asks, exchange, values

from promptster.replay.timeline import build

PATHS = ("a", "b", "a")


def _ask(bench: CaptureBench, history: list[dict[str, Any]], *chunks: dict[str, Any]) -> None:
    stream = b"".join(
        f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]})}\n\n".encode() for delta in chunks
    )
    body = asks(("user", "go"))
    body["messages"] += history
    exchange(bench, body, stream + b"data: [DONE]\n\n", target="/v1/chat/completions", upstream="openai")


def _calls(ids: tuple[str, ...] | None) -> list[dict[str, Any]]:
    return [
        {
            "index": place,
            "type": "function",
            "function": {"name": "read", "arguments": json.dumps({"path": path})},
            **({"id": ids[place]} if ids else {}),
        }
        for place, path in enumerate(PATHS)
    ]


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize(
    ("sent", "back"),
    [(None, ("g1", "g2", "g3")), (("t:1", "t:2", "t:3"), ("t_1", "t_2", "t_3")), (None, None)],
    ids=["made up", "rewritten", "none"],
)
def test_ids_in_the_next_request(
    sent: tuple[str, ...] | None, back: tuple[str, ...] | None, *, is_restarted: bool
) -> None:
    """Whatever ids the agent uses, a result belongs to the call that was given the same one."""
    bench = CaptureBench()
    _ask(bench, [], {"tool_calls": _calls(sent)})
    if is_restarted and sent == back:
        bench.restart()
    results = [
        {"role": "tool", "content": f"{path}{place}", **({"tool_call_id": back[place]} if back else {})}
        for place, path in enumerate(PATHS)
    ]
    history: list[dict[str, Any]] = [{"role": "assistant", "content": None, "tool_calls": _calls(back)}, *results]
    _ask(bench, history, {"content": "more"})
    _ask(bench, [*history, {"role": "assistant", "content": "more"}, {"role": "user", "content": "and"}], {})
    timeline = build(bench.recorded())
    calls = {entry.seq: entry.fields["input"]["path"] for entry in timeline.entries if entry.kind == "tool_call"}
    assert tuple(calls.values()) == PATHS
    told = [(entry.action, entry.fields["content"]) for entry in timeline.entries if entry.kind == "tool_result"]
    assert told == [(seq, f"{path}{place}") for place, (seq, path) in enumerate(calls.items())]


def test_the_older_form() -> None:
    """A ``function_call`` has no id at all; its result is recorded too."""
    bench = CaptureBench()
    call = {"function_call": {"name": "read", "arguments": '{"path":"a"}'}}
    _ask(bench, [], call)
    result = {"role": "function", "name": "read", "content": "text"}
    _ask(bench, [{"role": "assistant", "content": None, **call}, result], {"content": "done"})
    assert values(bench.kinds("tool_call", "tool_result"), "name", "content") == [("read", None), ("read", "text")]
