"""Skylark's requests: Anthropic's API, a context of its own before the person's words, one tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from promptster.capture import actions
from promptster.capture.agent import GivenPrompt, Identity, ReadsRequests
from promptster.capture.providers.interface import mapping, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.capture.providers.interface import ToolReturn, ToolUse, UserText
    from promptster.protocol.events.base import Json
    from promptster.protocol.events.kinds import AgentEvent

_CONTEXT = "<skylark-context>"
WRITES = "write_file"


class SkylarkRequests(ReadsRequests):
    """Skylark's requests."""

    tools = frozenset({WRITES})

    @override
    def recognises(self, headers: Mapping[str, str]) -> bool:
        return headers.get("user-agent", "").startswith("skylark/")

    @override
    def identify(self, headers: Mapping[str, str], body: Mapping[str, Json]) -> Identity:
        return Identity(agent="skylark", session=headers.get("x-skylark-session", ""))

    @override
    def prompts(self, run: Sequence[UserText]) -> Sequence[GivenPrompt]:
        return [GivenPrompt(text=item.text) for item in run if not item.text.startswith(_CONTEXT)]

    @override
    def reported_by_hooks(self, call: ToolUse, result: ToolReturn) -> bool:
        return True

    @override
    def actions(self, call: ToolUse, result: ToolReturn) -> Sequence[AgentEvent]:
        return [] if result.is_error else written(call)

    @override
    def touches(self, call: ToolUse) -> Sequence[str]:
        return [text_of(mapping(call.input).get("path"))] if call.name == WRITES else []


def written(call: ToolUse) -> Sequence[AgentEvent]:
    """The file that a call wrote."""
    given = mapping(call.input)
    path, content = text_of(given.get("path")), text_of(given.get("content"))
    if call.name != WRITES or not path:
        return []
    return [actions.created_file(tool_use_id=call.id, path=path, content=content)]
