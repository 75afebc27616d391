"""The tool calls in a provider's recorded answer, read without the code that they test as far as the API is known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.capture.providers.interface import Provider

_EVENT, _DATA = "event: ", "data: "
_END = "[DONE]"


def served_calls(body: str, api: Provider) -> list[str]:
    """The ids of the tool calls in an answer, in order; those of an API that is new here as its own file reads them."""
    events = list(_events(body))
    if api.name in _READ:
        return [call for _, data in events if data != _END for call in _READ[api.name](json.loads(data))]
    assembler = api.assembler()
    for name, data in events:
        if body.startswith((_EVENT, _DATA)):
            assembler.event(name, data)
        else:
            assembler.whole(json.loads(data))
    return [call.id for call in assembler.answer().calls]


def _events(body: str) -> Iterator[tuple[str, str]]:
    """The name and data of each event of a stream; of any other answer, all of it if it is JSON."""
    if body.startswith("{"):
        yield "", body
        return
    name = ""
    for line in body.splitlines():
        if line.startswith(_EVENT):
            name = line.removeprefix(_EVENT)
        elif line.startswith(_DATA):
            yield name, line.removeprefix(_DATA)


def _anthropic(found: dict[str, Any]) -> Iterator[str]:
    begun = [found["content_block"]] if found.get("type") == "content_block_start" else []
    for block in [*begun, *found.get("content", [])]:
        if block["type"] == "tool_use":
            yield block["id"]


def _openai(found: dict[str, Any]) -> Iterator[str]:
    done = [found["item"]] if found.get("type") == "response.output_item.done" else []
    for item in [*done, *found.get("output", [])]:
        if "call_id" in item:
            yield item["call_id"]


def _chat(found: dict[str, Any]) -> Iterator[str]:
    for choice in found.get("choices", []):
        message: dict[str, Any] = choice.get("delta") or choice.get("message") or {}
        for call in message.get("tool_calls", []):
            if "id" in call:
                yield call["id"]


_READ = {"anthropic": _anthropic, "openai": _openai, "openai_chat": _chat}
