"""Codex, as measured at version 0.169.0: what it sends beside the candidate's words, and what its hooks say.

In code mode the model's one tool is ``exec``, whose script calls others; these inner calls have hooks with ids of their
own (``exec-...``) and are seen by no proxy.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from promptster.agents.codex.patches import read_patch
from promptster.agents.cut_output import by_codex
from promptster.agents.tagged_passages import alone, images_once, is_internal
from promptster.capture import actions
from promptster.capture.agent import Finding, HookReport, Identity, Prompt, Purpose, raw_finding
from promptster.capture.providers.interface import ToolUse, load, mapping, optional_text, sequence, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.capture.providers.interface import Json, ModelCall, ToolResult, UserText

_ADDED = re.compile(
    r"^\s*(?:<(?:environment_context|user_instructions|permissions instructions|skills_instructions|skill|"
    r"turn_aborted|user_action|subagent_notification|collaboration_mode|model_switch|personality_spec|"
    r"apps_instructions|plugins_instructions|context_window|goal_context|hook_prompt)[\s>]"
    r"|# AGENTS\.md instructions for |# Files mentioned by the user:)"
)
_SHELL = re.compile(r"^\s*<user_shell_command>\s*<command>\s*(.*?)\s*</command>", re.DOTALL)
_SUMMARY = ("Another language model started to solve this problem and produced a summary",)
_COMPACTION = ("You are performing a CONTEXT CHECKPOINT COMPACTION",)
_NEW_TASK = "Message Type: NEW_TASK"
_FINAL_ANSWER = re.compile(r"\AMessage Type: FINAL_ANSWER\n(?:Task name: [^\n]*\n)?Sender: ([^\n]*)\nPayload:\n")
_SHELL_TOOLS = frozenset({"shell", "shell_command", "exec_command", "local_shell", "container.exec", "Bash"})
_UNIFIED = re.compile(
    r"\A(?:Chunk ID: [^\n]*\n)?(?:Wall time: ([\d.]+) seconds\n)?"
    r"(?:Process exited with code (-?\d{1,10})\n|Process running with session ID [^\n]*\n)"
    r"(?:Original token count: [^\n]*\n)?(?:Output:\n)?"
)
_FREEFORM = re.compile(
    r"\A(?:Wall time: [\d.]+ seconds\nOutput:\n)?Exit code: (-?\d{1,10})\n(?:Wall time: ([\d.]+) seconds\n)?"
    r"(?:Total output lines: \d+\n)?Output:\n"
)
_REFUSAL_WITHIN = 200
_NOT_RUN = (
    "unsupported call",
    "exec_command failed",
    "execution error",
    "failed to parse",
    "rejected",
    "aborted by user",
)
_PURPOSES: Mapping[str, Purpose] = {
    "turn": "work",
    "compaction": "compaction",
    "compact": "compaction",
    "title": "title",
    "auto_review": "classifier",
    "guardian": "classifier",
}
_THREAD_PURPOSES: Mapping[str, Purpose] = {"thread_title": "title"}
"""Threads that Codex's terminal program opens for itself, by what they call their source."""
_SUBAGENT_PURPOSES: Mapping[str, Purpose] = {
    "compact": "compaction",
    "guardian": "classifier",
    "memory_consolidation": "other",
}


_TOOLS = _SHELL_TOOLS | frozenset(
    {
        "apply_patch",
        "exec",
        "wait",
        "write_stdin",
        "tool_search",
        "update_plan",
        "view_image",
        "web_search",
        "request_user_input",
        "request_user_input_async",
        "sleep",
        "followup_task",
        "interrupt_agent",
        "list_agents",
        "send_message",
        "spawn_agent",
        "wait_agent",
    }
)


