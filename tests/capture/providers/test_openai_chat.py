"""Chat completions, the API of most other providers."""

from __future__ import annotations

import json
from typing import Any

from promptster.capture.providers.interface import ModelAnswer, ModelText, ToolReturn, ToolUse, UserText
from promptster.capture.providers.openai_chat import OpenAIChat


def answer(*chunks: dict[str, Any], done: bool = True) -> ModelAnswer:
    """The answer that these chunks make."""
    assembler = OpenAIChat().assembler()
    for chunk in chunks:
        assembler.event("message", json.dumps(chunk))
    if done:
        assembler.event("message", "[DONE]")
    return assembler.answer()


def delta(reason: str | None = None, **fields: Any) -> dict[str, Any]:
    """One chunk."""
    return {"id": "chat_1", "model": "m", "choices": [{"index": 0, "delta": fields, "finish_reason": reason}]}


def test_a_conversation() -> None:
    """Words, answers, calls and results are found; instructions are left out."""
    function = {"name": "f", "arguments": '{"a":1}'}
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    call = OpenAIChat().read(
        {
            "messages": [
                {"role": "system", "content": "rules"},
                {"role": "user", "content": [{"type": "text", "text": "see"}, image]},
                {"role": "assistant", "content": "ok", "tool_calls": [{"id": "c1", "function": function}]},
                {"role": "tool", "tool_call_id": "c1", "content": "out"},
            ],
            "tools": [{"type": "function", "function": {"name": "f"}}],
        }
    )
    assert call.system == "rules"
    assert call.tools == {"f"}
    assert call.items == (
        UserText(text="see", images=(image,)),
        ModelText(text="ok"),
        ToolUse(id="c1", name="f", input={"a": 1}),
        ToolReturn(id="c1", text="out", content="out"),
    )


def test_a_stream() -> None:
    """Text, reasoning and calls come in pieces; calls count when the stream is complete."""
    chunks = [
        delta(reasoning_content="hm"),
        delta(content="he"),
        delta(content="llo"),
        delta(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "f", "arguments": '{"a"'}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": ":1}"}}], reason="tool_calls"),
    ]
    got = answer(*chunks)
    assert (got.finished, got.text, got.thinking, got.stop_reason) == (True, "hello", "hm", "tool_calls")
    assert got.calls == [ToolUse(id="c1", name="f", input={"a": 1})]
    cut = answer(*chunks[:4], done=False)
    assert (cut.finished, cut.text, cut.calls) == (False, "hello", [])


def test_an_error_in_the_stream() -> None:
    """A stream that reports an error is not complete, whatever follows."""
    got = answer(delta(content="he"), {"error": {"message": "boom"}})
    assert (got.finished, got.error) == (False, {"message": "boom"})


def test_an_answer_in_one_piece() -> None:
    """A completion that was not streamed."""
    assembler = OpenAIChat().assembler()
    message = {"role": "assistant", "content": "hi"}
    assembler.whole(
        {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": {"n": 1}}
    )
    got = assembler.answer()
    assert (got.finished, got.text, got.usage, got.stop_reason) == (True, "hi", {"n": 1}, "stop")
