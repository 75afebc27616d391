"""OpenAI's chat completions, which many other providers speak too: ``POST /chat/completions``."""

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
_MAX_CALLS = 1000
_REASONING = ("reasoning_content", "reasoning")


class OpenAIChat:
    """Requests and responses of ``/chat/completions``; the first choice is the answer."""

    name = "openai_chat"

    def is_call(self, method: str, path: str) -> bool:
        """Only the creation of a completion."""
        return method == "POST" and path.endswith("/chat/completions")

    def read(self, body: Mapping[str, Json]) -> ModelCall:
        """The conversation of a request."""
        items: list[Item] = []
        system = ""
        for raw in sequence(body.get("messages")):
            message = mapping(raw)
            if text_of(message.get("role")) in {"system", "developer"}:
                system = system or _text(message.get("content"))[:_SYSTEM_KEPT]
            items.extend(_message_items(message))
        tools = (mapping(mapping(tool).get("function")).get("name") for tool in sequence(body.get("tools")))
        return ModelCall(
            model=optional_text(body.get("model")),
            stream=body.get("stream") is True,
            items=tuple(items),
            system=system,
            tools=frozenset(text_of(name) for name in tools),
        )

    def assembler(self) -> _Assembler:
        """For one response."""
        return _Assembler()


def _text(content: Json) -> str:
    if isinstance(content, str):
        return content
    return "".join(text_of(mapping(part).get("text")) for part in sequence(content))


def _message_items(message: Mapping[str, Json]) -> Iterator[Item]:
    role, content = message.get("role"), message.get("content")
    if role == "user":
        images = tuple(part for part in sequence(content) if mapping(part).get("type") != "text")
        yield UserText(text=_text(content), images=images)
    elif role == "tool":
        yield ToolResult(id=text_of(message.get("tool_call_id")), text=_text(content), content=content)
    elif role == "assistant":
        if text := _text(content):
            yield Reply(text=text)
        yield from (_tool_use(mapping(call)) for call in sequence(message.get("tool_calls")))


def _tool_use(call: Mapping[str, Json]) -> ToolUse:
    function = mapping(call.get("function"))
    given = arguments(function.get("arguments"))
    return ToolUse(id=text_of(call.get("id")), name=text_of(function.get("name")), input=given)


class _Assembler:
    """The first choice's deltas, joined."""

    def __init__(self) -> None:
        self._answer = Answer()
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._failed = False

    @property
    def settled(self) -> bool:
        return self._answer.finished or self._failed

    def event(self, name: str, data: str) -> None:
        del name
        if data.strip() == "[DONE]":
            self._answer.finished = not self._failed
            return
        self._take(mapping(load(data)), "delta")

    def whole(self, body: Json) -> None:
        self._take(mapping(body), "message")
        self._answer.finished = not self._failed and "choices" in mapping(body)

    def answer(self) -> Answer:
        answer = self._answer
        answer.text, answer.thinking = "".join(self._text), "".join(self._thinking)
        calls = [_joined(self._calls[index]) for index in sorted(self._calls)]
        answer.calls = [_tool_use(call) for call in calls] if answer.finished else []
        message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
        answer.content = [{**message, **({"tool_calls": calls} if calls else {})}] if answer.text or calls else []
        return answer

    def _take(self, body: Mapping[str, Json], key: str) -> None:
        if body.get("error"):
            self._answer.error = body["error"]
            self._failed = True
            return
        self._answer.response_id = optional_text(body.get("id")) or self._answer.response_id
        self._answer.model = optional_text(body.get("model")) or self._answer.model
        self._answer.usage = body.get("usage") or self._answer.usage
        for raw in sequence(body.get("choices")):
            choice = mapping(raw)
            if choice.get("index", 0) == 0:
                self._answer.stop_reason = optional_text(choice.get("finish_reason")) or self._answer.stop_reason
                self._message(mapping(choice.get(key)))

    def _message(self, message: Mapping[str, Json]) -> None:
        self._text.append(text_of(message.get("content")) or text_of(message.get("refusal")))
        self._thinking.extend(text_of(message.get(key)) for key in _REASONING)
        for position, raw in enumerate(sequence(message.get("tool_calls"))):
            call = mapping(raw)
            index = call.get("index", position)
            if isinstance(index, int) and (index in self._calls or len(self._calls) < _MAX_CALLS):
                self._call(self._calls.setdefault(index, {"id": "", "name": "", "pieces": []}), call)

    @staticmethod
    def _call(known: dict[str, Any], call: Mapping[str, Json]) -> None:
        function = mapping(call.get("function"))
        known["id"] = text_of(call.get("id")) or known["id"]
        known["name"] += text_of(function.get("name"))
        known["pieces"].append(text_of(function.get("arguments")))


def _joined(known: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": known["name"], "arguments": "".join(known["pieces"])}
    return {"id": known["id"], "type": "function", "function": function}
