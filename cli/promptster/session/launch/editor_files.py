"""The two workspace files that an agent inside an editor reads, made only after the candidate said yes.

Other people's entries stay as they are, ours are added, the result is held against the form that the agent accepts
before it is written, and ``touched`` puts the file back byte for byte at the end. As long as it is there, ``excluded``
keeps it out of the candidate's commits.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from promptster.agents.claude import hook_events as claude_events
from promptster.agents.claude.launch import recorder_settings
from promptster.agents.claude.settings import merge_settings
from promptster.agents.cursor import hook_events as cursor_events
from promptster.agents.launching import draft
from promptster.errors import UsageError, WorkspaceError, reason_of
from promptster.paths import utf8
from promptster.session.launch.launcher import hook_command
from promptster.session_folder import git_exclude
from promptster.system.plain_files import read_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from promptster.session.current import Current
    from promptster.session_folder.control_messages import LaunchTicket

_CURSOR_VERSION = 1
_REPAIR = "Repair it, or start without --ide."
_CURSOR_EMPTY: Mapping[str, Any] = {"version": _CURSOR_VERSION, "hooks": {}}


@dataclass(frozen=True, kw_only=True)
class _File:
    relative: str
    """Its path below the workspace."""
    ours: Callable[[LaunchTicket], dict[str, Any]]
    """Our entries."""
    empty: Mapping[str, Any]
    """What a file that says nothing yet holds."""
    check: Callable[[Mapping[str, Any]], str | None]
    """Why the agent would not accept this content; ``None`` if it would."""
    holds_token: bool
    """Whether our entries hold the session's token."""


def prepare_ide(current: Current, ide: str) -> list[Path]:
    """Merge our entries into the workspace file of one editor's agent; done again, it renews them.

    Raises:
        UsageError: there is no such editor.
        WorkspaceError: the file is not what that agent accepts, or cannot be written.
    """
    file = _file(ide)
    _require_untracked(current.workspace, file)
    before = current.touched.before(file.relative)
    merged = merge_settings(_accepted(file, before), file.ours(current.control.launch()))
    _require_form(file, merged)
    git_exclude.hide(current.workspace, file.relative)
    try:
        current.touched.write(file.relative, _spell(merged, before))
    except OSError as error:
        raise WorkspaceError(
            f"cannot write {file.relative}: {reason_of(error)}",
            hint="Make it writable, then run `promptster resume`.",
            code="ide_file_invalid",
        ) from error
    return [current.workspace / file.relative]


def check_ide(workspace: Path, ide: str) -> None:
    """Whether one editor's file could be prepared as it stands; asked before a session begins, changes nothing.

    Raises:
        UsageError: there is no such editor.
        WorkspaceError: the file is not what that agent accepts, is reached through a link, or would be committed with
            the session's token in it.
    """
    file = _file(ide)
    _require_untracked(workspace, file)
    git_exclude.require_hideable(workspace)
    try:
        data = read_plain(workspace, file.relative)
    except OSError as error:
        raise WorkspaceError(
            f"cannot read {file.relative}: {reason_of(error)}", hint=_REPAIR, code="ide_file_invalid"
        ) from error
    _accepted(file, data)


def tracked_files(current: Current) -> list[str]:
    """Prepared files that git has already: a commit of them holds our entries, though no token."""
    named = str(current.facts.choices.get("ide") or "").split(",")
    relatives = [_file(ide).relative for ide in named if ide]
    return [relative for relative in relatives if git_exclude.is_tracked(current.workspace, relative)]


def _require_untracked(workspace: Path, file: _File) -> None:
    if file.holds_token and git_exclude.is_tracked(workspace, file.relative):
        raise WorkspaceError(
            f"git tracks {file.relative}, so a commit would hold the session's token",
            hint=f"Take it out of git (git rm --cached {file.relative}), or start without --ide claude.",
            code="ide_tracked",
        )


def _accepted(file: _File, data: bytes | None) -> dict[str, Any]:
    """What a file says, if its agent takes it."""
    content = _parse(file.relative, data)
    _require_form(file, {**file.empty, **content})
    return content


