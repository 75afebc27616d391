"""Cursor: hooks are the only source, since its inference goes to its own backend.

Two hook events may tell the same action (``preToolUse`` and ``beforeShellExecution``); they name each other's twin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.capture import actions
from promptster.capture.agents.generic import Generic
from promptster.capture.agents.interface import Finding, HookReport, Identity, Stage, raw_finding
from promptster.capture.providers.interface import (
    ToolUse,
    arguments,
    canonical,
    mapping,
    optional_text,
    sequence,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.capture.providers.interface import Json

_DROPPED = frozenset({"user_email"})
_CONTENT = frozenset({"content", "attachments"})
_SHELLS = {"Shell", "Bash", "run_terminal_cmd"}


class Cursor(Generic):
    """Cursor's hooks."""

    name = "cursor"

    def recognises(self, headers: Mapping[str, str]) -> bool:
        """Cursor's own traffic crosses no provider's API that we understand."""
        del headers
        return False

    def hook(self, payload: Mapping[str, Json]) -> HookReport:
        """One hook payload, in Cursor's own form or in the one it borrows from Claude Code."""
        kept = {name: value for name, value in payload.items() if name not in _DROPPED}
        event = text_of(kept.get("hook_event_name"))
        session = text_of(kept.get("conversation_id")) or text_of(kept.get("session_id"))
        identity = Identity(agent=self.name, session=session, agent_id=text_of(kept.get("subagent_id")))
        reader = _READERS.get(event[:1].lower() + event[1:])
        if reader is None:
            return HookReport(event=event, identity=identity, findings=[raw_finding(event or "unknown", kept)])
        return reader(event, identity, kept)


def _report(
    event: str,
    identity: Identity,
    *findings: Finding,
    stage: Stage = "other",
    call: ToolUse | None = None,
    key: tuple[str, ...] = (),
    twin: tuple[str, ...] = (),
    is_short_lived: bool = False,
) -> HookReport:
    return HookReport(
        event=event,
        identity=identity,
        findings=findings,
        stage=stage,
        tool_use_id=call.id if call else "",
        key=key,
        twin=twin,
        call=call,
        is_short_lived=is_short_lived,
    )


def _call(payload: Mapping[str, Json]) -> ToolUse:
    return ToolUse(
        id=text_of(payload.get("tool_use_id")),
        name=text_of(payload.get("tool_name")),
        input=arguments(payload.get("tool_input")),
    )


def _twin(call: ToolUse, payload: Mapping[str, Json], stage: str) -> tuple[str, ...]:
    generation = text_of(payload.get("generation_id"))
    if call.name in _SHELLS:
        return (stage, generation, "shell", text_of(mapping(call.input).get("command")))
    return (stage, generation, call.name.removeprefix("MCP:"), canonical(call.input))


def _prompt(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    text, generation = text_of(payload.get("prompt")), text_of(payload.get("generation_id"))
    fields = {"text": text, "prompt_id": generation or None, "images": sequence(payload.get("attachments")) or None}
    finding = Finding(kind="prompt", fields=fields)
    return _report(event, identity, finding, key=("prompt", generation, text), is_short_lived=True)


def _tool_call(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    call = _call(payload)
    finding = actions.tool_call(tool_use_id=call.id, name=call.name, given=call.input)
    return _report(event, identity, finding, stage="call", call=call, twin=_twin(call, payload, "call"))


def _before_shell(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    given = {"command": text_of(payload.get("command")), "cwd": text_of(payload.get("cwd"))}
    call = ToolUse(id=text_of(payload.get("tool_use_id")), name="Shell", input=given)
    finding = actions.tool_call(tool_use_id=call.id, name=call.name, given=call.input)
    return _report(event, identity, finding, stage="call", call=call, twin=_twin(call, payload, "call"))


def _tool_result(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    call = _call(payload)
    failed = event[:1].lower() + event[1:] == "postToolUseFailure"
    content = next(
        (
            payload[name]
            for name in ("tool_output", "tool_response", "result_json", "error_message", "error")
            if name in payload
        ),
        None,
    )
    finding = actions.tool_result(
        tool_use_id=call.id, name=call.name, content=arguments(content), is_error=failed, duration_ms=_duration(payload)
    )
    return _report(event, identity, finding, stage="result", call=call, twin=_twin(call, payload, "result"))


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
    return _report(event, identity, finding, call=call, twin=("ran", *_twin(call, payload, "call")[1:]))


def _duration(payload: Mapping[str, Json]) -> Json:
    return payload.get("duration_ms", payload.get("duration"))


def _file_edit(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    path = text_of(payload.get("file_path"))
    edits = [mapping(edit) for edit in sequence(payload.get("edits"))]
    before = [text_of(edit.get("old_string")) for edit in edits]
    after = [text_of(edit.get("new_string")) for edit in edits]
    patches = [actions.unified(path, old, new) for old, new in zip(before, after, strict=True)]
    finding = actions.file_edit(
        tool_use_id=text_of(payload.get("tool_use_id")),
        path=path,
        operation="create" if edits and not any(before) else "modify",
        before="\n".join(before) if any(before) else None,
        after="\n".join(after),
        patch="".join(patch for patch in patches if patch) or None,
    )
    return _report(event, identity, finding)


def _response(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    thought = event[:1].lower() + event[1:] == "afterAgentThought"
    fields = {
        "outcome": "complete",
        "thinking" if thought else "text": text_of(payload.get("text")),
        "model": optional_text(payload.get("model")),
        "duration_ms": actions.whole_ms(_duration(payload)),
    }
    return _report(event, identity, Finding(kind="model_response", fields=fields))


def _subagent(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    agent_type = optional_text(payload.get("subagent_type"))
    if event[:1].lower() + event[1:] == "subagentStart":
        fields: dict[str, object] = {
            "agent_type": agent_type,
            "prompt": optional_text(payload.get("task")),
            "tool_use_id": optional_text(payload.get("tool_call_id")),
        }
        return _report(event, identity, Finding(kind="subagent_started", fields=fields))
    text = optional_text(payload.get("summary")) or optional_text(payload.get("result"))
    return _report(event, identity, Finding(kind="subagent_stopped", fields={"agent_type": agent_type, "text": text}))


def _compaction(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    return _report(
        event, identity, Finding(kind="compaction", fields={"trigger": optional_text(payload.get("trigger"))})
    )


def _read_file(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    """That a file was read, not what stood in it: the tool's result says that where it matters."""
    slim = {name: value for name, value in payload.items() if name not in _CONTENT}
    return _report(event, identity, raw_finding(event, slim))


_READERS = {
    "beforeSubmitPrompt": _prompt,
    "userPromptSubmit": _prompt,
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
    "subagentStart": _subagent,
    "subagentStop": _subagent,
    "preCompact": _compaction,
    "beforeReadFile": _read_file,
}
