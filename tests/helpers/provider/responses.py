"""OpenAI's Responses API as Codex speaks it: one turn as SSE events."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tests.helpers.provider.messages import sse
from tests.helpers.provider.recognise import offered_tools

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.helpers.provider.recognise import Place


def error_event(document: Mapping[str, Any]) -> bytes:
    """The failure that this API may send in mid-stream."""
    error = {"code": "server_error", "message": "The server had an error"}
    failed = dict(document, status="failed", error=error, output=[], usage=None)
    return sse("response.failed", {"type": "response.failed", "sequence_number": 99, "response": failed})


def error_document(status: int) -> dict[str, Any]:
    """The body of an error answer."""
    kinds = {429: "rate_limit_exceeded", 503: "server_is_overloaded", 529: "server_is_overloaded"}
    code = kinds.get(status, "server_error")
    return {"error": {"message": f"scripted {status}", "type": "server_error", "param": None, "code": code}}


def document(place: Place, body: Mapping[str, Any]) -> dict[str, Any]:
    """The whole answer as one document."""
    turn = place.conversation.turns[place.turn]
    seed = hashlib.sha256(f"{place.conversation.name}/{place.conversation.prompt}/{place.turn}".encode()).hexdigest()
    kinds = _tool_kinds(body)
    output: list[dict[str, Any]] = []
    if turn.thinking:
        output.append(_reasoning(turn.thinking, f"rs_{seed[:32]}"))
    if turn.text:
        output.append(_message(turn.text, f"msg_{seed[:32]}"))
    for index, tool in enumerate(turn.tools):
        call = place.conversation.tool_id(place.turn, index, "call_")
        output.append(_call(tool.name, tool.input, call, kinds.get(tool.name, {})))
    return _response(f"resp_{seed[:32]}", body, output, turn.input_tokens, turn.output_tokens)


def side_document(text: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The whole answer to a call that is not the candidate's work."""
    seed = hashlib.sha256(text.encode()).hexdigest()
    return _response(f"resp_{seed[:32]}", body, [_message(text, f"msg_{seed[:32]}")], 20, 8)


def stream(document: Mapping[str, Any], chunk: int) -> Iterator[bytes]:
    """A whole answer cut into the events of a stream."""
    number = 0

    def event(kind: str, **fields: Any) -> bytes:
        nonlocal number
        number += 1
        return sse(kind, {"type": kind, "sequence_number": number - 1, **fields})

    begun = dict(document, status="in_progress", output=[], usage=None)
    yield event("response.created", response=begun)
    yield event("response.in_progress", response=begun)
    for index, item in enumerate(document["output"]):
        place = {"output_index": index, "item_id": item["id"]}
        yield event("response.output_item.added", output_index=index, item=_begun(item))
        yield from (event(kind, **place, **fields) for kind, fields in _inner(item, chunk))
        yield event("response.output_item.done", output_index=index, item=item)
    yield event("response.completed", response=document)


def _begun(item: Mapping[str, Any]) -> dict[str, Any]:
    empty: dict[str, dict[str, Any]] = {
        "message": {"content": []},
        "reasoning": {"summary": []},
        "function_call": {"arguments": ""},
        "custom_tool_call": {"input": ""},
    }
    return {**item, **empty[item["type"]], **({"status": "in_progress"} if "status" in item else {})}


def _inner(item: Mapping[str, Any], chunk: int) -> Iterator[tuple[str, dict[str, Any]]]:
    if item["type"] == "message":
        part = item["content"][0]
        yield "response.content_part.added", {"content_index": 0, "part": {**part, "text": ""}}
        for piece in _cut(part["text"], chunk):
            yield "response.output_text.delta", {"content_index": 0, "delta": piece, "logprobs": []}
        yield "response.output_text.done", {"content_index": 0, "text": part["text"], "logprobs": []}
        yield "response.content_part.done", {"content_index": 0, "part": part}
    elif item["type"] == "reasoning":
        part = item["summary"][0]
        yield "response.reasoning_summary_part.added", {"summary_index": 0, "part": {**part, "text": ""}}
        for piece in _cut(part["text"], chunk):
            yield "response.reasoning_summary_text.delta", {"summary_index": 0, "delta": piece}
        yield "response.reasoning_summary_text.done", {"summary_index": 0, "text": part["text"]}
        yield "response.reasoning_summary_part.done", {"summary_index": 0, "part": part}
    elif item["type"] == "function_call":
        for piece in _cut(item["arguments"], chunk):
            yield "response.function_call_arguments.delta", {"delta": piece}
        yield "response.function_call_arguments.done", {"arguments": item["arguments"]}
    else:
        for piece in _cut(item["input"], chunk):
            yield "response.custom_tool_call_input.delta", {"delta": piece}
        yield "response.custom_tool_call_input.done", {"input": item["input"]}


def _cut(text: str, chunk: int) -> Iterator[str]:
    return (text[at : at + chunk] for at in range(0, len(text), chunk))


def _tool_kinds(body: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The tools on offer by name; a tool inside a namespace remembers the namespace's name."""
    kinds: dict[str, dict[str, Any]] = {}
    for tool in offered_tools(body):
        if tool.get("type") == "namespace":
            for inner in tool.get("tools", ()):
                kinds[inner.get("name", "")] = {**inner, "namespace": tool.get("name")}
        else:
            kinds[tool.get("name", "")] = tool
    return kinds


def _call(name: str, arguments: Mapping[str, Any], call: str, offered: Mapping[str, Any]) -> dict[str, Any]:
    if offered.get("type") == "custom":
        text = str(arguments["input"])
        identity = f"ctc_{call}"
        return {
            "id": identity,
            "type": "custom_tool_call",
            "status": "completed",
            "call_id": call,
            "name": name,
            "input": text,
        }
    item: dict[str, Any] = {
        "id": f"fc_{call}",
        "type": "function_call",
        "status": "completed",
        "call_id": call,
        "name": name,
        "arguments": json.dumps(arguments, ensure_ascii=False),
    }
    if offered.get("namespace"):
        item["namespace"] = offered["namespace"]
    return item


def _reasoning(text: str, identity: str) -> dict[str, Any]:
    sealed = hashlib.sha256(text.encode()).hexdigest()
    summary = [{"type": "summary_text", "text": text}]
    return {"id": identity, "type": "reasoning", "summary": summary, "encrypted_content": sealed}


def _message(text: str, identity: str) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": identity, "type": "message", "status": "completed", "role": "assistant", "content": [part]}


def _response(
    identity: str, body: Mapping[str, Any], output: list[dict[str, Any]], tokens_in: int, tokens_out: int
) -> dict[str, Any]:
    usage = {
        "input_tokens": tokens_in,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": tokens_out,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens_in + tokens_out,
    }
    return {
        "id": identity,
        "object": "response",
        "created_at": 1_767_225_600,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": body.get("model", "scripted"),
        "output": output,
        "parallel_tool_calls": True,
        "usage": usage,
    }
