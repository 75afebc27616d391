"""Which turn of the script answers a request: decided from the request alone, never from what was served before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.helpers.provider.script import Conversation, Script

Api = Literal["messages", "responses"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A turn of a conversation."""

    conversation: Conversation
    turn: int


def find_place(script: Script, api: Api, body: Mapping[str, Any]) -> Place | None:
    """The turn that answers this request, or ``None`` for a side request (no tools) or an unknown prompt.

    The conversation is the one whose prompt is the last among the user's texts; the turn is the one after the last turn
    whose tool ids or text the request contains after that prompt.
    """
    if not offered_tools(body) or wants_title(body):
        return None
    pieces = list(_pieces(api, body))
    found: tuple[int, Conversation] | None = None
    for at, (role, text) in enumerate(pieces):
        if role == "user":
            for conversation in script.conversations:
                if conversation.prompt in text:
                    found = (at, conversation)
    if found is None:
        return None
    at, conversation = found
    said = {text for role, text in pieces[at:] if role != "user"}
    prefix = "toolu_" if api == "messages" else "call_"
    turn = 0
    for number, candidate in enumerate(conversation.turns):
        ids = {conversation.tool_id(number, index, prefix) for index in range(len(candidate.tools))}
        if ids & said or (not ids and candidate.text in said):
            turn = number + 1
    return Place(conversation=conversation, turn=turn) if turn < len(conversation.turns) else None


def offered_tools(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tools that a request offers: in its ``tools``, or (Codex with newer models) in an item of its input."""
    tools = list(cast("list[dict[str, Any]]", body.get("tools") or []))
    items = body.get("input")
    for item in cast("list[dict[str, Any]]", items if isinstance(items, list) else []):
        tools.extend(item.get("tools") or [])
    return tools


def wants_title(body: Mapping[str, Any]) -> bool:
    """Whether the request asks only for a title: Codex does so with its tools on offer, by the form of the answer."""
    value: Any = body
    for name in ("text", "format", "schema", "properties"):
        value = cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
    return isinstance(value, dict) and set(cast("dict[str, Any]", value)) == {"title"}


def _pieces(api: Api, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    items: Any = body.get("messages" if api == "messages" else "input") or []
    for item in cast("list[dict[str, Any]]", items):
        role = "user" if item.get("role") == "user" or item.get("type") == "agent_message" else "other"
        if "call_id" in item:
            yield "other", str(item["call_id"])
        content = item.get("content")
        if isinstance(content, str):
            yield role, content
        for block in cast("list[dict[str, Any]]", content if isinstance(content, list) else []):
            for name in ("text", "encrypted_content"):  # the second is how Codex passes a task to a subagent
                if isinstance(block.get(name), str):
                    yield role, block[name]
            if block.get("type") == "tool_use":
                yield "other", str(block["id"])
