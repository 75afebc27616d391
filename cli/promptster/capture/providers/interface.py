"""The types for requests and responses that all provider APIs share.

A request is a sequence of items in the order of the conversation; a response is an answer. Nothing here depends on
agents.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

from promptster.protocol.events.base import Json


@dataclass(frozen=True, kw_only=True)
class UserText:
    """Text in the user's role; the agent's reader decides whether a person typed it."""

    text: str
    """The text as sent, with everything that the agent put around it."""
    images: tuple[Json, ...] = ()
    """Images and documents in the same message, as sent."""
    typed: bool | None = None
    """Whether a person typed it, according to the agent; ``None`` if the agent does not say."""


@dataclass(frozen=True, kw_only=True)
class ToolUse:
    """The model asks the agent to run a tool."""

    id: str
    """The provider's id of this call, unchanged."""
    name: str
    """The tool's name."""
    input: Json
    """The tool's arguments; text if they are not JSON."""


@dataclass(frozen=True, kw_only=True)
class ToolReturn:
    """What the agent answers to a tool call."""

    id: str
    """The id of the call that it answers."""
    text: str
    """The text parts, joined."""
    is_error: bool | None = None
    """Whether the call failed, according to the agent; ``None`` if the agent does not say."""
    content: Json = None
    """The whole result as sent."""


@dataclass(frozen=True, kw_only=True)
class ModelText:
    """An earlier piece of the model's own text in the conversation."""

    text: str
    """The text, or an id if there is none."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A compacted history: the items before it are no longer sent."""

    key: str
    """A value that distinguishes this summary from others."""


Item = UserText | ToolUse | ToolReturn | ModelText | Summary


@dataclass(frozen=True, kw_only=True)
class ModelCall:
    """One request for a model's answer."""

    model: str | None
    """The model asked for."""
    stream: bool
    """Whether the answer is asked for as a stream."""
    items: tuple[Item, ...]
    """The conversation, oldest first."""
    previous: str | None = None
    """The id of the response that this request continues, if the provider keeps the history."""
    system: str = ""
    """The beginning of the system's instructions."""
    tools: frozenset[str] = frozenset()
    """Names of the tools offered."""

    @property
    def last_text(self) -> str:
        """The last text in the user's role."""
        return next((item.text for item in reversed(self.items) if isinstance(item, UserText)), "")


@dataclass(kw_only=True)
class ModelAnswer:
    """The model's answer, as far as it has arrived."""

    text: str = ""
    thinking: str = ""
    calls: list[ToolUse] = field(default_factory=list[ToolUse])
    """Tool calls that arrived whole, in the order of the response."""
    stop_reason: str | None = None
    model: str | None = None
    response_id: str | None = None
    usage: Json = None
    content: list[Json] = field(default_factory=list[Json])
    """Every piece of the response, assembled; unknown pieces unchanged."""
    error: Json = None
    """The error that the provider reported inside the response or instead of it."""
    finished: bool = False
    """Whether the provider said that the answer is complete."""
    ended: bool = False
    """Whether the whole answer has arrived except the stream's end marker, which some providers leave out."""
    ran: list[ToolUse | ToolReturn] = field(default_factory=list["ToolUse | ToolReturn"])
    """Calls of tools that the provider ran itself, and their results, in order, as far as they arrived whole."""
    dropped: list[Json] = field(default_factory=list[Json])
    """Pieces of an answer that broke off inside the stream before the provider began another one in it."""


class Assembler(Protocol):
    """Builds one answer from a stream's events or from one JSON document."""

    def event(self, name: str, data: str) -> None:
        """Take one server-sent event; anything unknown or malformed is ignored."""
        ...

    def whole(self, body: Json) -> None:
        """Take the answer in one piece."""
        ...

    @property
    def settled(self) -> bool:
        """Whether the stream has ended, with a complete answer or an error."""
        ...

    def answer(self) -> ModelAnswer:
        """The answer as far as it has arrived."""
        ...


class Provider(Protocol):
    """One API."""

    name: str
    """The API's name."""
    answered_reasons: frozenset[str]
    """Stop reasons that mean that the model finished its answer, or waits for a tool."""

    def is_call(self, method: str, path: str) -> bool:
        """Whether a request is a model call of this API."""
        ...

    def read(self, body: Mapping[str, Json]) -> ModelCall:
        """Read a request's body; what is missing or malformed is left out."""
        ...

    def assembler(self) -> Assembler:
        """A new assembler for one response."""
        ...


def mapping(value: Json) -> Mapping[str, Json]:
    """The value if it is an object, else an empty one."""
    return cast("Mapping[str, Json]", value) if isinstance(value, dict) else {}


def _is_list(value: Json) -> bool:
    return isinstance(value, list)


def sequence(value: Json) -> list[Json]:
    """The value if it is a list, else an empty one."""
    return cast("list[Json]", value) if _is_list(value) else []


def text_of(value: Json) -> str:
    """The value if it is text, else an empty text."""
    return value if isinstance(value, str) else ""


def optional_text(value: Json) -> str | None:
    """The value if it is a text that is not empty, else ``None``."""
    return value if isinstance(value, str) and value else None


def load(data: bytes | bytearray | str) -> Json:
    """Parse JSON; ``None`` for anything that is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def canonical(value: Json) -> str:
    """A text that is equal for equal JSON values; empty if the value is nested too deeply."""
    try:
        return json.dumps(value, sort_keys=True)
    except (ValueError, TypeError, RecursionError):
        return ""


def joined_usage(known: Json, new: Json) -> Json:
    """An answer's usage, updated with new values; ``null`` changes nothing."""
    if not is_object(new):
        return known if new is None else new
    usage = dict(mapping(known))
    for name, value in mapping(new).items():
        usage[name] = joined_usage(usage.get(name), value)
    return usage


def is_object(value: Json) -> bool:
    """Whether a value is a JSON object."""
    return isinstance(value, dict)


def arguments(value: Json) -> Json:
    """A tool's arguments: parsed if they are JSON in a text, else unchanged."""
    if not isinstance(value, str):
        return value
    parsed = load(value)
    return parsed if _is_list(parsed) or mapping(parsed) or parsed == {} else value
