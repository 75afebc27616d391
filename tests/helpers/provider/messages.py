"""Anthropic's Messages API: one turn as SSE events, or as one JSON document."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.helpers.provider.recognise import Place
    from tests.helpers.provider.script import Turn


def sse(event: str, data: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return f"event: {event}\ndata: {json.dumps(data, separators=(',', ':'), ensure_ascii=False)}\n\n".encode()


def error_event() -> bytes:
    """The error that this API may send in mid-stream."""
    return sse("error", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})


def error_document(status: int) -> dict[str, Any]:
    """The body of an error answer."""
    kinds = {429: "rate_limit_error", 529: "overloaded_error", 401: "authentication_error", 404: "not_found_error"}
    return {"type": "error", "error": {"type": kinds.get(status, "api_error"), "message": f"scripted {status}"}}


def document(place: Place, body: Mapping[str, Any]) -> dict[str, Any]:
    """The whole answer as one document (``stream: false``)."""
    turn = place.conversation.turns[place.turn]
    return _message(
        _identity(place), body, _content(place, body), "tool_use" if turn.tools else "end_turn", _usage(turn)
    )


def side_document(text: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The whole answer to a call that is not the candidate's work."""
    usage = {"input_tokens": 20, "output_tokens": 8}
    return _message(side_identity(text), body, [{"type": "text", "text": text}], "end_turn", usage)


def side_identity(text: str) -> str:
    """The message id of a side answer."""
    return "msg_" + hashlib.sha256(text.encode()).hexdigest()[:24]


def stream(document: Mapping[str, Any], chunk: int) -> Iterator[bytes]:
    """A whole answer cut into the events of a stream."""
    first = dict(document, content=[], stop_reason=None, usage=dict(document["usage"], output_tokens=1))
    yield sse("message_start", {"type": "message_start", "message": first})
    yield sse("ping", {"type": "ping"})
    for index, block in enumerate(document["content"]):
        yield from _block_events(index, block, chunk)
    delta = {"stop_reason": document["stop_reason"], "stop_sequence": None}
    usage = {"output_tokens": document["usage"]["output_tokens"]}
    yield sse("message_delta", {"type": "message_delta", "delta": delta, "usage": usage})
    yield sse("message_stop", {"type": "message_stop"})


def _block_events(index: int, block: Mapping[str, Any], chunk: int) -> Iterator[bytes]:
    if block["type"] == "tool_use":
        start = dict(block, input={})
        pieces = [("input_json_delta", "partial_json", json.dumps(block["input"], ensure_ascii=False))]
    elif block["type"] == "thinking":
        start = dict(block, thinking="", signature="")
        pieces = [
            ("thinking_delta", "thinking", block["thinking"]),
            ("signature_delta", "signature", block["signature"]),
        ]
    else:
        start = dict(block, text="")
        pieces = [("text_delta", "text", block["text"])]
    yield sse("content_block_start", {"type": "content_block_start", "index": index, "content_block": start})
    for kind, name, whole in pieces:
        size = len(whole) if kind == "signature_delta" else chunk
        for at in range(0, len(whole), size):
            delta = {"type": kind, name: whole[at : at + size]}
            yield sse("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta})
    yield sse("content_block_stop", {"type": "content_block_stop", "index": index})


def _content(place: Place, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    turn = place.conversation.turns[place.turn]
    offered = {tool.get("name") for tool in body.get("tools", ())}
    content: list[dict[str, Any]] = []
    if turn.thinking:
        signature = hashlib.sha256(turn.thinking.encode()).hexdigest()
        content.append({"type": "thinking", "thinking": turn.thinking, "signature": signature})
    if turn.text:
        content.append({"type": "text", "text": turn.text})
    for index, tool in enumerate(turn.tools):
        name = "Task" if tool.name == "Agent" and "Agent" not in offered else tool.name
        identity = place.conversation.tool_id(place.turn, index, "toolu_")
        content.append({"type": "tool_use", "id": identity, "name": name, "input": dict(tool.input)})
    return content


def _message(
    identity: str, body: Mapping[str, Any], content: list[dict[str, Any]], stop: str, usage: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "id": identity,
        "type": "message",
        "role": "assistant",
        "model": body.get("model", "scripted"),
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }


def _usage(turn: Turn) -> dict[str, Any]:
    return {
        "input_tokens": turn.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": turn.output_tokens,
    }


def _identity(place: Place) -> str:
    seed = f"{place.conversation.name}/{place.conversation.prompt}/{place.turn}"
    return "msg_" + hashlib.sha256(seed.encode()).hexdigest()[:24]
