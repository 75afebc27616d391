"""Pelican's requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from promptster.capture import actions
from promptster.capture.agent import Identity, ReadsRequests
from promptster.capture.providers.interface import mapping, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.capture.providers.interface import ToolReturn, ToolUse
    from promptster.protocol.events.base import Json
    from promptster.protocol.events.kinds import AgentEvent


class PelicanRequests(ReadsRequests):
    """Pelican's requests."""

    tools = frozenset({"put"})

    @override
    def recognises(self, headers: Mapping[str, str]) -> bool:
        return headers.get("user-agent", "").startswith("pelican/")

    @override
    def identify(self, headers: Mapping[str, str], body: Mapping[str, Json]) -> Identity:
        return Identity(agent="pelican", session=headers.get("x-pelican-session", ""))

    @override
    def actions(self, call: ToolUse, result: ToolReturn) -> Sequence[AgentEvent]:
        args = mapping(call.input)
        path, content = text_of(args.get("file")), text_of(args.get("content"))
        return [actions.created_file(tool_use_id=call.id, path=path, content=content)] if call.name == "put" else []

    @override
    def touches(self, call: ToolUse) -> Sequence[str]:
        return [text_of(mapping(call.input).get("file"))] if call.name == "put" else []
