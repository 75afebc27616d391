"""Skylark's hook payloads: a prompt, before a tool, after a tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from promptster.agents.skylark.requests import WRITES, written
from promptster.capture import actions
from promptster.capture.agent import HookReport, HookStage, Identity, ReadsHooks, raw_finding
from promptster.capture.providers.interface import ToolUse, mapping, text_of
from promptster.protocol.events import kinds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.protocol.events.base import Json


class SkylarkHooks(ReadsHooks):
    """Skylark's hooks."""

    @override
    def touches(self, call: ToolUse) -> Sequence[str]:
        return [text_of(mapping(call.input).get("path"))] if call.name == WRITES else []

    @override
    def read(self, payload: Mapping[str, Json]) -> HookReport:
        event = text_of(payload.get("hook_event_name"))
        identity = Identity(agent="skylark", session=text_of(payload.get("session_id")))
        if event == "prompt":
            text, turn = text_of(payload.get("prompt")), text_of(payload.get("turn_id"))
            prompt = kinds.Prompt(text=text, prompt_id=turn)
            return HookReport(event=event, identity=identity, findings=[prompt], key=("prompt", turn, text))
        call = ToolUse(
            id=text_of(payload.get("call_id")), name=text_of(payload.get("tool")), input=payload.get("arguments")
        )
        if event == "before_tool":
            found = [actions.tool_call(tool_use_id=call.id, name=call.name, given=call.input)]
            return HookReport(
                event=event, identity=identity, findings=found, stage=HookStage.CALL, tool_use_id=call.id, call=call
            )
        if event == "after_tool":
            failed = payload.get("failed") is True
            content = payload.get("result")
            result = actions.tool_result(tool_use_id=call.id, name=call.name, content=content, is_error=failed)
            done = [] if failed else written(call)
            return HookReport(
                event=event,
                identity=identity,
                findings=[result, *done],
                stage=HookStage.RESULT,
                tool_use_id=call.id,
                call=call,
            )
        return HookReport(event=event, identity=identity, findings=[raw_finding(event or "unknown", payload)])
