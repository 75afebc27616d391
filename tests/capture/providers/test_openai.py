"""OpenAI's Responses API, as far as the recordings do not show it."""

from __future__ import annotations

from typing import Any

from promptster.capture.providers import provider_of
from promptster.capture.providers.interface import (
    ModelAnswer,
    ModelText,
    Summary,
    ToolReturn,
    ToolUse,
    UserText,
    mapping,
)
from promptster.capture.providers.openai import OpenAIResponses


def answer(*events: dict[str, Any]) -> ModelAnswer:
    """The answer that these events of a stream make."""
    import json  # noqa: PLC0415 - one use

    assembler = OpenAIResponses().assembler()
    for event in events:
        assembler.event(event["type"], json.dumps(event))
    return assembler.answer()


def test_which_requests_are_calls() -> None:
    """Creating and compacting responses are calls; reading them, models and counting are not."""
    assert provider_of("POST", "/v1/responses") is not None
    assert provider_of("POST", "/responses/compact") is not None
    assert provider_of("POST", "/v1/chat/completions") is not None
    for method, path in (("GET", "/v1/responses"), ("POST", "/v1/messages/count_tokens"), ("GET", "/models")):
        assert provider_of(method, path) is None


def test_every_kind_of_item() -> None:
    """Words, answers, calls and results are found in every form; the program's own notes are left out."""
    body: dict[str, object] = {
        "model": "m",
        "previous_response_id": "resp_0",
        "input": [
            {"role": "user", "content": "plain"},
            {"type": "message", "role": "developer", "content": "rules"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "words"}]},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "said"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1}'},
            {"type": "function_call", "call_id": "c2", "name": "f", "arguments": "{broken"},
            {"type": "local_shell_call", "call_id": "c3", "action": {"command": ["ls"]}},
            {"type": "function_call_output", "call_id": "c1", "output": "one"},
            {"type": "function_call_output", "call_id": "c2", "output": {"content": "two", "success": False}},
            {"type": "custom_tool_call_output", "call_id": "c3", "output": [{"text": "three"}]},
            {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"},
            {"type": "web_search_call", "id": "ws_1"},
            {"type": "tool_search_call", "call_id": "c4", "execution": "client", "arguments": {"query": "q"}},
            {"type": "tool_search_output", "call_id": "c4", "execution": "client", "tools": [{"name": "t"}]},
            {"type": "tool_search_call", "id": "ts_1", "call_id": "c5", "execution": "server", "arguments": {}},
            {"type": "apply_patch_call", "call_id": "c6", "operation": {"type": "delete_file", "path": "a"}},
            {"type": "apply_patch_call_output", "call_id": "c6", "status": "completed", "output": "done"},
        ],
    }
    call = OpenAIResponses().read(body)
    assert call.previous == "resp_0"
    assert call.items == (
        UserText(text="plain"),
        UserText(text="words"),
        ModelText(text="said"),
        ToolUse(id="c1", name="f", input={"a": 1}),
        ToolUse(id="c2", name="f", input="{broken"),
        ToolUse(id="c3", name="local_shell", input={"command": ["ls"]}),
        ToolReturn(id="c1", text="one", content="one"),
        ToolReturn(id="c2", text="two", is_error=True, content={"content": "two", "success": False}),
        ToolReturn(id="c3", text="three", content=[{"text": "three"}]),
        Summary(key="cmp_1"),
        ModelText(text="ws_1"),
        ToolUse(id="c4", name="tool_search", input={"query": "q"}),
        ToolReturn(id="c4", text="", content=[{"name": "t"}]),
        ModelText(text="ts_1"),
        ToolUse(id="c6", name="apply_patch", input={"type": "delete_file", "path": "a"}),
        ToolReturn(id="c6", text="done", content="done"),
    )


def test_an_input_of_one_text() -> None:
    """The shortest form of a request."""
    assert OpenAIResponses().read({"input": "hello"}).items == (UserText(text="hello"),)


def test_what_came_of_a_broken_stream() -> None:
    """Finished calls are recorded; the pieces of the cut item are kept."""
    got = answer(
        {"type": "response.created", "response": {"id": "resp_1", "model": "m"}},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        },
        {"type": "response.output_item.added", "output_index": 1, "item": {"type": "reasoning", "summary": []}},
        {"type": "response.reasoning_summary_text.delta", "output_index": 1, "delta": "hm"},
        {"type": "response.output_item.added", "output_index": 2, "item": {"type": "message", "content": []}},
        {"type": "response.output_text.delta", "output_index": 2, "delta": "half "},
        {"type": "response.output_text.delta", "output_index": 2, "delta": "of"},
        {
            "type": "response.output_item.added",
            "output_index": 3,
            "item": {"type": "custom_tool_call", "call_id": "c2", "name": "apply_patch", "input": ""},
        },
        {"type": "response.custom_tool_call_input.delta", "output_index": 3, "delta": "*** Beg"},
    )
    assert not got.finished
    assert (got.response_id, got.text, got.thinking) == ("resp_1", "half of", "hm")
    assert [use.id for use in got.calls] == ["c1"]
    assert mapping(got.content[3])["input"] == "*** Beg"


def test_failures() -> None:
    """A failed response, an error event and an error document are errors; an incomplete response counts as complete."""
    assert answer({"type": "response.failed", "response": {"error": {"code": "x"}}}).error == {"code": "x"}
    assert answer({"type": "error", "message": "boom"}).error == {"type": "error", "message": "boom"}
    assembler = OpenAIResponses().assembler()
    assembler.whole({"error": {"message": "no"}})
    assert assembler.settled
    assert assembler.answer().error == {"message": "no"}
    got = answer({"type": "response.incomplete", "response": {"incomplete_details": {"reason": "max_output_tokens"}}})
    assert (got.finished, got.stop_reason) == (True, "max_output_tokens")


def test_a_call_that_the_limit_cut_is_none() -> None:
    """A response may end in the middle of a call, which no agent runs."""
    calls = [
        {"type": "function_call", "call_id": f"c{number}", "name": "f", "arguments": "{}", "status": status}
        for number, status in enumerate(("completed", "incomplete"))
    ]
    body = {"output": calls, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    got = answer({"type": "response.incomplete", "response": body})
    assert [use.id for use in got.calls] == ["c0"]
    assert got.content == calls


def test_an_answer_in_one_piece() -> None:
    """A response that was not streamed is read, with a reasoning summary and a refusal."""
    assembler = OpenAIResponses().assembler()
    assembler.whole(
        {
            "id": "resp_1",
            "status": "completed",
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
                {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]},
            ],
            "usage": {"total_tokens": 3},
        }
    )
    got = assembler.answer()
    assert (got.finished, got.text, got.thinking, got.usage) == (True, "no", "hm", {"total_tokens": 3})
