"""Streams of the Responses API as gateways send them, and the tools that OpenAI runs itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers.capturing import CaptureBench, exchange, values

from promptster.capture.providers.interface import ModelAnswer, ToolReturn, ToolUse
from promptster.capture.providers.openai import OpenAIResponses

CODEX = {"originator": "codex_exec", "session-id": "s1", "thread-id": "s1"}
WORDS = st.text("ab é", min_size=1, max_size=5)


def _call(number: int, words: str) -> dict[str, Any]:
    given_ = json.dumps({"cmd": words})
    return {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": f"call_{number}",
        "name": "exec",
        "arguments": given_,
    }


def _message(number: int, words: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": words}]
    return {"type": "message", "id": f"msg_{number}", "role": "assistant", "content": content}


ITEMS = st.lists(st.tuples(st.sampled_from([_call, _message]), WORDS), max_size=5).map(
    lambda made: [make(number, words) for number, (make, words) in enumerate(made)]
)


def _answer(events: list[dict[str, Any]]) -> ModelAnswer:
    assembler = OpenAIResponses().assembler()
    for event in events:
        assembler.event(event["type"], json.dumps(event))
    return assembler.answer()


def _streamed(items: list[dict[str, Any]], index: str, *, is_added: bool) -> list[dict[str, Any]]:
    """The items, each begun and filled, then each done: all at once if indexes or ids distinguish them."""
    events: list[dict[str, Any]] = []
    for number, item in enumerate(items):
        place = {"own": {"output_index": number}, "zero": {"output_index": 0}, "none": {}}[index]
        if is_added:
            empty: dict[str, Any] = {**item, "content": []} if item["type"] == "message" else {**item, "arguments": ""}
            events.append({"type": "response.output_item.added", **place, "item": empty})
            delta = item.get("arguments") or item["content"][0]["text"]
            kind = "function_call_arguments" if item["type"] == "function_call" else "output_text"
            events.append({"type": f"response.{kind}.delta", **place, "item_id": item["id"], "delta": delta})
        events.append({"type": "response.output_item.done", **place, "item": item})
    return events


def _ended(name: str, output: list[dict[str, Any]], **usage: Any) -> dict[str, Any]:
    response = {"id": name, "status": "completed", "output": output, "usage": usage or None}
    return {"type": "response.completed", "response": response}


@given(
    items=ITEMS,
    index=st.sampled_from(["own", "zero", "none"]),
    is_added=st.booleans(),
    is_told_again=st.booleans(),
    before=st.none() | ITEMS.filter(bool),
)
def test_items_in_every_manner(
    *,
    items: list[dict[str, Any]],
    index: str,
    is_added: bool,
    is_told_again: bool,
    before: list[dict[str, Any]] | None,
) -> None:
    """Items at one index or none, after a part of another response, with or without the whole output at the end."""
    events: list[dict[str, Any]] = []
    if before is not None:
        events = [{"type": "response.created", "response": {"id": "r0"}}, *_streamed(before, "own", is_added=True)[:-1]]
    events += [{"type": "response.created", "response": {"id": "r1"}}, *_streamed(items, index, is_added=is_added)]
    got = _answer([*events, _ended("r1", items if is_told_again else [], input_tokens=3)])
    assert (got.finished, got.response_id, got.content) == (True, "r1", items)
    asked = [item for item in items if item["type"] == "function_call"]
    assert got.calls == [ToolUse(id=it["call_id"], name="exec", input=json.loads(it["arguments"])) for it in asked]
    assert got.text == "".join(item["content"][0]["text"] for item in items if item["type"] == "message")
    assert (len(got.dropped), got.usage) == (
        len(before or []) if before is None or len(before) > 0 else 0,
        {"input_tokens": 3},
    )


def test_arguments_as_an_object() -> None:
    """Arguments that are not text are recorded as they are."""
    item = {"type": "function_call", "call_id": "c", "name": "exec", "arguments": {"cmd": "ls"}}
    assert _answer([_ended("r", [item])]).calls == [ToolUse(id="c", name="exec", input={"cmd": "ls"})]


RAN: list[tuple[dict[str, Any], Any, Any]] = [
    ({"type": "web_search_call", "action": {"type": "search", "query": "q"}}, {"type": "search", "query": "q"}, None),
    ({"type": "file_search_call", "queries": ["q"], "results": [{"text": "t"}]}, {"queries": ["q"]}, [{"text": "t"}]),
    ({"type": "code_interpreter_call", "code": "1+1", "outputs": [{"logs": "2"}]}, {"code": "1+1"}, [{"logs": "2"}]),
    ({"type": "image_generation_call", "revised_prompt": "cat", "result": "AA"}, {"revised_prompt": "cat"}, "AA"),
    ({"type": "mcp_call", "name": "ask", "arguments": '{"a":1}', "output": "yes", "error": None}, {"a": 1}, "yes"),
]


@pytest.mark.parametrize(("item", "asked", "brought"), RAN, ids=[str(item["type"]) for item, _, _ in RAN])
def test_tools_that_openai_runs(item: dict[str, Any], asked: Any, brought: Any) -> None:
    """They are calls, and results if the answer has them, of the answer that reports them."""
    bench = CaptureBench()
    whole = {**item, "id": "ran_1", "status": "completed"}
    stream = f"event: response.completed\ndata: {json.dumps(_ended('r', [whole]))}\n\n".encode()
    body = {"model": "m", "stream": True, "input": "go"}
    exchange(bench, body, stream, target="/openai/v1/responses", upstream="openai", agent=CODEX)
    (answer,), (call,) = bench.kinds("model_response"), bench.kinds("tool_call")
    at = bench.drafts.index(answer)
    name = str(item.get("name") or str(item["type"]).removesuffix("_call"))
    assert (values([call], "tool_use_id", "name", "input"), call.refs) == ([("ran_1", name, asked)], (at,))
    results = bench.kinds("tool_result")
    assert values(results, "name", "content") == ([] if brought is None else [(name, brought)])
    assert all(set(result.refs) == {at, bench.drafts.index(call)} for result in results)


def test_a_tool_that_failed_there() -> None:
    """The error is the result."""
    item = {"type": "mcp_call", "id": "m", "name": "ask", "arguments": "{}", "output": None, "error": {"code": 1}}
    assert _answer([_ended("r", [item])]).ran[1:] == [ToolReturn(id="m", text="", is_error=True, content={"code": 1})]