def _require_form(file: _File, content: Mapping[str, Any]) -> None:
    reason = file.check(content)
    if reason is not None:
        raise WorkspaceError(
            f"{file.relative} is not in the form that its agent accepts: {reason}",
            hint=_REPAIR,
            code="ide_file_invalid",
        )


def agree_later(current: Current, ide: str) -> list[Path]:
    """Prepare an editor's file after the start, because the candidate said yes now; ``resume`` will renew it.

    Raises:
        WorkspaceError: the file is not what that agent accepts, or cannot be written.
    """
    made = prepare_ide(current, ide)
    choices = current.facts.choices
    named = [name for name in str(choices.get("ide", "")).split(",") if name]
    if ide not in named:
        current.folder.update(choices={**choices, "ide": ",".join([*named, ide])})
    return made


def changed_entries(workspace: Path, ide: str, ticket: LaunchTicket) -> list[dict[str, Any]]:
    """The events to record if our entries are not all there any more; empty as long as they are."""
    file = _file(ide)
    try:
        data = read_plain(workspace, file.relative)
        content = None if data is None else _parse(file.relative, data)
    except (OSError, WorkspaceError):
        content = None
    if content is None:
        return [draft("capture_config_changed", path_name=file.relative, detail="missing or unreadable")]
    lost = _missing(content, file.ours(ticket), "")
    if not lost:
        return []
    return [draft("capture_config_changed", path_name=file.relative, detail=f"changed: {', '.join(lost)}")]


class EditorWatch:
    """Reads the prepared files again and again, and tells once when our entries are gone, and once when they are back.

    It waits until it has seen them in place, and believes a loss only when it sees it twice: at the end of a session
    the files are put back while the recorder may still run.
    """

    def __init__(self, workspace: Path, editors: Sequence[str], ticket: LaunchTicket) -> None:
        """``editors``: the names that ``start --ide`` took."""
        self._workspace = workspace
        self._ticket = ticket
        self._last: dict[str, list[dict[str, Any]] | None] = dict.fromkeys(editors)
        self._told: dict[str, list[dict[str, Any]]] = {name: [] for name in editors}

    def look(self) -> list[dict[str, Any]]:
        """The events to record now."""
        found: list[dict[str, Any]] = []
        for editor, last in self._last.items():
            lost = changed_entries(self._workspace, editor, self._ticket)
            if last is None:
                self._last[editor] = None if lost else []
                continue
            if lost == last and lost != self._told[editor]:
                back = draft("capture_config_changed", path_name=_file(editor).relative, detail="our entries are back")
                found += lost or [back]
                self._told[editor] = lost
            self._last[editor] = lost
        return found


def cursor_entries(ticket: LaunchTicket) -> dict[str, Any]:
    """Our side of ``.cursor/hooks.json``."""
    command = shlex.join((*hook_command(), cursor_events.NAME, ticket.hook_socket, ticket.spool))
    entry = {"command": command, "timeout": cursor_events.TIMEOUT_S}
    return {"version": _CURSOR_VERSION, "hooks": {event: [dict(entry)] for event in cursor_events.EVENTS}}


def check_cursor(content: Mapping[str, Any]) -> str | None:
    """Why Cursor would refuse this file; one wrong entry silences every hook in it.

    The rules are those of Cursor's own check (``@cursor/sdk`` 1.0.32).
    """
    if content.get("version") != _CURSOR_VERSION:
        return f"its version is not {_CURSOR_VERSION}"
    hooks = content.get("hooks")
    if not isinstance(hooks, dict):
        return "hooks is not an object"
    for event, entries in cast("dict[str, Any]", hooks).items():
        if event not in cursor_events.KNOWN_EVENTS:
            return f"there is no event {event}"
        if not isinstance(entries, list):
            return f"{event} is not a list"
        for entry in cast("Sequence[Any]", entries):
            wrong = _wrong_entry(cast("dict[str, Any]", entry)) if isinstance(entry, dict) else "is not an object"
            if wrong is not None:
                return f"an entry of {event} {wrong}"
    return None if _without_comments(content) == content else "Cursor takes // or /* for a comment, also inside a text"


