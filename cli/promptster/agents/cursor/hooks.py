"""Cursor's hook payloads, its only source, because its model calls go to its own backend.

Payloads have the form of https://cursor.com/docs/hooks (as of 2026) or the form that the published runtime sends
(``@cursor/sdk`` 1.0.32; the command line agent of September 2026 is the same). If the two differ, both are read.

Several hook events may report one action: ``preToolUse`` and ``beforeShellExecution`` of one call,
``afterShellExecution`` (output) and ``postToolUse`` (exit code) of one command. They have the same pairing key.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from typing_extensions import override

from promptster.capture import actions
from promptster.capture.agent import CommandEnd, HookReport, HookStage, Identity, ReadsHooks, raw_finding
from promptster.capture.providers.interface import (
    ToolUse,
    arguments,
    canonical,
    mapping,
    optional_text,
    sequence,
    text_of,
)
from promptster.protocol.events import kinds
from promptster.protocol.events.kinds import AgentEvent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.protocol.events.base import Json

_PERSONAL = frozenset({"transcript_path", "agent_transcript_path"})
"""Fields that only identify the user's machine; those that begin with ``user_`` are removed as well."""
_CONTENT = frozenset({"content", "attachments"})
_SHELLS = frozenset({"Shell", "Bash", "run_terminal_cmd"})
_EDITORS = frozenset({"Write", "StrReplace", "Edit", "MultiEdit", "edit_file", "search_replace"})
_EXIT_CODE = re.compile(r"Command failed with exit code (-?\d+)")
_COMMON = frozenset(
    {
        "conversation_id", "generation_id", "session_id", "model", "model_id", "model_params", "hook_event_name",
        "cursor_version", "workspace_roots", "parent_tool_call_id", "parent_conversation_id",
    }
)  # fmt: skip
_TOOL = "tool_name tool_input tool_use_id cwd agent_message"
_RESULT = f"{_TOOL} tool_output tool_response duration duration_ms"
_MCP = f"{_TOOL} url command mcp_server_name mcp_server_url"
_SUBAGENT = "subagent_id subagent_type task tool_call_id subagent_model is_parallel_worker git_branch"
_DOCUMENTED = {
    event: frozenset(names.split())
    for event, names in {
        "beforeSubmitPrompt": "prompt attachments composer_mode",
        "preToolUse": _TOOL,
        "postToolUse": _RESULT,
        "postToolUseFailure": f"{_RESULT} error error_message failure_type is_interrupt",
        "beforeShellExecution": "command cwd sandbox tool_use_id",
        "afterShellExecution": "command cwd output exit_code duration duration_ms sandbox tool_use_id",
        "beforeMCPExecution": _MCP,
        "afterMCPExecution": f"{_MCP} result_json duration duration_ms",
        "afterFileEdit": "file_path edits tool_use_id",
        "afterAgentResponse": "text input_tokens output_tokens cache_read_tokens cache_write_tokens",
        "afterAgentThought": "text duration duration_ms",
        "subagentStart": _SUBAGENT,
        "subagentStop": (
            f"{_SUBAGENT} status summary result duration_ms message_count tool_call_count error_message modified_files "
            "loop_count description child_conversation_id"
        ),
        "preCompact": (
            "trigger context_usage_percent context_tokens context_window_size message_count messages_to_compact "
            "is_first_compaction"
        ),
    }.items()
}
"""The fields of the events that we read, besides the common ones; any other field is kept raw and counted."""


class CursorHooks(ReadsHooks):
    """Reads Cursor's hooks, in its own form or in the one that it adopted from Claude Code."""

    @override
    def owns(self, payload: Mapping[str, Json]) -> bool:
        return "cursor_version" in payload

    @override
    def touches(self, call: ToolUse) -> Sequence[str]:
        given = mapping(call.input)
        path = text_of(given.get("file_path")) or text_of(given.get("path"))
        return [path] if path and call.name in _EDITORS else []

    @override
    def pairing_key(self, call: ToolUse) -> tuple[str, ...]:
        return _pairing_key(call)

    @override
    def read(self, payload: Mapping[str, Json]) -> HookReport:
        kept = {field: value for field, value in payload.items() if not _is_personal(field)}
        name = text_of(kept.get("hook_event_name"))
        event = _EVENT_NAMES.get(name, name[:1].lower() + name[1:])
        session = text_of(kept.get("conversation_id")) or text_of(kept.get("session_id"))
        identity = Identity(agent="cursor", session=session, agent_id=text_of(kept.get("subagent_id")))
        reader = _READERS.get(event)
        if reader is None:
            return HookReport(event=name, identity=identity, findings=[raw_finding(name or "unknown", kept)])
        report = reader(event, identity, kept)
        rest = {field: kept[field] for field in kept.keys() - _COMMON - _DOCUMENTED.get(event, kept.keys())}
        return replace(report, findings=[*report.findings, raw_finding(name, rest)]) if rest else report


