"""Streams of the Messages API as gateways send them: the reader's answer is what the provider meant."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.helpers.capturing import CLAUDE, CaptureBench, asks, exchange, sse, text_block, tool_block, values

from promptster.capture.providers.anthropic import AnthropicMessages
from promptster.capture.providers.interface import ModelAnswer, ToolReturn, ToolUse

HEAD = {"type": "message", "role": "assistant", "model": "m", "stop_reason": None}
TEXTS = st.builds(text_block, st.text("ab é", min_size=1, max_size=6))


def _tool(name: str, command: str) -> dict[str, Any]:
    return tool_block(name, command=command)


def _served(query: str) -> dict[str, Any]:
    return {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {"query": query}}


FOUND: dict[str, Any] = {
    "type": "web_search_tool_result",
    "tool_use_id": "srv",
    "content": [{"type": "web_search_result", "url": "https://example.org/"}],
}
TOOLS = st.builds(_tool, st.sampled_from(["t1", "t2"]), st.text("xy "))
SERVED = st.builds(_served, st.text("pq", max_size=3))
BLOCKS: st.SearchStrategy[list[dict[str, Any]]] = st.lists(TEXTS | TOOLS | SERVED | st.just(FOUND), max_size=6)


def _begin(name: str, content: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    message = {**HEAD, "id": name, "content": content or [], "usage": {"input_tokens": 9, "output_tokens": 1}}
    return {"type": "message_start", "message": message}


def _block(block: dict[str, Any], index: int | None, *, is_ended: bool = True) -> list[dict[str, Any]]:
    place = {} if index is None else {"index": index}
    deltas: list[dict[str, Any]] = []
    empty = dict(block)
    if block["type"] == "text":
        empty["text"], half = "", len(block["text"]) // 2
        deltas = [{"type": "text_delta", "text": part} for part in (block["text"][:half], block["text"][half:])]
    elif block["type"] == "tool_use":
        empty["input"], text = {}, json.dumps(block["input"])
        text = text if is_ended else text[:-2]
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in (text[:3], text[3:])]
    told = [{"type": "content_block_delta", **place, "delta": delta} for delta in deltas]
    end = [{"type": "content_block_stop", **place}] if is_ended else []
    return [{"type": "content_block_start", **place, "content_block": empty}, *told, *end]


def _end(stop: str = "end_turn", *, is_marked: bool = True, **usage: Any) -> list[dict[str, Any]]:
    last = {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 4, **usage}}
    return [last, {"type": "message_stop"}] if is_marked else [last]


def _answer(events: list[dict[str, Any]]) -> ModelAnswer:
    assembler = AnthropicMessages().assembler()
    for event in events:
        assembler.event(event["type"], json.dumps(event))
        if assembler.settled:
            break
    return assembler.answer()


def _expected(blocks: list[dict[str, Any]]) -> tuple[list[ToolUse], list[ToolUse | ToolReturn], str]:
    """Derived from the blocks: calls, what the provider ran, and words with a blank line if a tool is between them."""
    calls = [ToolUse(id=b["id"], name=b["name"], input=b["input"]) for b in blocks if b["type"] == "tool_use"]
    ran: list[ToolUse | ToolReturn] = []
    for block in blocks:
        if block["type"] == "server_tool_use":
            ran.append(ToolUse(id="srv", name="web_search", input=block["input"]))
        elif block["type"] == "web_search_tool_result":
            ran.append(ToolReturn(id="srv", text="", content=block["content"]))
    marked = "".join(block["text"] if block["type"] == "text" else "\0" for block in blocks)
    return calls, ran, "\n\n".join(filter(None, marked.split("\0")))


@given(
    blocks=BLOCKS,
    given_first=st.integers(0, 6),
    index=st.sampled_from(["own", "zero", "none"]),
    is_marked=st.booleans(),
    before=st.none() | BLOCKS,
)
def test_answers_in_every_manner(
    *, blocks: list[dict[str, Any]], given_first: int, index: str, is_marked: bool, before: list[dict[str, Any]] | None
) -> None:
    """Blocks at one index or none, in the message's start, or after a part of another message are all found, once."""
    assume(index != "zero" or not given_first or blocks[:1] != blocks[given_first : given_first + 1])
    places = {"own": range(9), "zero": [0] * 9, "none": [None] * 9}
    events: list[dict[str, Any]] = []
    if before is not None:
        events = [_begin("msg_before"), *(each for at, block in enumerate(before) for each in _block(block, at))]
        events += _block(tool_block("t_cut", command="rm -rf x"), len(before), is_ended=False)
    events += [_begin("msg_1", blocks[:given_first])]
    for at, block in enumerate(blocks[given_first:], start=given_first):
        events += _block(block, places[index][at])
    got = _answer(events + _end(is_marked=is_marked))
    assert (got.finished, got.response_id, got.stop_reason) == (True, "msg_1", "end_turn")
    assert got.content == blocks
    assert (got.calls, got.ran, got.text) == _expected(blocks)
    assert bool(got.dropped) == (before is not None)