def _wrong_entry(entry: Mapping[str, Any]) -> str | None:
    """What Cursor does not accept about one entry."""
    kind, words, limit = entry.get("type", "command"), entry.get("prompt"), entry.get("loop_limit")
    wanted = {
        "a type that Cursor knows": kind in {"command", "prompt"},
        "a command": kind != "command" or isinstance(entry.get("command"), str),
        "a prompt": kind != "prompt" or (isinstance(words, str) and bool(words.strip())),
        "a matcher in words": isinstance(entry.get("matcher", ""), str),
        "a positive timeout": _is_positive(entry.get("timeout", 1)),
        "a positive whole loop_limit": limit is None or (isinstance(limit, int) and _is_positive(limit)),
        "a failClosed of true or false": isinstance(entry.get("failClosed", False), bool),
    }
    missing = next((what for what, is_there in wanted.items() if not is_there), None)
    return None if missing is None else f"lacks {missing}"


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _without_comments(content: Mapping[str, Any]) -> Any:
    """The file as Cursor reads it: comments are cut out of the text, without regard to where they stand."""
    text = re.sub(r"/\*.*?\*/", "", re.sub(r"//.*", "", json.dumps(content, indent=1)), flags=re.DOTALL)
    try:
        return json.loads(text)
    except ValueError:
        return None


def check_claude(content: Mapping[str, Any]) -> str | None:
    """Why Claude Code would not take these settings as they are meant."""
    for name in ("env", "hooks"):
        if not isinstance(content.get(name, {}), dict):
            return f"{name} is not an object"
    for event, groups in cast("dict[str, Any]", content.get("hooks", {})).items():
        if not isinstance(groups, list):
            return f"hooks.{event} is not a list"
        items = cast("Sequence[Any]", groups)
        for group in items:
            if not isinstance(group, dict) or not isinstance(cast("dict[str, Any]", group).get("hooks"), list):
                return f"an entry of hooks.{event} has no hooks"
    return None


def _claude_entries(ticket: LaunchTicket) -> dict[str, Any]:
    """Our side of ``.claude/settings.local.json``: a prompt is answered with a word of ours while nobody records."""
    settings = recorder_settings(ticket, excluded=os.environ)
    script = str(Path(hook_command()[-1]).with_name("alive.py"))
    command = shlex.join((*hook_command()[:-1], script, ticket.hook_socket))
    asks = {"type": "command", "command": command, "timeout": claude_events.TIMEOUT_S}
    settings["hooks"]["UserPromptSubmit"] = [*settings["hooks"]["UserPromptSubmit"], {"hooks": [asks]}]
    return settings


_FILES = {
    "claude": _File(
        relative=".claude/settings.local.json", ours=_claude_entries, empty={}, check=check_claude, holds_token=True
    ),
    "cursor": _File(
        relative=".cursor/hooks.json", ours=cursor_entries, empty=_CURSOR_EMPTY, check=check_cursor, holds_token=False
    ),
}


def _file(ide: str) -> _File:
    if ide not in _FILES:
        raise UsageError(f"no workspace file is known for {ide!r}", hint=f"Use {' or '.join(sorted(_FILES))}.")
    return _FILES[ide]


def _parse(relative: str, data: bytes | None) -> dict[str, Any]:
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
        raise WorkspaceError(f"{relative} is not a JSON object", code="ide_file_invalid")
    return cast("dict[str, Any]", value)


def _spell(content: Mapping[str, Any], before: bytes | None) -> bytes:
    """The file as text, with the indentation that it had."""
    lines = (before or b"").splitlines()
    indented = next((line for line in lines if line[:1] in {b" ", b"\t"}), b"  ")
    space = indented[: len(indented) - len(indented.lstrip())].decode()
    return utf8(json.dumps(content, ensure_ascii=False, indent=space)) + b"\n"


def _missing(content: Any, ours: Any, place: str) -> list[str]:
    """Which of our entries do not stand in the content any more."""
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
