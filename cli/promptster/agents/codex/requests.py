"""Reads Codex's requests, as of version 0.169.0: separates what Codex adds from the candidate's own text.

In code mode the model's only tool is ``exec``, whose script calls other tools. These inner calls have hooks with their
own ids (``exec-...``) and do not pass through the proxy.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from typing_extensions import override

from promptster.agents.codex.cut_output import cut_output
from promptster.agents.codex.tools import SHELL_TOOLS, command_text, edits_of, files_of, outcome_of, patch_in
from promptster.capture import actions
from promptster.capture.agent import GivenPrompt, Identity, ReadsRequests
from promptster.capture.providers.interface import load, mapping, sequence, text_of
from promptster.capture.tagged_passages import alone, images_once, is_internal
from promptster.protocol.events.choices import CallPurpose
from promptster.protocol.events.kinds import AgentEvent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.capture.providers.interface import ModelCall, ToolReturn, ToolUse, UserText
    from promptster.protocol.events.base import Json

ADDED = re.compile(
    r"^\s*(?:<(?:environment_context|user_instructions|permissions instructions|skills_instructions|skill|"
    r"turn_aborted|user_action|subagent_notification|collaboration_mode|model_switch|personality_spec|"
    r"apps_instructions|plugins_instructions|context_window|goal_context|hook_prompt)[\s>]"
    r"|# AGENTS\.md instructions for |# Files mentioned by the user:)"
)
"""Matches texts that Codex itself adds to a conversation."""
_SHELL = re.compile(r"^\s*<user_shell_command>\s*<command>\s*(.*?)\s*</command>", re.DOTALL)
_SUMMARY = ("Another language model started to solve this problem and produced a summary",)
_COMPACTION = ("You are performing a CONTEXT CHECKPOINT COMPACTION",)
_NEW_TASK = "Message Type: NEW_TASK"
_FINAL_ANSWER = re.compile(r"\AMessage Type: FINAL_ANSWER\n(?:Task name: [^\n]*\n)?Sender: ([^\n]*)\nPayload:\n")
_REFUSAL_WITHIN = 200
_NOT_RUN = (
    "unsupported call",
    "exec_command failed",
    "execution error",
    "failed to parse",
    "rejected",
    "aborted by user",
)
_PURPOSES: Mapping[str, CallPurpose] = {
    "turn": CallPurpose.WORK,
    "compaction": CallPurpose.COMPACTION,
    "compact": CallPurpose.COMPACTION,
    "title": CallPurpose.TITLE,
    "auto_review": CallPurpose.CLASSIFIER,
    "guardian": CallPurpose.CLASSIFIER,
}
_THREAD_PURPOSES: Mapping[str, CallPurpose] = {"thread_title": CallPurpose.TITLE}
"""The purpose of threads that Codex's terminal program opens for itself, by their source."""
_SUBAGENT_PURPOSES: Mapping[str, CallPurpose] = {
    "compact": CallPurpose.COMPACTION,
    "guardian": CallPurpose.CLASSIFIER,
    "memory_consolidation": CallPurpose.OTHER,
}


