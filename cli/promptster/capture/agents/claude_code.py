"""Claude Code, as measured at version 2.1.330: what it sends beside the candidate's words, and what its hooks say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from promptster.capture import actions
from promptster.capture.agents import claude_hooks
from promptster.capture.agents.interface import Finding, HookReport, Identity, Prompt, Purpose
from promptster.capture.providers.interface import load, mapping, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.capture.providers.interface import Json, ModelCall, ToolResult, ToolUse, UserText

_REMINDER = re.compile(r"<system-reminder>(.*?)</system-reminder>", re.DOTALL)
_NOTIFICATION = re.compile(r"<task-notification>.*</task-notification>", re.DOTALL)
_QUEUED = re.compile(
    r"^\s*The user sent (?:a new message while you were working|the following message):\n(.*?)"
    r"(?:\n\n(?:IMPORTANT:|This is how Claude Code surfaces|After completing your current task).*)?\s*$",
    re.DOTALL,
)
_COMMAND = re.compile(r"<command-name>\s*/?(.*?)</command-name>", re.DOTALL)
_ARGUMENTS = re.compile(r"<command-args>(.*?)</command-args>", re.DOTALL)
_SHELL = re.compile(r"^\s*<bash-input>(.*?)</bash-input>", re.DOTALL)
_ADDED_TAG = re.compile(
    r"^\s*<(?:local-command-caveat|bash-stdout|bash-stderr|user-prompt-submit-hook|ide_opened_file|ide_selection|"
    r"ide_diagnostics|fork-boilerplate|teammate-message|cross-session-message|command-contents|session-start-hook|"
    r"post-tool-use-hook|new-diagnostics)[\s>]"
)
_LOCAL_OUTPUT = re.compile(r"^\s*<local-command-std(?:out|err)[\s>]")
_ADDED_TEXT = (
    "[Request interrupted",
    "[Tool call did not complete",
    "[This turn ended before it finished",
    "[Your previous response had no visible output",
    "[SUGGESTION MODE:",
    "[structured-output-enforce]",
    "Your response above was cut off mid-stream",
    "Your response above was stopped by a safety classifier",
    "The turn did not end: a tool call in your last message",
    "The PermissionDenied hook indicated you may retry",
    "Your response was cut off because it exceeded the output token limit",
    "Output token limit hit",
    "The previous response failed to produce a valid tool call",
    "Your tool call was malformed and could not be parsed",
    "Stop hook feedback",
    "Stop hook blocking error from command",
    "Operation stopped by hook",
)
_ADDED_EXACTLY = ("Continue from where you left off.",)
_SUMMARY = "This session is being continued from a previous conversation"
_COMPACTION = (
    "CRITICAL: Respond with TEXT ONLY",
    "Your task is to create a detailed summary of th",
)
_OWN_REQUESTS = (
    "[SUGGESTION MODE:",
    "The user stepped away and is coming back. Recap",
    "You are now acting as the memory extraction subagent",
)
_RESUMES = "Your response above was cut off mid-stream"
_EXIT_CODE = re.compile(r"\AExit code (-?\d{1,10})(?:\n|\Z)")
_EMPTY_OUTPUT = "(Bash completed with no output)"
_NOT_RUN = (
    "<tool_use_error>",
    "The user doesn't want to proceed with this tool use",
    "The user doesn't want to take this action",
    "Permission to use",
    "Permission for this",
    "PreToolUse:",
    "User rejected tool use",
    "[Tool call did not complete",
)
_CREATED = "File created successfully"
_BACKGROUND = re.compile(
    r"\ACommand running in background with ID|^Command did not complete within its .* was moved to the background"
    r"|^Command was manually backgrounded",
    re.MULTILINE,
)
_ONE_IS_FINE = frozenset({"grep", "egrep", "fgrep", "rg", "find", "diff", "test", "["})
_SEPARATOR = re.compile(r"\|\|?|&&?|;|\n")


class ClaudeCode:
    """Claude Code's requests."""

    name = "claude"
    hooks_every_prompt = True

    def recognises(self, headers: Mapping[str, str]) -> bool:
        """By the session header or the program's own name."""
        return "x-claude-code-session-id" in headers or headers.get("user-agent", "").startswith("claude-cli/")

    def identify(self, headers: Mapping[str, str], body: Mapping[str, Json]) -> Identity:
        """From the headers; older versions name the session in the metadata only."""
        session = headers.get("x-claude-code-session-id") or _session_in(body)
        return Identity(agent=self.name, session=session, agent_id=headers.get("x-claude-code-agent-id", ""))

    def purpose(self, call: ModelCall, headers: Mapping[str, str], body: Mapping[str, Json]) -> Purpose:
        """By what the request asks for."""
        del headers
        last = call.last_text
        if any(marker in last for marker in _COMPACTION):
            return "compaction"
        if last.lstrip().startswith(_OWN_REQUESTS):
            return "other"
        return _side_purpose(call, body) or "work"

    def prompts(self, run: Sequence[UserText]) -> Sequence[Prompt]:
        """The candidate's words, and machine notifications, in a run of user texts."""
        found: list[Prompt] = []
        expansion = False
        for item in run:
            kept, rest = _split_reminders(item.text)
            found.extend(kept)
            if _LOCAL_OUTPUT.match(rest):
                expansion = False
                if found and found[-1].text.startswith("/"):
                    found.pop()
            elif command := _COMMAND.search(rest):
                given = _ARGUMENTS.search(rest)
                words = f"/{command[1].strip()} {given[1].strip() if given else ''}".strip()
                found.append(Prompt(text=words, images=item.images))
                expansion = True
            elif shell := _SHELL.match(rest):
                found.append(Prompt(text=f"! {shell[1].strip()}", is_hooked=False))
            elif queued := _QUEUED.match(rest):
                found.append(Prompt(text=queued[1].strip(), images=item.images))
            elif (rest or (item.images and not item.text)) and not _added(rest):
                if not expansion:
                    found.append(Prompt(text=rest, images=item.images))
                expansion = False
        return found

    def resumes(self, item: UserText) -> bool:
        """What Claude Code adds after an error in the middle of a stream that had brought some text."""
        return item.text.startswith(_RESUMES)

    def summarises(self, item: UserText) -> bool:
        """The text with which a compacted conversation begins."""
        return item.text.lstrip().startswith(_SUMMARY)

    def spawns(self, call: ToolUse) -> str | None:
        """``Agent``, once called ``Task``."""
        return text_of(mapping(call.input).get("prompt")) or None if call.name in {"Agent", "Task"} else None

    def task(self, run: Sequence[UserText]) -> str:
        """What stands beside the reminders."""
        return "\n\n".join(prompt.text for prompt in self.prompts(run))

    def hooks_tell(self, call: ToolUse, result: ToolResult) -> bool:
        """A call whose arguments are refused is refused before any hook."""
        del call
        return not result.text.startswith("<tool_use_error>")

    def actions(self, call: ToolUse, result: ToolResult) -> Sequence[Finding]:
        """From the tool's arguments and what the model was told about the outcome."""
        if result.is_error and result.text.startswith(_NOT_RUN):
            return []
        if call.name == "Bash":
            return [_command(call, result)]
        created = result.text.startswith(_CREATED)
        return [] if result.is_error else claude_hooks.edits_from_input(call, created=created)

    def hook(self, payload: Mapping[str, Json]) -> HookReport:
        """One hook payload."""
        return claude_hooks.read(payload)


