"""Anthropic's Messages API: ``POST /v1/messages``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from typing_extensions import override

from promptster.capture.providers.interface import (
    Assembler,
    Item,
    ModelAnswer,
    ModelCall,
    ModelText,
    Provider,
    ToolReturn,
    ToolUse,
    UserText,
    arguments,
    joined_usage,
    load,
    mapping,
    optional_text,
    sequence,
    text_of,
)
from promptster.protocol.events.base import Json

_SYSTEM_KEPT = 4000
_MAX_BLOCKS = 10_000
_THINKING = {"thinking", "redacted_thinking"}
_ATTACHMENTS = {"image", "document"}
_RUN_THERE = {"server_tool_use", "mcp_tool_use"}


class AnthropicMessages(Provider):
    """Requests and responses of ``/v1/messages``."""

    name = "anthropic"
    answered_reasons = frozenset({"end_turn", "tool_use", "stop_sequence"})

    @override
    def is_call(self, method: str, path: str) -> bool:
        # token counts and batches have other paths
        return method == "POST" and path.endswith("/messages")

    @override
    def read(self, body: Mapping[str, Json]) -> ModelCall:
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

    @override
    def assembler(self) -> _Assembler:
        return _Assembler()


def _system(value: Json) -> str:
    if isinstance(value, str):
        return value[:_SYSTEM_KEPT]
    return "\n".join(text_of(mapping(block).get("text"))[:_SYSTEM_KEPT] for block in sequence(value))


def _message_items(message: Mapping[str, Json]) -> Iterator[Item]:
    role, content = message.get("role"), message.get("content")
    alone: list[Json] = [{"type": "text", "text": content}]
    blocks = alone if isinstance(content, str) else sequence(content)
    if role == "assistant":
        yield from _reply_items(blocks)
    elif role == "user":
        yield from _user_items(blocks)


def _reply_items(blocks: list[Json]) -> Iterator[Item]:
    for raw in blocks:
        block = mapping(raw)
        kind = text_of(block.get("type"))
        if kind == "tool_use":
            yield _tool_use(block)
        elif kind not in _THINKING:
            yield ModelText(text=text_of(block.get("text")) or text_of(block.get("id")) or text_of(kind))


def _user_items(blocks: list[Json]) -> Iterator[Item]:
    attachments = tuple(block for block in blocks if text_of(mapping(block).get("type")) in _ATTACHMENTS)
    given = False
    for raw in blocks:
        block = mapping(raw)
        if block.get("type") == "tool_result":
            yield _result(block)
        elif block.get("type") == "text" and isinstance(text := block.get("text"), str):
            yield UserText(text=text, images=attachments)
            given = True
    if attachments and not given:
        is_of_tool = any(mapping(block).get("type") == "tool_result" for block in blocks)
        yield UserText(text="", images=attachments, typed=False if is_of_tool else None)


def _result(block: Mapping[str, Json]) -> ToolReturn:
    content = block.get("content")
    parts = [content] if isinstance(content, str) else [mapping(part).get("text") for part in sequence(content)]
    is_error = block.get("is_error")
    return ToolReturn(
        id=text_of(block.get("tool_use_id")),
        text="\n".join(part for part in parts if isinstance(part, str)),
        is_error=is_error if isinstance(is_error, bool) else None,
        content=content,
    )


class _Assembler(Assembler):
    """Collects content blocks in order and joins their deltas; a block that never stopped is kept as far as it came.

    A block that begins at the index of a stopped one is a new block: some providers send every block at index 0.
    """

    def __init__(self) -> None:
        self._answer = ModelAnswer()
        self._begin()
        self._is_stopped = False
        self._failed = False

    def _begin(self) -> None:
        """Reset everything that belongs to one message."""
        self._blocks: list[dict[str, Any]] = []
        self._places: dict[int, int] = {}
        """The position of each index's latest block among them."""
        self._pieces: dict[tuple[int, str], list[str]] = {}
        self._stopped: set[int] = set()
        self._given: set[int] = set()
        """Blocks that were in the start of the message."""
        self._again: dict[int, int] = {}
        """Blocks that began at the index of a given block, and may only repeat it."""
        self._is_repeated = False
        """Whether the start of the message was sent again."""

    @property
    @override
    def settled(self) -> bool:
        return self._is_stopped or self._failed

    @override
    def event(self, name: str, data: str) -> None:
        body = mapping(load(data))
        match text_of(body.get("type")) or name:
            case "message_start":
                self._start_message(mapping(body.get("message")))
            case "content_block_start":
                self._start(body)
            case "content_block_delta":
                self._delta(self._place(body), mapping(body.get("delta")))
            case "content_block_stop":
                self._stopped.add(self._place(body))
            case "message_delta":
                self._end(body)
            case "message_stop":
                self._is_stopped = True
            case "error":
                self._answer.error = body.get("error") or dict(body)
                self._failed = True
            case _:
                pass

    @override
    def whole(self, body: Json) -> None:
        message = mapping(body)
        if message.get("type") == "error" or "error" in message:
            self._answer.error = message.get("error") or dict(message)
            self._failed = True
            return
        self._head(message)
        self._take_whole(message)
        self._answer.stop_reason = optional_text(message.get("stop_reason"))
        self._is_stopped = message.get("type") == "message"

    @override
    def answer(self) -> ModelAnswer:
        answer = self._answer
        blocks = {place: self._block(place) for place, block in enumerate(self._blocks) if block}
        for place, given in self._again.items():
            if blocks.get(place) == blocks.get(given):
                blocks.pop(given, None)
        whole = [block for place, block in blocks.items() if place in self._stopped]
        answer.content = list(blocks.values())
        answer.text = _texts(list(blocks.values()))
        answer.thinking = "".join(text_of(block.get("thinking")) for block in blocks.values())
        answer.calls = [_tool_use(block) for block in whole if block.get("type") == "tool_use"]
        answer.ran = list(_ran(whole))
        # for the agent a stop reason ends the answer, even without a message_stop event
        answer.finished = self._is_stopped or answer.stop_reason is not None
        return answer

    def _start_message(self, message: Mapping[str, Json]) -> None:
        """Begin a message; after one that broke off, the new message replaces it as the answer."""
        if self._blocks and message.get("id") == self._answer.response_id and not sequence(message.get("content")):
            self._is_repeated = True
        elif self._blocks:
            self._drop()
            self._answer.usage = None
        self._head(message)
        self._take_whole(message)

    def _drop(self) -> None:
        """Move everything so far from the answer to the dropped pieces."""
        self._answer.dropped += self.answer().content
        self._answer.stop_reason = None
        self._begin()

    def _head(self, message: Mapping[str, Json]) -> None:
        self._answer.response_id = optional_text(message.get("id"))
        self._answer.model = optional_text(message.get("model"))
        self._answer.usage = joined_usage(self._answer.usage, message.get("usage"))

    def _take_whole(self, message: Mapping[str, Json]) -> None:
        """Take the blocks that a message contains itself."""
        for index, block in enumerate(sequence(message.get("content"))[:_MAX_BLOCKS]):
            self._places[index] = len(self._blocks)
            self._stopped.add(len(self._blocks))
            self._given.add(len(self._blocks))
            self._blocks.append(dict(mapping(block)))

    def _start(self, body: Mapping[str, Json]) -> None:
        index = body.get("index")
        index = index if isinstance(index, int) else len(self._blocks)
        known = self._places.get(index)
        if known is not None and self._is_repeated:
            self._drop()
        elif known is not None and known not in self._stopped:
            self._answer.dropped.append(self._block(known))
            self._blocks[known] = {}
            for key in ("text", "thinking", "signature", "input"):
                self._pieces.pop((known, key), None)
        if len(self._blocks) < _MAX_BLOCKS:
            if known in self._given:
                self._again[len(self._blocks)] = known
            self._places[index] = len(self._blocks)
            self._blocks.append(dict(mapping(body.get("content_block"))))

    def _delta(self, place: int, delta: Mapping[str, Json]) -> None:
        if place < 0:
            return
        match delta.get("type"):
            case "text_delta":
                self._add(place, "text", delta.get("text"))
            case "thinking_delta":
                self._add(place, "thinking", delta.get("thinking"))
            case "signature_delta":
                self._add(place, "signature", delta.get("signature"))
            case "input_json_delta":
                self._add(place, "input", delta.get("partial_json"))
            case "citations_delta":
                self._blocks[place].setdefault("citations", [])
                sequence(self._blocks[place]["citations"]).append(delta.get("citation"))
            case _:
                pass

    def _add(self, place: int, key: str, piece: Json) -> None:
        if isinstance(piece, str):
            self._pieces.setdefault((place, key), []).append(piece)

    def _end(self, body: Mapping[str, Json]) -> None:
        reason = optional_text(mapping(body.get("delta")).get("stop_reason"))
        self._answer.stop_reason = reason or self._answer.stop_reason
        self._answer.usage = joined_usage(self._answer.usage, body.get("usage"))

    def _block(self, place: int) -> dict[str, Any]:
        block = dict(self._blocks[place])
        for key in ("text", "thinking", "signature"):
            pieces = self._pieces.get((place, key))
            if pieces is not None:
                block[key] = text_of(block.get(key)) + "".join(pieces)
        partial = self._pieces.get((place, "input"))
        if partial is not None and "".join(partial):
            block["input"] = arguments("".join(partial))
        return block

    def _place(self, body: Mapping[str, Json]) -> int:
        """The position of an event's block; the latest one if the event names none, and -1 if there is none."""
        index = body.get("index")
        return self._places.get(index, -1) if isinstance(index, int) else len(self._blocks) - 1


def _tool_use(block: Mapping[str, Json]) -> ToolUse:
    return ToolUse(id=text_of(block.get("id")), name=text_of(block.get("name")), input=block.get("input"))


def _texts(blocks: Sequence[Mapping[str, Json]]) -> str:
    """The text of an answer; texts before and after a tool call are separate paragraphs."""
    found: list[str] = []
    is_apart = False
    for block in blocks:
        if block.get("type") == "text":
            text = text_of(block.get("text"))
            found += ["\n\n", text] if is_apart and text and any(found) else [text]
            is_apart = is_apart and not text
        elif block.get("type") not in _THINKING:
            is_apart = True
    return "".join(found)


def _ran(blocks: Sequence[Mapping[str, Json]]) -> Iterator[ToolUse | ToolReturn]:
    """The tools that Anthropic runs itself, and their results."""
    for block in blocks:
        kind = text_of(block.get("type"))
        if kind in _RUN_THERE:
            yield _tool_use(block)
        elif kind.endswith("_tool_result") and "tool_use_id" in block:
            result = _result(block)
            failed = text_of(mapping(block.get("content")).get("type")).endswith("_error")
            yield dataclasses.replace(result, is_error=True) if failed else result
