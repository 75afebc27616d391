"""Anthropic's Messages API: ``POST /v1/messages``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from promptster.capture.providers.interface import (
    Answer,
    Item,
    Json,
    ModelCall,
    Reply,
    ToolResult,
    ToolUse,
    UserText,
    arguments,
    load,
    mapping,
    optional_text,
    sequence,
    text_of,
)

_SYSTEM_KEPT = 4000
_MAX_BLOCKS = 10_000
_THINKING = {"thinking", "redacted_thinking"}
_ATTACHMENTS = {"image", "document"}


class AnthropicMessages:
    """Requests and responses of ``/v1/messages``."""

    name = "anthropic"

    def is_call(self, method: str, path: str) -> bool:
        """Counting tokens and batches are not calls."""
        return method == "POST" and path.endswith("/messages")

    def read(self, body: Mapping[str, Json]) -> ModelCall:
        """The conversation of a request."""
        items: list[Item] = []
        for message in sequence(body.get("messages")):
            items.extend(_message_items(mapping(message)))
        return ModelCall(
            model=optional_text(body.get("model")),
            stream=body.get("stream") is True,
            items=tuple(items),
            system=_system(body.get("system")),
            tools=frozenset(text_of(mapping(tool).get("name")) for tool in sequence(body.get("tools"))),
        )

    def assembler(self) -> _Assembler:
        """For one response."""
        return _Assembler()


def _system(value: Json) -> str:
    if isinstance(value, str):
        return value[:_SYSTEM_KEPT]
    return "\n".join(text_of(mapping(block).get("text"))[:_SYSTEM_KEPT] for block in sequence(value))


def _message_items(message: Mapping[str, Json]) -> Iterator[Item]:
    role, content = message.get("role"), message.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else sequence(content)
    if role == "assistant":
        yield from _reply_items(blocks)
    elif role == "user":
        yield from _user_items(blocks)


def _reply_items(blocks: list[Json]) -> Iterator[Item]:
    for raw in blocks:
        block = mapping(raw)
        kind = text_of(block.get("type"))
        if kind == "tool_use":
            yield ToolUse(id=text_of(block.get("id")), name=text_of(block.get("name")), input=block.get("input"))
        elif kind not in _THINKING:
            yield Reply(text=text_of(block.get("text")) or text_of(block.get("id")) or text_of(kind))


def _user_items(blocks: list[Json]) -> Iterator[Item]:
    attachments = tuple(block for block in blocks if text_of(mapping(block).get("type")) in _ATTACHMENTS)
    given = False
    for raw in blocks:
        block = mapping(raw)
        if block.get("type") == "tool_result":
            yield _result(block)
        elif block.get("type") == "text" and isinstance(block.get("text"), str):
            yield UserText(text=block["text"], images=attachments)
            given = True
    if attachments and not given:
        yield UserText(text="", images=attachments)


def _result(block: Mapping[str, Json]) -> ToolResult:
    content = block.get("content")
    parts = [content] if isinstance(content, str) else [mapping(part).get("text") for part in sequence(content)]
    is_error = block.get("is_error")
    return ToolResult(
        id=text_of(block.get("tool_use_id")),
        text="\n".join(part for part in parts if isinstance(part, str)),
        is_error=is_error if isinstance(is_error, bool) else None,
        content=content,
    )


class _Assembler:
    """Content blocks by index, deltas joined; a block that never stopped is kept as far as it came."""

    def __init__(self) -> None:
        self._answer = Answer()
        self._blocks: dict[int, dict[str, Any]] = {}
        self._pieces: dict[tuple[int, str], list[str]] = {}
        self._stopped: set[int] = set()
        self._failed = False

    @property
    def settled(self) -> bool:
        return self._answer.finished or self._failed

    def event(self, name: str, data: str) -> None:
        body = mapping(load(data))
        match text_of(body.get("type")) or name:
            case "message_start":
                self._head(mapping(body.get("message")))
            case "content_block_start":
                self._start(body)
            case "content_block_delta":
                self._delta(_index(body), mapping(body.get("delta")))
            case "content_block_stop":
                self._stopped.add(_index(body))
            case "message_delta":
                self._end(body)
            case "message_stop":
                self._answer.finished = True
            case "error":
                self._answer.error = body.get("error") or dict(body)
                self._failed = True
            case _:
                pass

    def whole(self, body: Json) -> None:
        message = mapping(body)
        if message.get("type") == "error" or "error" in message:
            self._answer.error = message.get("error") or dict(message)
            self._failed = True
            return
        self._head(message)
        for index, block in enumerate(sequence(message.get("content"))):
            self._blocks[index] = dict(mapping(block))
            self._stopped.add(index)
        self._answer.stop_reason = optional_text(message.get("stop_reason"))
        self._answer.finished = message.get("type") == "message"

    def answer(self) -> Answer:
        answer = self._answer
        blocks = [self._block(index) for index in sorted(self._blocks)]
        answer.content = [block for _, block in blocks]
        answer.text = "".join(text_of(block.get("text")) for _, block in blocks if block.get("type") == "text")
        answer.thinking = "".join(text_of(block.get("thinking")) for _, block in blocks)
        answer.calls = [
            ToolUse(id=text_of(block.get("id")), name=text_of(block.get("name")), input=block.get("input"))
            for index, block in blocks
            if block.get("type") == "tool_use" and index in self._stopped
        ]
        return answer

    def _head(self, message: Mapping[str, Json]) -> None:
        self._answer.response_id = optional_text(message.get("id"))
        self._answer.model = optional_text(message.get("model"))
        if usage := mapping(message.get("usage")):
            self._answer.usage = dict(usage)

    def _start(self, body: Mapping[str, Json]) -> None:
        if len(self._blocks) < _MAX_BLOCKS:
            self._blocks[_index(body)] = dict(mapping(body.get("content_block")))

    def _delta(self, index: int, delta: Mapping[str, Json]) -> None:
        if index not in self._blocks:
            return
        match delta.get("type"):
            case "text_delta":
                self._add(index, "text", delta.get("text"))
            case "thinking_delta":
                self._add(index, "thinking", delta.get("thinking"))
            case "signature_delta":
                self._add(index, "signature", delta.get("signature"))
            case "input_json_delta":
                self._add(index, "input", delta.get("partial_json"))
            case "citations_delta":
                self._blocks[index].setdefault("citations", [])
                sequence(self._blocks[index]["citations"]).append(delta.get("citation"))
            case _:
                pass

    def _add(self, index: int, key: str, piece: Json) -> None:
        if isinstance(piece, str):
            self._pieces.setdefault((index, key), []).append(piece)

    def _end(self, body: Mapping[str, Json]) -> None:
        reason = optional_text(mapping(body.get("delta")).get("stop_reason"))
        self._answer.stop_reason = reason or self._answer.stop_reason
        if usage := mapping(body.get("usage")):
            self._answer.usage = {**mapping(self._answer.usage), **usage}

    def _block(self, index: int) -> tuple[int, dict[str, Any]]:
        block = dict(self._blocks[index])
        for key in ("text", "thinking", "signature"):
            pieces = self._pieces.get((index, key))
            if pieces is not None:
                block[key] = text_of(block.get(key)) + "".join(pieces)
        partial = self._pieces.get((index, "input"))
        if partial is not None and "".join(partial):
            block["input"] = arguments("".join(partial))
        return index, block


def _index(body: Mapping[str, Json]) -> int:
    index = body.get("index")
    return index if isinstance(index, int) else -1
