"""Reads what Codex's tools did: commands with their outcome, and patches with the files that they change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from promptster.agents.codex.patches import read_patch
from promptster.capture import actions
from promptster.capture.providers.interface import load, mapping, sequence, text_of
from promptster.protocol.events.kinds import FileEdit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.capture.providers.interface import ToolUse
    from promptster.protocol.events.base import Json

SHELL_TOOLS = frozenset({"shell", "shell_command", "exec_command", "local_shell", "container.exec", "Bash"})
"""The tools that run a command."""
_UNIFIED = re.compile(
    r"\A(?:Chunk ID: [^\n]*\n)?(?:Wall time: ([\d.]+) seconds\n)?"
    r"(?:Process exited with code (-?\d{1,10})\n|Process running with session ID [^\n]*\n)"
    r"(?:Original token count: [^\n]*\n)?(?:Output:\n)?"
)
_FREEFORM = re.compile(
    r"\A(?:Wall time: [\d.]+ seconds\nOutput:\n)?Exit code: (-?\d{1,10})\n(?:Wall time: ([\d.]+) seconds\n)?"
    r"(?:Total output lines: \d+\n)?Output:\n"
)


class CommandOutcome:
    """The outcome of a command, as stated in Codex's answer."""

    def __init__(self, exit_code: int | None, output: str | None, seconds: float | None) -> None:
        self.exit_code = exit_code
        self.output = output
        self.duration_ms = None if seconds is None else seconds * 1000


def outcome_of(text: str) -> CommandOutcome:
    """Read Codex's answer to a command."""
    if head := _UNIFIED.match(text):
        code = int(head[2]) if head[2] else None
        return CommandOutcome(code, text[head.end() :], _seconds(head[1]))
    if head := _FREEFORM.match(text):
        return CommandOutcome(int(head[1]), text[head.end() :], _seconds(head[2]))
    if text.startswith("{"):
        answer = mapping(load(text))
        facts = mapping(answer.get("metadata"))
        code = actions.exit_code(facts.get("exit_code"))
        if code is not None:
            duration = facts.get("duration_seconds")
            return CommandOutcome(
                code, text_of(answer.get("output")), duration if isinstance(duration, (int, float)) else None
            )
    return CommandOutcome(None, None, None)


def _seconds(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def command_text(given: Mapping[str, Json]) -> str:
    """The command that a tool's arguments name, without the shell that runs it."""
    parts = given.get("command") or given.get("cmd")
    if isinstance(parts, str):
        return parts
    words = [text_of(part) for part in sequence(parts)]
    shell = len(words) == 3 and words[1] in {"-lc", "-c"}  # noqa: PLR2004 - shell, flag, script
    return words[2] if shell else " ".join(words)


def patch_in(call: ToolUse) -> str | None:
    """The patch that a call applies, if it calls ``apply_patch`` directly or through a shell."""
    if call.name == "apply_patch":
        given = mapping(call.input)
        return (
            text_of(call.input)
            or text_of(given.get("command"))
            or text_of(given.get("input"))
            or text_of(given.get("patch"))
        )
    if call.name in SHELL_TOOLS:
        words = sequence(mapping(call.input).get("command"))
        text = text_of(words[-1]) if words and words[0] == "apply_patch" else command_text(mapping(call.input))
        if text.lstrip().startswith(("apply_patch", "*** Begin Patch")) and "*** Begin Patch" in text:
            return text
    return None


def edits_of(tool_use_id: str, patch: str) -> list[FileEdit]:
    """A patch's edits, each with the passages that it replaces; paths are as in the patch."""
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


def files_of(call: ToolUse) -> Sequence[str]:
    """The files that a call's patch changes."""
    files = read_patch(patch_in(call) or "")
    return [name for file in files for name in (file.path, file.moved_to) if name]
