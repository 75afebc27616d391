"""OpenAI's Responses API: ``POST /responses`` and ``POST /responses/compact``.

It also reads what Codex alone adds to this API so far: the origin of a text, tags around attachments, and messages
between agents. A request without them is read as the API says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from typing_extensions import override

from promptster.capture.providers.interface import (
    Assembler,
    Item,
    ModelAnswer,
    ModelCall,
    ModelText,
    Provider,
    Summary,
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
_MAX_ITEMS = 10_000
_CALLS = {"function_call", "custom_tool_call", "local_shell_call"}
_RESULTS = {"function_call_output", "custom_tool_call_output", "local_shell_call_output"}
_INPUTS = ("arguments", "action", "operation")
_OUTPUTS = ("output", "tools")
_GIVEN_THERE = ("queries", "code", "revised_prompt")
"""Further fields with the arguments of tools that OpenAI runs itself."""
_BROUGHT = ("results", "outputs", "output", "result", "error")
_LABEL = re.compile(r"\s*<(/?)(?:image|audio|file|video)(?:\s[^<>]*)?>\s*")
_SUMMARIES = {"compaction", "compaction_summary", "context_compaction"}
_QUIET = {"reasoning", "item_reference", "compaction_trigger"}
_FINAL = {"response.completed", "response.incomplete", "response.done"}
_FAILED = {"response.failed", "response.error", "error"}


class OpenAIResponses(Provider):
    """Requests and responses of ``/responses``."""

    name = "openai"
    answered_reasons = frozenset({"completed"})

    @override
    def is_call(self, method: str, path: str) -> bool:
        return method == "POST" and path.endswith(("/responses", "/responses/compact"))

    @override
    def read(self, body: Mapping[str, Json]) -> ModelCall:
        given = body.get("input")
        raw = [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else sequence(given)
        items: list[Item] = []
        tools = set(_tool_names(body.get("tools")))
        for entry in raw:
            items.extend(_items(mapping(entry)))
            tools.update(_tool_names(mapping(entry).get("tools")))
        return ModelCall(
            model=optional_text(body.get("model")),
            stream=body.get("stream") is True,
            items=tuple(items),
            previous=optional_text(body.get("previous_response_id")),
            system=text_of(body.get("instructions"))[:_SYSTEM_KEPT],
            tools=frozenset(tools),
        )

    @override
    def assembler(self) -> _Assembler:
        return _Assembler()


def _tool_names(value: Json) -> Iterator[str]:
    for entry in sequence(value):
        tool = mapping(entry)
        yield text_of(tool.get("name")) or text_of(tool.get("type"))
        yield from (text_of(mapping(inner).get("name")) for inner in sequence(tool.get("tools")))


def _items(entry: Mapping[str, Json]) -> Iterator[Item]:
    kind = text_of(entry.get("type", "message"))
    if kind == "message":
        yield from _message_items(entry)
    elif _is_call(entry):
        yield tool_use(entry)
    elif kind in _RESULTS or (kind.endswith("_output") and _is_answered_here(entry)):
        yield _result(entry)
    elif kind == "agent_message":
        yield UserText(text=_agent_message(entry), typed=False)
    elif kind in _SUMMARIES:
        yield Summary(key=text_of(entry.get("id")) or text_of(entry.get("encrypted_content"))[:200])
    elif kind not in _QUIET and text_of(entry.get("role")) not in {"developer", "system"} and "id" in entry:
        yield ModelText(text=text_of(entry.get("id")))


def _is_call(entry: Mapping[str, Json]) -> bool:
    """Whether an item asks the agent, not the provider, to run a tool of any kind."""
    kind = text_of(entry.get("type"))
    return kind in _CALLS or (kind.endswith("_call") and _is_answered_here(entry))


def _is_answered_here(entry: Mapping[str, Json]) -> bool:
    """Whether the agent runs this call: calls that the provider runs have no call id, or say so."""
    return bool(text_of(entry.get("call_id"))) and entry.get("execution") != "server"


def _message_items(entry: Mapping[str, Json]) -> Iterator[Item]:
    role, content = entry.get("role"), entry.get("content")
    alone: list[Json] = [{"type": "input_text", "text": content}]
    parts = alone if isinstance(content, str) else sequence(content)
    if role == "assistant":
        yield ModelText(text="".join(text_of(mapping(part).get("text")) for part in parts))
    elif role == "user":
        yield from _user_items(entry, parts)


def _agent_message(entry: Mapping[str, Json]) -> str:
    """A message from one agent to another; the task may be in a field for encrypted content."""
    parts = (mapping(part) for part in sequence(entry.get("content")))
    return "".join(text_of(part.get("text")) or text_of(part.get("encrypted_content")) for part in parts)


def _user_items(entry: Mapping[str, Json], parts: list[Json]) -> Iterator[Item]:
    images = tuple(part for part in parts if text_of(mapping(part).get("type")) in {"input_image", "input_file"})
    passed = mapping(entry.get("internal_chat_message_metadata_passthrough"))
    kinds, origins = sequence(passed.get("content_item_kinds")), sequence(passed.get("content_item_metadata"))
    given = False
    for index, part in enumerate(parts):
        text = mapping(part).get("text")
        if isinstance(text, str) and _is_label(parts, index, text):
            yield UserText(text=text, images=images, typed=False)
        elif isinstance(text, str):
            kind = text_of(kinds[index]) if index < len(kinds) else ""
            origin = mapping(mapping(origins[index] if index < len(origins) else None).get("provenance"))
            yield UserText(text=text, images=images, typed=_typed(kind, text_of(origin.get("type"))))
            given = True
    if images and not given:
        yield UserText(text="", images=images)


def _is_label(parts: list[Json], index: int, text: str) -> bool:
    """Whether a text is only a tag around an attachment, as Codex writes it."""
    tag = _LABEL.fullmatch(text)
    neighbor = index - 1 if tag and tag[1] else index + 1
    has_neighbor = tag is not None and 0 <= neighbor < len(parts)
    return has_neighbor and not isinstance(mapping(parts[neighbor]).get("text"), str)


def _typed(kind: str, origin: str) -> bool | None:
    """Whether a person typed a text, by the origin that the request names; ``None`` if it names none."""
    if not kind and not origin:
        return None
    return origin == "user" or kind.startswith("user.")


def tool_use(entry: Mapping[str, Json]) -> ToolUse:
    """The call in an item; without a name, the tool is named after the item's type (``tool_search_call``)."""
    kind = text_of(entry.get("type"))
    name = text_of(entry.get("name")) or kind.removesuffix("_call")
    given = next((entry[field] for field in _INPUTS if field in entry), None)
    given = entry.get("input") if kind == "custom_tool_call" else arguments(given)
    return ToolUse(id=_call_id(entry), name=name, input=given)


