"""Reads and checks the workspace files of editors, for every agent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from promptster.agents.registry import plugin
from promptster.errors import UsageError, WorkspaceError
from promptster.protocol.agents import BY_ID, EDITORS, one_of
from promptster.protocol.events.kinds import CaptureConfigChanged, Event
from promptster.system.plain_files import read_plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from promptster.agents.editor import HasEditorFile
    from promptster.session_folder.control_messages import LaunchTicket

REPAIR = "Repair it, or start without --ide."


def editor_file(agent: str) -> tuple[str, HasEditorFile]:
    """An agent's file: its path below the workspace, and its description.

    Raises:
        UsageError: this agent has no such file.
    """
    made = plugin(agent).editor if agent in BY_ID else None
    if made is None:
        raise UsageError(f"{agent!r} has no workspace file", hint=f"Use {one_of(EDITORS)}.")
    return BY_ID[agent].editor_file, made()


def accepted(relative: str, file: HasEditorFile, data: bytes | None) -> dict[str, Any]:
    """The content of a file that its agent accepts.

    Raises:
        WorkspaceError: the agent would reject it.
    """
    content = parsed(relative, data)
    require_form(relative, file, {**file.empty, **content})
    return content


def require_form(relative: str, file: HasEditorFile, content: Mapping[str, Any]) -> None:
    """Check that the agent accepts this content.

    Raises:
        WorkspaceError: the agent would reject it.
    """
    reason = file.refusal(content)
    if reason is not None:
        raise WorkspaceError(f"the agent would reject {relative}: {reason}", hint=REPAIR, code="ide_file_invalid")


def parsed(relative: str, data: bytes | None) -> dict[str, Any]:
    """A file's JSON object; empty for a file that is missing or blank.

    Raises:
        WorkspaceError: it is not a JSON object.
    """
    if data is None or not data.strip():
        return {}
    try:
        value = json.loads(data)
    except ValueError as error:
        raise WorkspaceError(
            f"{relative} is not valid JSON",
            hint="Repair it (comments cannot be kept), or start without --ide.",
            code="ide_file_invalid",
        ) from error
    if not isinstance(value, dict):
        raise WorkspaceError(
            f"{relative} is not a JSON object",
            hint="Repair it, or start without --ide.",
            code="ide_file_invalid",
        )
    return cast("dict[str, Any]", value)


def changed_entries(workspace: Path, agent: str, ticket: LaunchTicket) -> list[Event]:
    """The events to record if some of our entries are missing; empty as long as all are in place."""
    relative, file = editor_file(agent)
    try:
        data = read_plain(workspace, relative)
        content = None if data is None else parsed(relative, data)
    except (OSError, WorkspaceError):
        content = None
    if content is None:
        return [CaptureConfigChanged(path_name=relative, detail="missing or unreadable")]
    lost = _missing(content, file.entries(ticket), "")
    if not lost:
        return []
    return [CaptureConfigChanged(path_name=relative, detail=f"changed: {', '.join(lost)}")]


def _missing(content: Any, ours: Any, place: str) -> list[str]:
    """The paths of our entries that the content no longer contains."""
    if isinstance(ours, dict):
        there = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
        entries = cast("dict[str, Any]", ours).items()
        return [
            lost for key, value in entries for lost in _missing(there.get(key), value, f"{place}.{key}".lstrip("."))
        ]
    if isinstance(ours, list):
        there_list = cast("Sequence[Any]", content if isinstance(content, list) else [])
        our_list = cast("Sequence[Any]", ours)
        return [place] if any(item not in there_list for item in our_list) else []
    return [] if content == ours else [place]