_TOOLS = SHELL_TOOLS | frozenset(
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


class CodexRequests(ReadsRequests):
    """Reads Codex's requests."""

    tools = _TOOLS
    apis = ("openai", "openai_chat")

    @override
    def recognises(self, headers: Mapping[str, str]) -> bool:
        """By the originator, the program's own name or its metadata."""
        named = (headers.get("originator", ""), headers.get("user-agent", ""))
        return any(name.startswith("codex") for name in named) or "x-codex-turn-metadata" in headers

    @override
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
        return Identity(agent="codex", session=session, agent_id="" if thread == session else thread)

    @override
    def purpose(self, call: ModelCall, headers: Mapping[str, str], body: Mapping[str, Json]) -> CallPurpose:
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
            return CallPurpose.COMPACTION
        return _PURPOSES.get(kind, CallPurpose.OTHER) if kind else CallPurpose.WORK

    @override
    def prompts(self, run: Sequence[UserText]) -> Sequence[GivenPrompt]:
        """Texts that Codex does not name as its own, in versions that name them; else those without its marks."""
        found: list[GivenPrompt] = []
        for item in run:
            if shell := _SHELL.match(item.text):
                found.append(GivenPrompt(text=f"! {shell[1]}"))
            elif item.images and not item.text:
                found.append(alone(item))
            elif item.typed is not False and not ADDED.match(item.text) and item.text.strip():
                machine = item.typed is None and is_internal(item.text)
                found.append(GivenPrompt(text=item.text, images=item.images, machine=machine, is_guessed=machine))
        return images_once(run, found)

    @override
    def summarises(self, item: UserText) -> bool:
        """The text that replaces the earlier conversation when Codex itself compacted it."""
        return item.text.startswith(_SUMMARY)

    @override
    def spawns(self, call: ToolUse) -> str | None:
        """By a call of ``spawn_agent``."""
        given = mapping(call.input)
        message = text_of(given.get("message")) or text_of(given.get("prompt"))
        return message or None if call.name.endswith("spawn_agent") else None

    @override
    def task(self, run: Sequence[UserText]) -> str:
        """The message from the agent that started this one."""
        tasks = (item.text.partition("Payload:\n")[2].strip() for item in run if item.text.startswith(_NEW_TASK))
        return next(tasks, "") or "\n\n".join(prompt.text for prompt in self.prompts(run))

    @override
    def subagent_name(self, body: Mapping[str, Json]) -> str:
        """The name with which the agents of a session address each other."""
        metadata = mapping(load(text_of(mapping(body.get("client_metadata")).get("x-codex-turn-metadata"))))
        return text_of(metadata.get("agent_name"))

    @override
    def ended(self, text: str) -> tuple[str, str] | None:
        """The subagent whose final message this text is, and its result."""
        ended = _FINAL_ANSWER.match(text)
        return (ended[1].strip(), text[ended.end() :].strip()) if ended else None

    @override
    def reported_by_hooks(self, call: ToolUse, result: ToolReturn) -> bool:
        """Whether it is a command or patch that ran; only these are known to have hooks."""
        if call.name not in {*SHELL_TOOLS, "apply_patch"}:
            return False
        return outcome_of(result.text).output is not None

    @override
    def actions(self, call: ToolUse, result: ToolReturn) -> Sequence[AgentEvent]:
        """From the call and the text of Codex's answer."""
        outcome = outcome_of(result.text)
        patch = patch_in(call)
        if patch is not None and outcome.exit_code == 0 and not result.is_error:
            return edits_of(call.id, patch)
        if outcome.output is None and "rejected by user" in result.text[:_REFUSAL_WITHIN]:
            return [actions.permission(decision="denied", call=call)]
        if (
            patch is not None
            or call.name not in SHELL_TOOLS
            or (outcome.output is None and result.text.startswith(_NOT_RUN))
        ):
            return cut_output(call.id, result.text)
        given = mapping(call.input)
        return [
            actions.command(
                tool_use_id=call.id,
                command=command_text(given),
                cwd=text_of(given.get("workdir")) or text_of(given.get("working_directory")),
                exit_code=outcome.exit_code,
                output=result.text if outcome.output is None else outcome.output,
                is_error=None if outcome.exit_code is None else outcome.exit_code != 0,
                duration_ms=outcome.duration_ms,
            ),
            *cut_output(call.id, result.text),
        ]

    @override
    def touches(self, call: ToolUse) -> Sequence[str]:
        return files_of(call)


def _metadata(headers: Mapping[str, str]) -> Mapping[str, Json]:
    return mapping(load(headers.get("x-codex-turn-metadata", "")))


def _asks_to_compact(body: Mapping[str, Json]) -> bool:
    given = sequence(body.get("input"))
    return bool(given) and mapping(given[-1]).get("type") == "compaction_trigger"