def _call_id(entry: Mapping[str, Json]) -> str:
    return text_of(entry.get("call_id")) or text_of(entry.get("id"))


def _result(entry: Mapping[str, Json]) -> ToolReturn:
    output = next((entry[field] for field in _OUTPUTS if field in entry), None)
    parts = [output] if isinstance(output, str) else [mapping(part).get("text") for part in sequence(output)]
    success = mapping(output).get("success")
    if is_object(output):
        parts = [mapping(output).get("content")]
    return ToolReturn(
        id=_call_id(entry),
        text="\n".join(part for part in parts if isinstance(part, str)),
        is_error=not success if isinstance(success, bool) else None,
        content=output,
    )


class _Assembler(Assembler):
    """Collects output items in order, and replaces each by its final form when that arrives.

    An item whose id differs from that of the item at its index is a new item: some providers send every item at index 0
    or without an index.
    """

    def __init__(self) -> None:
        self._answer = ModelAnswer()
        self._begin()
        self._failed = False

    def _begin(self) -> None:
        """Reset everything that belongs to one response."""
        self._items: list[dict[str, Any]] = []
        self._places: dict[int, int] = {}
        """The position of the latest item of each index among them."""
        self._done: set[int] = set()
        self._pieces: dict[int, dict[str, list[str]]] = {}

    @property
    @override
    def settled(self) -> bool:
        return self._answer.finished or self._failed

    @override
    def event(self, name: str, data: str) -> None:
        body = mapping(load(data))
        kind = text_of(body.get("type")) or name
        if kind in _FINAL:
            self._finish(mapping(body.get("response")))
        elif kind in _FAILED:
            self._fail(body)
        elif kind in {"response.created", "response.in_progress"}:
            self._start(mapping(body.get("response")))
        else:
            self._piece(kind, body)

    @override
    def whole(self, body: Json) -> None:
        response = mapping(body)
        if response.get("error"):
            self._answer.error = response["error"]
            self._failed = True
        elif "output" in response:
            self._finish(response)

    @override
    def answer(self) -> ModelAnswer:
        answer = self._answer
        items = [(place, self._item(place)) for place in range(len(self._items))]
        answer.content = [item for _, item in items]
        answer.text = "".join(_message_text(item) for _, item in items)
        answer.thinking = "\n\n".join(filter(None, (_reasoning_text(item) for _, item in items)))
        done = [item for index, item in items if index in self._done and item.get("status") != "incomplete"]
        answer.calls = [tool_use(item) for item in done if _is_call(item)]
        answer.ran = [entry for item in done for entry in _ran(item)]
        return answer

    def _start(self, response: Mapping[str, Json]) -> None:
        """Begin a response; after one that broke off, the new response replaces it as the answer."""
        named = optional_text(response.get("id"))
        if self._items and named and self._answer.response_id not in {None, named}:
            self._answer.dropped += self.answer().content
            self._answer.usage = None
            self._begin()
        self._head(response)

    def _head(self, response: Mapping[str, Json]) -> None:
        self._answer.response_id = optional_text(response.get("id")) or self._answer.response_id
        self._answer.model = optional_text(response.get("model")) or self._answer.model

    def _finish(self, response: Mapping[str, Json]) -> None:
        self._head(response)
        output = sequence(response.get("output"))
        if output or not self._items:
            self._items = [dict(mapping(item)) for item in output[:_MAX_ITEMS]]
            self._pieces.clear()
            self._done = set(range(len(self._items)))
        reason = mapping(response.get("incomplete_details")).get("reason")
        self._answer.stop_reason = optional_text(reason) or optional_text(response.get("status")) or "completed"
        self._answer.usage = joined_usage(self._answer.usage, response.get("usage"))
        self._answer.finished = True

    def _fail(self, body: Mapping[str, Json]) -> None:
        response = mapping(body.get("response"))
        self._head(response)
        self._answer.error = response.get("error") or body.get("error") or dict(body)
        self._failed = True

    def _piece(self, kind: str, body: Mapping[str, Json]) -> None:
        if kind in {"response.output_item.added", "response.output_item.done"}:
            item = dict(mapping(body.get("item")))
            place = self._place(body, _ids(item), is_new=kind.endswith(".added"))
            if place == len(self._items) and place < _MAX_ITEMS:
                self._items.append(item)
            elif 0 <= place < len(self._items):
                self._items[place] = item
            if kind.endswith(".done"):
                self._done.add(place)
        elif kind.endswith(".delta") and isinstance(delta := body.get("delta"), str):
            place = self._place(body, _ids({"id": body.get("item_id")}), is_delta=True)
            self._pieces.setdefault(place, {}).setdefault(kind, []).append(delta)

    def _place(self, body: Mapping[str, Json], named: set[str], *, is_new: bool = False, is_delta: bool = False) -> int:
        """The position for an event's item: that of its id, else that of its index, else the latest."""
        index = body.get("output_index")
        index = index if isinstance(index, int) else None
        by_id = (place for place in range(len(self._items) - 1, -1, -1) if named & _ids(self._items[place]))
        place = next(by_id, None) if named else None
        if place is None and index is not None:
            place = self._places.get(index)
        elif place is None and not is_new:
            place = len(self._items) - 1
        if not is_delta and (place is None or place < 0 or self._is_further(place, named, is_new=is_new)):
            place = len(self._items)
            if index is not None:
                self._places[index] = place
        return -1 if place is None else place

    def _is_further(self, place: int, named: set[str], *, is_new: bool) -> bool:
        """Whether an item at the place of a known one is nevertheless another one."""
        known = _ids(self._items[place])
        if named and known:
            return not named & known
        return place in self._done or is_new

    def _item(self, place: int) -> dict[str, Any]:
        """The item in its final form, or with the deltas that have arrived."""
        item = self._items[place]
        if place in self._done:
            return item
        partial = {kind: "".join(pieces) for kind, pieces in self._pieces.get(place, {}).items()}
        text = partial.get("response.output_text.delta") or partial.get("response.refusal.delta")
        thinking = partial.get("response.reasoning_summary_text.delta") or partial.get("response.reasoning_text.delta")
        given = partial.get("response.function_call_arguments.delta")
        custom = partial.get("response.custom_tool_call_input.delta")
        if text and not sequence(item.get("content")):
            item = {**item, "content": [{"type": "output_text", "text": text}]}
        if thinking and not sequence(item.get("summary")):
            item = {**item, "summary": [{"type": "summary_text", "text": thinking}]}
        if given:
            item = {**item, "arguments": given}
        return {**item, "input": custom} if custom else item