def _is_personal(name: str) -> bool:
    """Whether a field identifies the user: ``user_email`` and the like are never recorded."""
    return name.startswith("user_") or name in _PERSONAL


def _report(
    event: str,
    identity: Identity,
    *findings: AgentEvent,
    stage: HookStage = HookStage.OTHER,
    call: ToolUse | None = None,
    pairing_key: tuple[str, ...] = (),
) -> HookReport:
    return HookReport(
        event=event,
        identity=identity,
        findings=findings,
        stage=stage,
        tool_use_id=call.id if call else "",
        pairing_key=pairing_key,
        call=call,
    )


def _call(payload: Mapping[str, Json]) -> ToolUse:
    return ToolUse(
        id=text_of(payload.get("tool_use_id")),
        name=text_of(payload.get("tool_name")),
        input=arguments(payload.get("tool_input")),
    )


def _pairing_key(call: ToolUse) -> tuple[str, ...]:
    """What all events about one action have in common; those of files and commands do not contain the call's id."""
    given = mapping(call.input)
    if call.name in _SHELLS:
        return ("shell", text_of(given.get("command")))
    if call.name in _EDITORS:
        return ("edit", text_of(given.get("file_path")) or text_of(given.get("path")))
    return (call.name.removeprefix("MCP:"), canonical(call.input))