@given(blocks=BLOCKS.filter(bool), cut=st.integers(0, 5), anew=st.booleans())
def test_one_message_begun_twice(*, blocks: list[dict[str, Any]], cut: int, anew: bool) -> None:
    """A repeated start is the same message, whether its blocks begin again or continue."""
    cut %= len(blocks) + 1
    events = [_begin("msg_1"), *(each for at, block in enumerate(blocks[:cut]) for each in _block(block, at))]
    events.append(_begin("msg_1"))
    for at, block in enumerate(blocks):
        if anew or at >= cut:
            events += _block(block, at)
    got = _answer(events + _end())
    assert (got.content, got.dropped) == (blocks, blocks[:cut] if anew else [])
    assert got.usage == {"input_tokens": 9, "output_tokens": 4}


def test_blocks_that_stood_in_the_start_already() -> None:
    """A block that appears again is recorded once, as agents take it."""
    blocks = [text_block("hi"), tool_block("t1", command="ls")]
    events = [_begin("msg_1", blocks), *(each for at, block in enumerate(blocks) for each in _block(block, at))]
    got = _answer(events + _end("tool_use"))
    assert (got.content, got.text, got.dropped) == (blocks, "hi", [])
    assert got.calls == [ToolUse(id="t1", name="Bash", input={"command": "ls"})]


@pytest.mark.parametrize("outcome", ["complete", "cut_by_provider"])
def test_without_the_closing_mark(outcome: Any) -> None:
    """An answer with its stop reason is complete for Claude Code and for the recorder; without one it is cut."""
    bench = CaptureBench()
    begun = [_begin("msg_1"), *_block(tool_block("t1", command="ls"), 0)]
    exchange(bench, asks(("user", "go")), sse(begun), outcome=outcome, agent=CLAUDE)
    exchange(bench, asks(("user", "go")), sse(begun + _end("tool_use", is_marked=False)), outcome=outcome, agent=CLAUDE)
    assert values(bench.kinds("model_response"), "outcome", "attempt") == [("cut", 1), ("complete", 2)]
    assert values(bench.kinds("tool_call"), "tool_use_id") == [("t1",)]


def test_a_message_after_a_cut_one() -> None:
    """The second message is the answer; the first one's content is kept next to it, but not among its words."""
    bench = CaptureBench()
    first = [
        _begin("msg_1"),
        *_block(text_block("First"), 0),
        *_block(tool_block("t1", command="rm x"), 1, is_ended=False),
    ]
    second = [_begin("msg_2"), *_block(tool_block("t2", command="ls"), 0), *_end("tool_use")]
    exchange(bench, asks(("user", "go")), sse(first + second), agent=CLAUDE)
    (told,) = bench.kinds("model_response")
    assert (told.fields["outcome"], told.fields["response_id"], told.fields.get("text")) == ("complete", "msg_2", None)
    error: Any = told.fields["error"]
    assert (error["type"], error["content"][0]) == ("begun_again", text_block("First"))
    assert values(bench.kinds("tool_call"), "tool_use_id") == [("t2",)]


def test_usage_that_is_not_said() -> None:
    """``null`` in the last event does not override earlier numbers."""
    events = [_begin("msg_1"), *_block(text_block("hi"), 0), *_end(input_tokens=None, cache_read_input_tokens=None)]
    assert _answer(events).usage == {"input_tokens": 9, "output_tokens": 4, "cache_read_input_tokens": None}


def test_tools_of_the_provider_are_entries() -> None:
    """A search that the provider ran is a call and a result, which refer to the answer that reported them."""
    bench = CaptureBench()
    searched = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "penguins"}}
    failed = {"type": "web_search_tool_result_error", "error_code": "unavailable"}
    found = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": failed}
    paused = [_begin("msg_1"), *_block(text_block("look"), 0), *_block(searched, 1), *_end("pause_turn")]
    exchange(bench, asks(("user", "go")), sse(paused), agent=CLAUDE)
    went_on = [_begin("msg_2"), *_block(found, 0), *_block(text_block("none"), 1), *_end()]
    history = asks(("user", "go"), ("assistant", [text_block("look"), searched]))
    exchange(bench, history, sse(went_on), agent=CLAUDE)
    first, second = (bench.drafts.index(draft) for draft in bench.kinds("model_response"))
    (call,), (result,) = bench.kinds("tool_call"), bench.kinds("tool_result")
    assert (call.fields["name"], call.fields["input"], call.refs) == ("web_search", {"query": "penguins"}, (first,))
    assert (result.fields["name"], result.fields["content"], result.fields["is_error"]) == ("web_search", failed, True)
    assert set(result.refs) == {bench.drafts.index(call), second}