def _message_text(item: Mapping[str, Json]) -> str:
    if item.get("type") != "message":
        return ""
    parts = (mapping(part) for part in sequence(item.get("content")))
    return "".join(text_of(part.get("text")) or text_of(part.get("refusal")) for part in parts)


def _reasoning_text(item: Mapping[str, Json]) -> str:
    if item.get("type") != "reasoning":
        return ""
    parts = [*sequence(item.get("summary")), *sequence(item.get("content"))]
    return "\n\n".join(filter(None, (text_of(mapping(part).get("text")) for part in parts)))


def _ids(item: Mapping[str, Json]) -> set[str]:
    return {name for name in (text_of(item.get("id")), text_of(item.get("call_id"))) if name}


def _ran(item: Mapping[str, Json]) -> Iterator[ToolUse | ToolReturn]:
    """A call of a tool that OpenAI ran itself, and its result if the item contains one."""
    kind = text_of(item.get("type"))
    if kind.endswith("_output") and not _is_answered_here(item) and _call_id(item):
        yield _result(item)
    elif kind.endswith("_call") and not _is_call(item):
        given = {name: item[name] for name in _GIVEN_THERE if item.get(name) is not None}
        used = tool_use(item)
        yield used if used.input is not None else ToolUse(id=used.id, name=used.name, input=given or None)
        brought = {name: item[name] for name in _BROUGHT if item.get(name) is not None}
        failed = item.get("status") == "failed" or item.get("error") is not None
        if brought or failed:
            content = next(iter(brought.values())) if len(brought) == 1 else brought
            text = "\n".join(value for value in brought.values() if isinstance(value, str))
            yield ToolReturn(id=used.id, text=text, is_error=True if failed else None, content=content or "failed")
