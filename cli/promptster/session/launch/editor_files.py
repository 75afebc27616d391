"""Prepares the workspace files that agents inside editors read, after the candidate said yes.

Existing entries stay as they are, and ours are added. The result is checked against the form that the agent accepts
before it is written. At the end ``touched_files`` restores the file byte for byte; until then ``git_exclude`` keeps it
out of the candidate's commits.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from promptster.agents.editor_entries import REPAIR, accepted, editor_file, require_form
from promptster.agents.merging import merge_settings
from promptster.errors import WorkspaceError, reason_of
from promptster.paths import utf8
from promptster.session_folder import git_exclude
from promptster.system.plain_files import read_plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from promptster.agents.editor import HasEditorFile
    from promptster.session.current import Current


def prepare_ide(current: Current, ide: str) -> list[Path]:
    """Merge our entries into the workspace file of one editor's agent, or update them.

    Raises:
        UsageError: the editor is not known.
        WorkspaceError: the file does not have the form that the agent accepts, or cannot be written.
    """
    relative, file = editor_file(ide)
    _require_untracked(current.workspace, relative, file, ide)
    before = current.touched.before(relative)
    merged = merge_settings(accepted(relative, file, before), file.entries(current.control.launch()))
    require_form(relative, file, merged)
    git_exclude.hide(current.workspace, relative)
    try:
        current.touched.write(relative, _spell(merged, before))
    except OSError as error:
        raise WorkspaceError(
            f"cannot write {relative}: {reason_of(error)}",
            hint="Make it writable, then run `promptster resume`.",
            code="ide_file_invalid",
        ) from error
    return [current.workspace / relative]


def check_ide(workspace: Path, ide: str) -> None:
    """Check before a session whether one editor's file could be prepared; changes nothing.

    Raises:
        UsageError: the editor is not known.
        WorkspaceError: the file does not have the form that the agent accepts, is reached through a link, or would be
            committed with the session's token in it.
    """
    relative, file = editor_file(ide)
    _require_untracked(workspace, relative, file, ide)
    git_exclude.require_hideable(workspace)
    try:
        data = read_plain(workspace, relative)
    except OSError as error:
        raise WorkspaceError(
            f"cannot read {relative}: {reason_of(error)}", hint=REPAIR, code="ide_file_invalid"
        ) from error
    accepted(relative, file, data)


def tracked_files(current: Current) -> list[str]:
    """Return the prepared files that git tracks; a commit of them contains our entries, but no token."""
    relatives = [editor_file(ide)[0] for ide in current.facts.choices.ide]
    return [relative for relative in relatives if git_exclude.is_tracked(current.workspace, relative)]


def _require_untracked(workspace: Path, relative: str, file: HasEditorFile, ide: str) -> None:
    if file.holds_token and git_exclude.is_tracked(workspace, relative):
        raise WorkspaceError(
            f"git tracks {relative}, so a commit would contain the session's token",
            hint=f"Remove it from git (git rm --cached {relative}), or start without --ide {ide}.",
            code="ide_tracked",
        )


def agree_later(current: Current, ide: str) -> list[Path]:
    """Prepare an editor's file after the start, once the candidate said yes; ``resume`` will update it.

    Raises:
        WorkspaceError: the file does not have the form that the agent accepts, or cannot be written.
    """
    made = prepare_ide(current, ide)
    current.folder.update(choices=current.facts.choices.with_editor(ide))
    return made


def _spell(content: Mapping[str, Any], before: bytes | None) -> bytes:
    """Return the file's bytes, with the indentation that it had before."""
    lines = (before or b"").splitlines()
    indented = next((line for line in lines if line[:1] in {b" ", b"\t"}), b"  ")
    space = indented[: len(indented) - len(indented.lstrip())].decode()
    return utf8(json.dumps(content, ensure_ascii=False, indent=space)) + b"\n"
