"""Reads Claude Code's hook payloads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from typing_extensions import override

from promptster.agents.claude import edits
from promptster.agents.claude.cut_output import cut_listing, cut_output
from promptster.capture import actions
from promptster.capture.agent import HookReport, HookStage, Identity, ReadsHooks, raw_finding
from promptster.capture.providers.interface import ToolUse, mapping, optional_text, text_of
from promptster.capture.tagged_passages import is_internal
from promptster.protocol.events import kinds
from promptster.protocol.events.kinds import AgentEvent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.protocol.events.base import Json

_EXIT_CODE = re.compile(r"\AExit code (-?\d{1,10})(?:\n|\Z)")


class ClaudeHooks(ReadsHooks):
    """Reads Claude Code's hooks; an event without a reader is kept raw."""

    @override
    def read(self, payload: Mapping[str, Json]) -> HookReport:
        event = text_of(payload.get("hook_event_name"))
        identity = Identity(
            agent="claude", session=text_of(payload.get("session_id")), agent_id=text_of(payload.get("agent_id"))
        )
        return _READERS.get(event, _raw)(event, identity, payload)

    @override
    def touches(self, call: ToolUse) -> Sequence[str]:
        return edits.files_of(call)


def _raw(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    return HookReport(event=event, identity=identity, findings=[raw_finding(event or "unknown", payload)])


def _prompt(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    text = text_of(payload.get("prompt"))
    prompt_id = text_of(payload.get("prompt_id"))
    machine = text.lstrip().startswith(("<task-notification>", "<teammate-message"))
    machine = machine or is_internal(text, is_submitted=True)
    return HookReport(
        event=event,
        identity=identity,
        findings=[kinds.Prompt(text=text, prompt_id=prompt_id or None, machine=machine or None)],
        key=("prompt", prompt_id, text),
        is_short_lived=True,
    )


def _call(payload: Mapping[str, Json]) -> ToolUse:
    return ToolUse(
        id=text_of(payload.get("tool_use_id")),
        name=text_of(payload.get("tool_name")),
        input=payload.get("tool_input"),
    )


def _tool_call(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    call = _call(payload)
    return HookReport(
        event=event,
        identity=identity,
        findings=[actions.tool_call(tool_use_id=call.id, name=call.name, given=call.input)],
        stage=HookStage.CALL,
        tool_use_id=call.id,
        call=call,
    )


def _tool_result(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    call, response = _call(payload), payload.get("tool_response")
    result = actions.tool_result(
        tool_use_id=call.id, name=call.name, content=response, is_error=False, duration_ms=payload.get("duration_ms")
    )
    return HookReport(
        event=event,
        identity=identity,
        findings=[result, *_done(call, mapping(response), payload)],
        stage=HookStage.RESULT,
        tool_use_id=call.id,
        call=call,
    )


def _done(call: ToolUse, response: Mapping[str, Json], payload: Mapping[str, Json]) -> Sequence[AgentEvent]:
    if call.name == "Bash":
        background = response.get("backgroundTaskId") is not None
        stopped = background or response.get("interrupted") is True
        return [
            actions.command(
                tool_use_id=call.id,
                command=text_of(mapping(call.input).get("command")),
                cwd=text_of(payload.get("cwd")),
                exit_code=None if stopped else _success_code(response),
                output=text_of(response.get("stdout")),
                error_output=text_of(response.get("stderr")),
                is_error=False,
                duration_ms=payload.get("duration_ms"),
            ),
            *cut_output(call.id, text_of(response.get("stdout")), kept_apart=_size(response)),
        ]
    if call.name in edits.TOOLS:
        return edits.edits_done(call, response)
    return cut_listing(call.id, response)


def _size(response: Mapping[str, Json]) -> int | None:
    """The size in bytes of an output that was too large to pass on, so that Claude Code wrote it to a file."""
    size = response.get("persistedOutputSize")
    return size if isinstance(size, int) and not isinstance(size, bool) else None


def _success_code(response: Mapping[str, Json]) -> int:
    """The exit code of a successful command: 1 for a few (grep without a match), marked by an interpretation."""
    return 1 if response.get("returnCodeInterpretation") else 0


def _tool_failure(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    call, error = _call(payload), text_of(payload.get("error"))
    findings: list[AgentEvent] = [
        actions.tool_result(
            tool_use_id=call.id, name=call.name, content=error, is_error=True, duration_ms=payload.get("duration_ms")
        )
    ]
    if call.name == "Bash":
        failed = _EXIT_CODE.match(error)
        findings.append(
            actions.command(
                tool_use_id=call.id,
                command=text_of(mapping(call.input).get("command")),
                cwd=text_of(payload.get("cwd")),
                exit_code=int(failed[1]) if failed else None,
                output=error[failed.end() :] if failed else error,
                is_error=True,
                duration_ms=payload.get("duration_ms"),
            )
        )
    findings.extend(cut_output(call.id, error))
    return HookReport(
        event=event, identity=identity, findings=findings, stage=HookStage.RESULT, tool_use_id=call.id, call=call
    )


def _subagent_start(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    started = kinds.SubagentStarted(agent_type=optional_text(payload.get("agent_type")))
    return HookReport(event=event, identity=identity, findings=[started])


def _subagent_stop(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    """A subagent's end. After ``/compact``, a subagent without a type ends that never started: it is kept raw."""
    agent_type = optional_text(payload.get("agent_type"))
    if agent_type is None:
        return _raw(event, identity, payload)
    text = optional_text(payload.get("last_assistant_message"))
    stopped = kinds.SubagentStopped(agent_type=agent_type, text=text)
    return HookReport(event=event, identity=identity, findings=[stopped])


def _compaction(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    summary = optional_text(payload.get("compact_summary"))
    compaction = kinds.Compaction(trigger=optional_text(payload.get("trigger")), text=summary)
    return HookReport(event=event, identity=identity, findings=[compaction])


def _permission(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    """A question, which names no call, or a denial, which does."""
    call, asks = _call(payload), event == "PermissionRequest"
    finding = actions.permission(
        decision="asked" if asks else "denied",
        call=call,
        mode=optional_text(payload.get("permission_mode")),
        is_named=not asks,
    )
    return HookReport(
        event=event,
        identity=identity,
        findings=[finding],
        tool_use_id=call.id,
        key=("permission", event, call.id) if call.id else (),
        call=call,
        asks=asks,
    )


_READERS = {
    "UserPromptSubmit": _prompt,
    "PreToolUse": _tool_call,
    "PostToolUse": _tool_result,
    "PostToolUseFailure": _tool_failure,
    "SubagentStart": _subagent_start,
    "SubagentStop": _subagent_stop,
    "PostCompact": _compaction,
    "PermissionRequest": _permission,
    "PermissionDenied": _permission,
}