class Codex:
    """Codex's requests and hooks."""

    name = "codex"
    tools = _TOOLS
    hooks_every_prompt = False

    def recognises(self, headers: Mapping[str, str]) -> bool:
        """By the originator, the program's own name or its metadata."""
        named = (headers.get("originator", ""), headers.get("user-agent", ""))
        return any(name.startswith("codex") for name in named) or "x-codex-turn-metadata" in headers

    def identify(self, headers: Mapping[str, str], body: Mapping[str, Json]) -> Identity:
        """The session is the root thread; any other thread is a subagent."""
        metadata = _metadata(headers)
        session = (
            headers.get("session-id")
            or headers.get("session_id")
            or text_of(metadata.get("session_id"))
            or headers.get("conversation_id")
            or text_of(body.get("prompt_cache_key"))
        )
        thread = headers.get("thread-id") or headers.get("thread_id") or text_of(metadata.get("thread_id")) or session
        parent = headers.get("x-codex-parent-thread-id") or text_of(metadata.get("parent_thread_id"))
        if thread == session and parent and parent != thread:
            session = parent
        return Identity(agent=self.name, session=session, agent_id="" if thread == session else thread)

    def purpose(self, call: ModelCall, headers: Mapping[str, str], body: Mapping[str, Json]) -> Purpose:
        """By what Codex itself says about the request, else by its text."""
        metadata = _metadata(headers)
        kind, source = text_of(metadata.get("request_kind")), text_of(metadata.get("thread_source"))
        subagent = headers.get("x-openai-subagent", "")
        if subagent in _SUBAGENT_PURPOSES:
            return _SUBAGENT_PURPOSES[subagent]
        if source in _THREAD_PURPOSES:
            return _THREAD_PURPOSES[source]
        last = call.last_text
        if "compact" in kind or last.startswith(_COMPACTION) or _asks_to_compact(body):
            return "compaction"
        return _PURPOSES.get(kind, "other") if kind else "work"

    def prompts(self, run: Sequence[UserText]) -> Sequence[Prompt]:
        """Texts that Codex does not name as its own, in versions that name them; else those without its marks."""
        found: list[Prompt] = []
        for item in run:
            if shell := _SHELL.match(item.text):
                found.append(Prompt(text=f"! {shell[1]}"))
            elif item.images and not item.text:
                found.append(alone(item))
            elif item.typed is not False and not _ADDED.match(item.text) and item.text.strip():
                machine = item.typed is None and is_internal(item.text)
                found.append(Prompt(text=item.text, images=item.images, machine=machine, is_guessed=machine))
        return images_once(run, found)

    def resumes(self, item: UserText) -> bool:
        """Codex asks the same again instead."""
        del item
        return False

    def summarises(self, item: UserText) -> bool:
        """The text that stands for an earlier history when Codex itself compacted it."""
        return item.text.startswith(_SUMMARY)

    def spawns(self, call: ToolUse) -> str | None:
        """``spawn_agent``."""
        given = mapping(call.input)
        message = text_of(given.get("message")) or text_of(given.get("prompt"))
        return message or None if call.name.endswith("spawn_agent") else None

    def task(self, run: Sequence[UserText]) -> str:
        """The message from the agent that started this one."""
        tasks = (item.text.partition("Payload:\n")[2].strip() for item in run if item.text.startswith(_NEW_TASK))
        return next(tasks, "") or "\n\n".join(prompt.text for prompt in self.prompts(run))

    def subagent_name(self, body: Mapping[str, Json]) -> str:
        """The agents of a session write to each other by path."""
        told = mapping(load(text_of(mapping(body.get("client_metadata")).get("x-codex-turn-metadata"))))
        return text_of(told.get("agent_name"))

    def ended(self, text: str) -> tuple[str, str] | None:
        """By the last message that a subagent writes."""
        ended = _FINAL_ANSWER.match(text)
        return (ended[1].strip(), text[ended.end() :].strip()) if ended else None

    def hooks_tell(self, call: ToolUse, result: ToolResult) -> bool:
        """Only commands and patches that ran are known to have them."""
        if call.name not in {*_SHELL_TOOLS, "apply_patch"}:
            return False
        return _outcome(result.text).output is not None

    def actions(self, call: ToolUse, result: ToolResult) -> Sequence[Finding]:
        """From the call and the text that Codex answers with."""
        outcome = _outcome(result.text)
        patch = patch_in(call)
        if patch is not None and outcome.exit_code == 0 and not result.is_error:
            return edits_of(call.id, patch)
        if outcome.output is None and "rejected by user" in result.text[:_REFUSAL_WITHIN]:
            return [actions.permission(decision="denied", call=call)]
        if (
            patch is not None
            or call.name not in _SHELL_TOOLS
            or (outcome.output is None and result.text.startswith(_NOT_RUN))
        ):
            return by_codex(call.id, result.text)
        given = mapping(call.input)
        return [
            actions.command(
                tool_use_id=call.id,
                command=_command_text(given),
                cwd=text_of(given.get("workdir")) or text_of(given.get("working_directory")),
                exit_code=outcome.exit_code,
                output=result.text if outcome.output is None else outcome.output,
                is_error=None if outcome.exit_code is None else outcome.exit_code != 0,
                duration_ms=outcome.duration_ms,
            ),
            *by_codex(call.id, result.text),
        ]

    def touches(self, call: ToolUse) -> Sequence[str]:
        """The files of a patch."""
        files = read_patch(patch_in(call) or "")
        return [name for file in files for name in (file.path, file.moved_to) if name]

    def hook(self, payload: Mapping[str, Json]) -> HookReport:
        """One hook payload."""
        event = text_of(payload.get("hook_event_name"))
        identity = Identity(
            agent=self.name, session=text_of(payload.get("session_id")), agent_id=text_of(payload.get("agent_id"))
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


def _metadata(headers: Mapping[str, str]) -> Mapping[str, Json]:
    return mapping(load(headers.get("x-codex-turn-metadata", "")))


def _asks_to_compact(body: Mapping[str, Json]) -> bool:
    given = sequence(body.get("input"))
    return bool(given) and mapping(given[-1]).get("type") == "compaction_trigger"


class _Outcome:
    """What Codex's answer to a command says."""

    def __init__(self, exit_code: int | None, output: str | None, seconds: float | None) -> None:
        self.exit_code = exit_code
        self.output = output
        self.duration_ms = None if seconds is None else seconds * 1000


def _outcome(text: str) -> _Outcome:
    if head := _UNIFIED.match(text):
        code = int(head[2]) if head[2] else None
        return _Outcome(code, text[head.end() :], _seconds(head[1]))
    if head := _FREEFORM.match(text):
        return _Outcome(int(head[1]), text[head.end() :], _seconds(head[2]))
    if text.startswith("{"):
        told = mapping(load(text))
        facts = mapping(told.get("metadata"))
        code = actions.exit_code(facts.get("exit_code"))
        if code is not None:
            duration = facts.get("duration_seconds")
            return _Outcome(code, text_of(told.get("output")), duration if isinstance(duration, (int, float)) else None)
    return _Outcome(None, None, None)


def _seconds(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _command_text(given: Mapping[str, Json]) -> str:
    parts = given.get("command") or given.get("cmd")
    if isinstance(parts, str):
        return parts
    words = [text_of(part) for part in sequence(parts)]
    shell = len(words) == 3 and words[1] in {"-lc", "-c"}  # noqa: PLR2004 - shell, flag, script
    return words[2] if shell else " ".join(words)


def patch_in(call: ToolUse) -> str | None:
    """The patch that a call applies, if it is a call of ``apply_patch``, also by way of a shell."""
    if call.name == "apply_patch":
        given = mapping(call.input)
        return (
            text_of(call.input)
            or text_of(given.get("command"))
            or text_of(given.get("input"))
            or text_of(given.get("patch"))
        )
    if call.name in _SHELL_TOOLS:
        words = sequence(mapping(call.input).get("command"))
        text = text_of(words[-1]) if words and words[0] == "apply_patch" else _command_text(mapping(call.input))
        if text.lstrip().startswith(("apply_patch", "*** Begin Patch")) and "*** Begin Patch" in text:
            return text
    return None


def edits_of(tool_use_id: str, patch: str) -> list[Finding]:
    """A patch's edits, each with the passages that it replaces; paths as the patch writes them."""
    return [
        actions.file_edit(
            tool_use_id=tool_use_id,
            path=file.moved_to or file.path,
            operation=file.operation,
            before="".join(f"{line}\n" for line in file.before) if file.before else None,
            after="".join(f"{line}\n" for line in file.after) if file.after else None,
            patch="\n".join(file.section),
        )
        for file in read_patch(patch)
    ]


def _call(payload: Mapping[str, Json]) -> ToolUse:
    return ToolUse(
        id=text_of(payload.get("tool_use_id")), name=text_of(payload.get("tool_name")), input=payload.get("tool_input")
    )


def _prompt(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    text, turn = text_of(payload.get("prompt")), text_of(payload.get("turn_id"))
    machine = _ADDED.match(text) is not None or is_internal(text, is_submitted=True)
    finding = Finding(kind="prompt", fields={"text": text, "prompt_id": turn or None, "machine": machine or None})
    return HookReport(
        event=event, identity=identity, findings=[finding], key=("prompt", turn, text), is_short_lived=True
    )


def _tool_call(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    call = _call(payload)
    finding = actions.tool_call(tool_use_id=call.id, name=call.name, given=call.input)
    return HookReport(event=event, identity=identity, findings=[finding], stage="call", tool_use_id=call.id, call=call)


def _tool_result(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    call, response = _call(payload), payload.get("tool_response")
    outcome = _outcome(text_of(response))
    failed = None if outcome.exit_code is None else outcome.exit_code != 0
    findings = [actions.tool_result(tool_use_id=call.id, name=call.name, content=response, is_error=failed)]
    patch = patch_in(call)
    if patch is not None and not failed:
        findings.extend(edits_of(call.id, patch))
    elif patch is None and call.name in _SHELL_TOOLS:
        findings.append(
            actions.command(
                tool_use_id=call.id,
                command=_command_text(mapping(call.input)),
                cwd=text_of(payload.get("cwd")),
                exit_code=outcome.exit_code,
                output=text_of(response) if outcome.output is None else outcome.output,
                is_error=failed,
            )
        )
    findings.extend(by_codex(call.id, text_of(response)))
    return HookReport(event=event, identity=identity, findings=findings, stage="result", tool_use_id=call.id, call=call)


def _permission(event: str, identity: Identity, payload: Mapping[str, Json]) -> HookReport:
    call = _call(payload)
    mode = optional_text(payload.get("permission_mode"))
    finding = actions.permission(decision="asked", call=call, mode=mode, is_named=False)
    return HookReport(event=event, identity=identity, findings=[finding], tool_use_id=call.id, call=call, asks=True)


def _plain(event: str, payload: Mapping[str, Json]) -> Finding:
    agent_type = optional_text(payload.get("agent_type"))
    match event:
        case "SubagentStart":
            return Finding(kind="subagent_started", fields={"agent_type": agent_type})
        case "SubagentStop":
            text = optional_text(payload.get("last_assistant_message"))
            return Finding(kind="subagent_stopped", fields={"agent_type": agent_type, "text": text})
        case "PostCompact":
            return Finding(kind="compaction", fields={"trigger": optional_text(payload.get("trigger"))})
        case _:
            return raw_finding(event or "unknown", payload)
