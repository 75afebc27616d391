"""OpenAI's chat completions API, which many other providers offer too: ``POST /chat/completions``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from typing_extensions import override

from promptster.capture.providers.chat_calls import StreamedCalls
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
    is_object,
    joined_usage,
    load,
    mapping,
    optional_text,
    sequence,
    text_of,
)
from promptster.protocol.events.base import Json

_SYSTEM_KEPT = 4000
_MAX_CHOICES = 100
_REASONING = ("reasoning_content", "reasoning")


class OpenAIChat(Provider):
    """Requests and responses of ``/chat/completions``; the first choice is the answer."""

    name = "openai_chat"
    answered_reasons = frozenset({"stop", "tool_calls"})

    @override
    def is_call(self, method: str, path: str) -> bool:
        return method == "POST" and path.endswith("/chat/completions")

    @override
    def read(self, body: Mapping[str, Json]) -> ModelCall:
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

    @override
    def assembler(self) -> _Assembler:
        return _Assembler()


def _text(content: Json) -> str:
    if isinstance(content, str):
        return content
    parts = [content] if is_object(content) else sequence(content)
    return "".join(text_of(part) or text_of(mapping(part).get("text")) for part in parts)


def _message_items(message: Mapping[str, Json]) -> Iterator[Item]:
    role, content = message.get("role"), message.get("content")
    if role == "user":
        images = tuple(part for part in sequence(content) if is_object(part) and mapping(part).get("type") != "text")
        yield UserText(text=_text(content), images=images)
    elif role in {"tool", "function"}:
        yield ToolReturn(id=text_of(message.get("tool_call_id")), text=_text(content), content=content)
    elif role == "assistant":
        if text := _text(content):
            yield ModelText(text=text)
        yield from (_tool_use(mapping(call)) for call in sequence(message.get("tool_calls")))
        if is_object(message.get("function_call")):
            yield _tool_use({"function": message["function_call"]})


def _tool_use(call: Mapping[str, Json]) -> ToolUse:
    function = mapping(call.get("function"))
    given = arguments(function.get("arguments"))
    return ToolUse(id=text_of(call.get("id")), name=text_of(function.get("name")), input=given)


class _Choice:
    """The deltas of one choice, joined."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._calls = StreamedCalls()

    @property
    def text(self) -> str:
        return "".join(self._text)

    @property
    def thinking(self) -> str:
        return "".join(self._thinking)

    def calls(self) -> list[dict[str, Any]]:
        return self._calls.joined()

    def message(self) -> dict[str, Any] | None:
        """The choice in the form of an answer that was not streamed; ``None`` if it is empty."""
        calls = self.calls()
        message = {"role": "assistant", "content": self.text or None, **({"tool_calls": calls} if calls else {})}
        return message if self.text or calls else None

    def take(self, message: Mapping[str, Json], *, is_whole: bool) -> None:
        content = message.get("content")
        self._text.append(_text(content) or text_of(message.get("refusal")))
        reasoning = (text_of(message.get(key)) for key in _REASONING)
        self._thinking.append(next(filter(None, reasoning), "") or _thoughts(content))
        calls = message.get("tool_calls")
        for place, raw in enumerate([calls] if is_object(calls) else sequence(calls)):
            self._calls.take(mapping(raw), is_whole=is_whole, is_further=place > 0)
        if function := mapping(message.get("function_call")):
            self._calls.take({"function": function}, is_whole=is_whole)


class _Assembler(Assembler):
    """Assembles the first choice as the answer; other choices, which agents ignore, are kept in its content."""

    def __init__(self) -> None:
        self._answer = ModelAnswer()
        self._first = _Choice()
        self._others: dict[int, _Choice] = {}
        self._failed = False

    @property
    @override
    def settled(self) -> bool:
        return self._answer.finished or self._failed

    @override
    def event(self, name: str, data: str) -> None:
        del name
        if data.strip() == "[DONE]":
            self._answer.finished = not self._failed
            return
        self._take(mapping(load(data)), "delta")

    @override
    def whole(self, body: Json) -> None:
        self._take(mapping(body), "message")
        self._answer.finished = not self._failed and "choices" in mapping(body)

    @override
    def answer(self) -> ModelAnswer:
        answer = self._answer
        answer.text, answer.thinking = self._first.text, self._first.thinking
        answer.ended = answer.stop_reason is not None and not self._failed
        is_whole = answer.finished or answer.ended
        answer.calls = [_tool_use(call) for call in self._first.calls()] if is_whole else []
        first, others = self._first.message(), [(place, other.message()) for place, other in self._others.items()]
        answer.content = [*([first] if first else []), *({**other, "index": place} for place, other in others if other)]
        return answer

    def _take(self, body: Mapping[str, Json], key: str) -> None:
        if body.get("error"):
            self._answer.error = body["error"]
            self._failed = True
            return
        self._answer.response_id = optional_text(body.get("id")) or self._answer.response_id
        self._answer.model = optional_text(body.get("model")) or self._answer.model
        self._answer.usage = joined_usage(self._answer.usage, body.get("usage"))
        for raw in sequence(body.get("choices")):
            choice = mapping(raw)
            place = choice.get("index")
            form = key if key in choice else "message"
            if not place:
                self._answer.stop_reason = optional_text(choice.get("finish_reason")) or self._answer.stop_reason
                self._answer.usage = joined_usage(self._answer.usage, choice.get("usage"))
                self._first.take(mapping(choice.get(form)), is_whole=form == "message")
            elif isinstance(place, int) and (place in self._others or len(self._others) < _MAX_CHOICES):
                other = self._others.setdefault(place, _Choice())
                other.take(mapping(choice.get(form)), is_whole=form == "message")


def _thoughts(content: Json) -> str:
    """The thinking in a content that consists of parts."""
    thoughts = (mapping(part).get("thinking") for part in sequence(content))
    return "".join(_text(thought) for thought in thoughts)
