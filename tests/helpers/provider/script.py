"""What the scripted provider says: conversations, turns, tool calls and faults, as plain values.

A script is data. Which turn answers a request is decided from the request alone (see ``recognise.py``), so that a call
which is repeated after a lost answer gets the same turn again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from string import Template
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

FaultKind = Literal["status", "cut", "error_event"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to one attempt of a turn instead of a whole answer."""

    kind: FaultKind
    """``status``: an error answer; ``cut``: the stream stops without its end; ``error_event``: an SSE error within."""
    status: int = 529
    """The status of a ``status`` fault."""
    retry_after: int | None = None
    """Seconds for the Retry-After header of a ``status`` fault."""
    after: int = 4
    """SSE events that are written before a ``cut`` or ``error_event``."""
    held: bool = False
    """Whether a ``cut`` waits, its events written, until ``Provider.release`` is called."""


@dataclass(frozen=True, kw_only=True)
class ToolUse:
    """One tool call that the model asks for."""

    name: str
    """The tool's name; ``Agent`` becomes ``Task`` if the agent offers only that."""
    input: Mapping[str, Any]
    """Its arguments; a free-form tool gets the value of ``input``."""
    id: str = ""
    """The provider's id; left out, it is derived from the place in the script."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One answer of the model."""

    text: str = ""
    thinking: str = ""
    tools: tuple[ToolUse, ...] = ()
    input_tokens: int = 1200
    output_tokens: int = 64
    faults: tuple[Fault, ...] = ()
    """One for each attempt that fails, first to last; the attempt after them succeeds."""
    chunk: int = 16
    """Characters in a streamed piece."""
    pace_ms: int = 0
    """Wait between two SSE events."""
    is_marked: bool = True
    """Whether the stream says once more, at its very end, that it ends here."""


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """The turns that answer one prompt, of a person or of a main agent to its subagent."""

    prompt: str
    """A piece of the prompt's text, by which the conversation is recognised."""
    turns: tuple[Turn, ...]
    name: str = ""

    def tool_id(self, turn: int, index: int, prefix: str) -> str:
        """The id of a tool call: the script's own, or one derived from its place."""
        tool = self.turns[turn].tools[index]
        return tool.id or prefix + hashlib.sha256(f"{self.name}/{self.prompt}/{turn}/{index}".encode()).hexdigest()[:24]


@dataclass(frozen=True, kw_only=True)
class SideAnswer:
    """The answer to a call that is not the candidate's work, recognised by a piece of its body."""

    contains: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Script:
    """Everything that the provider will say."""

    conversations: tuple[Conversation, ...]
    side: tuple[SideAnswer, ...] = ()
    encoding: Literal["", "gzip", "br"] = ""
    """Content-Encoding of streamed answers, used when the agent offers it."""
    headers: tuple[tuple[str, str], ...] = field(
        default=(("X-Scripted-Order", "first"), ("x-scripted-order", "second"), ("CF-Ray", "0123456789abcdef-SCR"))
    )
    """Answer headers in addition to the usual ones; kept in this order and case."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any], variables: Mapping[str, str] | None = None) -> Script:
        """A script from its JSON form; ``${name}`` in any string is replaced by that variable.

        Raises:
            KeyError: a string names a variable that was not given.
        """
        filled = cast("Mapping[str, Any]", _fill(value, variables or {}))
        return cls(
            conversations=tuple(_conversation(item) for item in filled["conversations"]),
            side=tuple(SideAnswer(**item) for item in filled.get("side", ())),
            encoding=filled.get("encoding", ""),
        )


def _conversation(value: Mapping[str, Any]) -> Conversation:
    return Conversation(
        prompt=value["prompt"], name=value.get("name", ""), turns=tuple(_turn(turn) for turn in value["turns"])
    )


def _turn(value: Mapping[str, Any]) -> Turn:
    plain = {name: item for name, item in value.items() if name not in {"tools", "faults"}}
    return Turn(
        **plain,
        tools=tuple(ToolUse(**item) for item in value.get("tools", ())),
        faults=tuple(Fault(**item) for item in value.get("faults", ())),
    )


def _fill(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return Template(value).substitute(variables) if "${" in value else value
    if isinstance(value, dict):
        return {name: _fill(item, variables) for name, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_fill(item, variables) for item in cast("list[Any]", value)]  # type: ignore[redundant-cast]  # pyright needs it
    return value