def _session_in(body: Mapping[str, Json]) -> str:
    user = text_of(mapping(body.get("metadata")).get("user_id"))
    named = text_of(mapping(load(user)).get("session_id")) if user.startswith("{") else ""
    return named or user.rpartition("_session_")[2] if "session" in user else ""


def _side_purpose(call: ModelCall, body: Mapping[str, Json]) -> Purpose | None:
    """Requests that Claude Code sends for itself offer no tools, or one that takes its verdict."""
    schema = mapping(mapping(mapping(body.get("output_config")).get("format")).get("schema")).get("properties")
    keys = set(mapping(schema))
    if call.tools and not keys:
        return None
    if "title" in keys or "isNewTopic" in keys or "sentence-case title" in call.system:
        return "title"
    if "security monitor" in call.system or "<block>" in call.system or {"block", "shouldBlock"} & keys:
        return "classifier"
    return "other"


def _split_reminders(text: str) -> tuple[list[Prompt], str]:
    """What the reminders in a text quote from outside, and the text without them."""
    quoted: list[Prompt] = []
    for reminder in _REMINDER.finditer(text):
        if notification := _NOTIFICATION.search(reminder[1]):
            quoted.append(Prompt(text=notification[0], machine=True))
        elif queued := _QUEUED.match(reminder[1]):
            quoted.append(Prompt(text=queued[1].strip()))
    rest = _REMINDER.sub("", text) if "<system-reminder>" in text else text
    if notification := re.match(r"\s*<task-notification>", rest):
        quoted.append(Prompt(text=rest.strip(), machine=True))
        rest = ""
    return quoted, rest if rest.strip() else ""


def _added(text: str) -> bool:
    stripped = text.strip()
    return stripped.startswith(_ADDED_TEXT) or stripped in _ADDED_EXACTLY or _ADDED_TAG.match(stripped) is not None


def _may_be_one(call: ToolUse) -> bool:
    """Claude Code calls code 1 of a few commands a success and does not tell it from 0: the last command counts."""
    text = text_of(mapping(call.input).get("command"))
    words = next((part.split() for part in reversed(_SEPARATOR.split(text)) if part.split()), [""])
    return words[0] in _ONE_IS_FINE or (words[0] == "git" and bool({"diff", "grep"} & set(words[1:])))


def _command(call: ToolUse, result: ToolResult) -> Finding:
    text, exit_code = result.text, None
    if failed := _EXIT_CODE.match(text):
        exit_code, text = int(failed[1]), text[failed.end() :]
    elif not result.is_error and not _BACKGROUND.search(text) and not _may_be_one(call):
        exit_code = 0
    return actions.command(
        tool_use_id=call.id,
        command=text_of(mapping(call.input).get("command")),
        exit_code=exit_code,
        output="" if text == _EMPTY_OUTPUT else text,
        is_error=bool(result.is_error),
    )
