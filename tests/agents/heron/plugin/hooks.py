"""Reads Heron's hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from promptster.capture import actions
from promptster.capture.agent import HookReport, HookStage, Identity, ReadsHooks, raw_finding
from promptster.capture.providers.interface import ToolUse, mapping, text_of
from promptster.protocol.events import kinds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.protocol.events.base import Json
    from promptster.protocol.events.kinds import AgentEvent


class HeronHooks(ReadsHooks):
    """Heron's hooks."""

    @override
    def owns(self, payload: Mapping[str, Json]) -> bool:
        return "heron_version" in payload

    @override
    def touches(self, call: ToolUse) -> Sequence[str]:
        return [text_of(mapping(call.input).get("file"))] if call.name == "Put" else []

    @override
    def read(self, payload: Mapping[str, Json]) -> HookReport:
        event = text_of(payload.get("event"))
        identity = Identity(agent="heron", session=text_of(payload.get("thread")))
        call = ToolUse(id=text_of(payload.get("call")), name=text_of(payload.get("tool")), input=payload.get("args"))
        found: Sequence[AgentEvent] = [raw_finding(event or "unknown", payload)]
        if event == "asked":
            found = [kinds.Prompt(text=text_of(payload.get("text")))]
            return HookReport(event=event, identity=identity, findings=found, key=("asked", text_of(payload.get("n"))))
        if event == "answered":
            found = [kinds.ModelResponse(text=text_of(payload.get("text")), outcome="complete")]
        if event == "tool_begins":
            found = [actions.tool_call(tool_use_id=call.id, name=call.name, given=call.input)]
            return HookReport(
                event=event, identity=identity, findings=found, stage=HookStage.CALL, tool_use_id=call.id, call=call
            )
        if event == "tool_ended":
            result = actions.tool_result(
                tool_use_id=call.id, name=call.name, content=payload.get("result"), is_error=False
            )
            args = mapping(call.input)
            edit = actions.created_file(
                tool_use_id=call.id, path=text_of(args.get("file")), content=text_of(args.get("content"))
            )
            return HookReport(
                event=event,
                identity=identity,
                findings=[result, edit],
                stage=HookStage.RESULT,
                tool_use_id=call.id,
                call=call,
            )
        return HookReport(event=event or "unknown", identity=identity, findings=found)