def _prompt(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    text, generation = text_of(payload.get("prompt")), text_of(payload.get("generation_id"))
    images = sequence(payload.get("attachments")) or None
    prompt = kinds.Prompt(text=text, prompt_id=generation or None, images=images)
    report = _report(event, identity, prompt)
    return replace(report, key=("prompt", generation, text), is_short_lived=True)


def _tool_call(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    call = _call(payload)
    finding = actions.tool_call(tool_use_id=call.id, name=call.name, given=call.input)
    return _report(event, identity, finding, stage=HookStage.CALL, call=call, pairing_key=_pairing_key(call))


def _before_shell(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    given = {"command": text_of(payload.get("command")), "cwd": text_of(payload.get("cwd"))}
    call = ToolUse(id=text_of(payload.get("tool_use_id")), name="Shell", input=given)
    finding = actions.tool_call(tool_use_id=call.id, name=call.name, given=call.input)
    return _report(event, identity, finding, stage=HookStage.CALL, call=call, pairing_key=_pairing_key(call))


def _tool_result(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    call, failed = _call(payload), event == "postToolUseFailure"
    names = ("tool_output", "tool_response", "result_json", "error_message", "error")
    content = arguments(next((payload[name] for name in names if name in payload), None))
    answer = mapping(content)
    ended = _ending(call, content, payload, failed=failed) if call.name in _SHELLS else None
    is_error = failed or bool(ended and ended.is_error) or answer.get("isError") is True
    is_refused = payload.get("failure_type") == "permission_denied"
    if event == "afterMCPExecution":
        is_refused = answer.get("rejected") is True or answer.get("permissionDenied") is True
        is_error = is_error or is_refused or "error" in answer
    findings: list[AgentEvent] = [
        actions.tool_result(
            tool_use_id=call.id, name=call.name, content=content, is_error=is_error, duration_ms=_duration(payload)
        )
    ]
    if is_refused:
        findings.insert(0, actions.permission(decision="denied", call=call))
    report = _report(event, identity, *findings, stage=HookStage.RESULT, call=call, pairing_key=_pairing_key(call))
    return replace(report, ended=ended)


def _ending(call: ToolUse, content: Json, payload: Mapping[str, Json], *, failed: bool) -> CommandEnd:
    """How and in which folder a command ended: the exit code is in its result, or in the text of its error."""
    given = mapping(call.input)
    places = (payload.get("cwd"), given.get("cwd"), given.get("working_directory"))
    cwd = next(filter(None, map(optional_text, places)), None)
    if failed:
        stated = _EXIT_CODE.match(text_of(content))
        return CommandEnd(cwd=cwd, exit_code=int(stated[1]) if stated else None, is_error=True)
    code = actions.exit_code(mapping(content).get("exitCode"))
    return CommandEnd(cwd=cwd, exit_code=code, is_error=None if code is None else code != 0)


def _after_shell(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    given = {"command": text_of(payload.get("command"))}
    call = ToolUse(id=text_of(payload.get("tool_use_id")), name="Shell", input=given)
    exit_code = actions.exit_code(payload.get("exit_code"))
    finding = actions.command(
        tool_use_id=call.id,
        command=given["command"],
        cwd=text_of(payload.get("cwd")),
        exit_code=exit_code,
        output=text_of(payload.get("output")),
        is_error=None if exit_code is None else exit_code != 0,
        duration_ms=_duration(payload),
    )
    report = _report(event, identity, finding, call=call, pairing_key=_pairing_key(call))
    return replace(report, awaits_end=exit_code is None)


def _duration(payload: Mapping[str, Json]) -> Json:
    return payload.get("duration_ms", payload.get("duration"))


def _file_edit(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    path, tool_use_id = text_of(payload.get("file_path")), text_of(payload.get("tool_use_id"))
    edits = [mapping(edit) for edit in sequence(payload.get("edits"))]
    pairs = [(text_of(edit.get("old_string")), text_of(edit.get("new_string"))) for edit in edits]
    if _is_whole_file(pairs):
        finding = actions.created_file(tool_use_id=tool_use_id, path=path, content=pairs[0][1])
    else:
        finding = actions.replaced_passages(tool_use_id=tool_use_id, path=path, pairs=pairs or [("", "")])
    call = ToolUse(id=tool_use_id, name="Write", input={"file_path": path})
    return _report(event, identity, finding, call=call, pairing_key=_pairing_key(call))


def _is_whole_file(pairs: list[tuple[str, str]]) -> bool:
    """Whether an edit writes a whole file: it replaces nothing, and its text ends with a line feed.

    Inserted lines replace nothing either, but do not end with one. A file that Cursor could not read before (over
    256 KiB) looks the same as a new one.
    """
    return len(pairs) == 1 and not pairs[0][0] and pairs[0][1].endswith("\n")


def _response(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    usage = {name: value for name, value in payload.items() if name.endswith("_tokens") and value is not None}
    text, is_thought = text_of(payload.get("text")), event == "afterAgentThought"
    response = kinds.ModelResponse(
        outcome="complete",
        text=None if is_thought else text,
        thinking=text if is_thought else None,
        model=optional_text(payload.get("model")),
        usage=usage or None,
        duration_ms=actions.whole_ms(_duration(payload)),
    )
    return _report(event, identity, response)


def _subagent_start(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    started = kinds.SubagentStarted(
        agent_type=optional_text(payload.get("subagent_type")),
        prompt=optional_text(payload.get("task")),
        tool_use_id=optional_text(payload.get("tool_call_id")),
    )
    return _report(event, identity, started)


def _subagent_stop(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    texts = (optional_text(payload.get(name)) for name in ("summary", "result", "error_message"))
    agent_type = optional_text(payload.get("subagent_type"))
    stopped = kinds.SubagentStopped(agent_type=agent_type, text=next(filter(None, texts), None))
    return _report(event, identity, stopped)


def _compaction(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    return _report(event, identity, kinds.Compaction(trigger=optional_text(payload.get("trigger"))))


def _read_file(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    """That a file was read, without its content: the tool's result contains that."""
    slim = {name: value for name, value in payload.items() if name not in _CONTENT}
    return _report(event, identity, raw_finding(event, slim))


_EVENT_NAMES = {"UserPromptSubmit": "beforeSubmitPrompt", "userPromptSubmit": "beforeSubmitPrompt"}
"""Names adopted from Claude Code that differ from Cursor's by more than their first letter."""

_READERS = {
    "beforeSubmitPrompt": _prompt,
    "preToolUse": _tool_call,
    "beforeMCPExecution": _tool_call,
    "beforeShellExecution": _before_shell,
    "postToolUse": _tool_result,
    "postToolUseFailure": _tool_result,
    "afterMCPExecution": _tool_result,
    "afterShellExecution": _after_shell,
    "afterFileEdit": _file_edit,
    "afterAgentResponse": _response,
    "afterAgentThought": _response,
    "subagentStart": _subagent_start,
    "subagentStop": _subagent_stop,
    "preCompact": _compaction,
    "beforeReadFile": _read_file,
}
