"""Reads Codex's hook payloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from promptster.agents.codex.cut_output import cut_output
from promptster.agents.codex.requests import ADDED
from promptster.agents.codex.tools import SHELL_TOOLS, command_text, edits_of, files_of, outcome_of, patch_in
from promptster.capture import actions
from promptster.capture.agent import HookReport, HookStage, Identity, ReadsHooks, raw_finding
from promptster.capture.providers.interface import ToolUse, mapping, optional_text, text_of
from promptster.capture.tagged_passages import is_internal
from promptster.protocol.events import kinds
from promptster.protocol.events.kinds import AgentEvent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.protocol.events.base import Json


class CodexHooks(ReadsHooks):
    """Reads Codex's hooks."""

    @override
    def touches(self, call: ToolUse) -> Sequence[str]:
        return files_of(call)

    @override
    def read(self, payload: Mapping[str, Json]) -> HookReport:
        event = text_of(payload.get("hook_event_name"))
        identity = Identity(
            agent="codex", session=text_of(payload.get("session_id")), agent_id=text_of(payload.get("agent_id"))
        )
        match event:
            case "UserPromptSubmit":
                return _prompt(event, identity, payload)
            case "PreToolUse":
                return _tool_call(event, identity, payload)
            case "PostToolUse":
                return _tool_result(event, identity, payload)
            case "PermissionRequest":
                return _permission(event, identity, payload)
            case _:
                return HookReport(event=event, identity=identity, findings=[_plain(event, payload)])


def _call(payload: Mapping[str, Json]) -> ToolUse:
    return ToolUse(
        id=text_of(payload.get("tool_use_id")), name=text_of(payload.get("tool_name")), input=payload.get("tool_input")
    )


def _prompt(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    text, turn = text_of(payload.get("prompt")), text_of(payload.get("turn_id"))
    machine = ADDED.match(text) is not None or is_internal(text, is_submitted=True)
    finding = kinds.Prompt(text=text, prompt_id=turn or None, machine=machine or None)
    return HookReport(
        event=event, identity=identity, findings=[finding], key=("prompt", turn, text), is_short_lived=True
    )


def _tool_call(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    call = _call(payload)
    finding = actions.tool_call(tool_use_id=call.id, name=call.name, given=call.input)
    return HookReport(
        event=event, identity=identity, findings=[finding], stage=HookStage.CALL, tool_use_id=call.id, call=call
    )


def _tool_result(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    call, response = _call(payload), payload.get("tool_response")
    outcome = outcome_of(text_of(response))
    failed = None if outcome.exit_code is None else outcome.exit_code != 0
    findings: list[AgentEvent] = [
        actions.tool_result(tool_use_id=call.id, name=call.name, content=response, is_error=failed)
    ]
    patch = patch_in(call)
    if patch is not None and not failed:
        findings.extend(edits_of(call.id, patch))
    elif patch is None and call.name in SHELL_TOOLS:
        findings.append(
            actions.command(
                tool_use_id=call.id,
                command=command_text(mapping(call.input)),
                cwd=text_of(payload.get("cwd")),
                exit_code=outcome.exit_code,
                output=text_of(response) if outcome.output is None else outcome.output,
                is_error=failed,
            )
        )
    findings.extend(cut_output(call.id, text_of(response)))
    return HookReport(
        event=event, identity=identity, findings=findings, stage=HookStage.RESULT, tool_use_id=call.id, call=call
    )


def _permission(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    call = _call(payload)
    mode = optional_text(payload.get("permission_mode"))
    finding = actions.permission(decision="asked", call=call, mode=mode, is_named=False)
    return HookReport(event=event, identity=identity, findings=[finding], tool_use_id=call.id, call=call, asks=True)


def _plain(event: str, payload: Mapping[str, Json]) -> AgentEvent:
    agent_type = optional_text(payload.get("agent_type"))
    match event:
        case "SubagentStart":
            return kinds.SubagentStarted(agent_type=agent_type)
        case "SubagentStop":
            text = optional_text(payload.get("last_assistant_message"))
            return kinds.SubagentStopped(agent_type=agent_type, text=text)
        case "PostCompact":
            return kinds.Compaction(trigger=optional_text(payload.get("trigger")))
        case _:
            return raw_finding(event or "unknown", payload)
