"""Reads how Claude Code's tools changed files: from what its hooks report, else from the tools' arguments.

As of version 2.1.330, a report contains the file before (``originalFile``, with line feeds as line endings) and a patch
of the whole file (``structuredPatch``, with two spaces for each leading tab). It does not contain the file after, which
cannot be made by replacing one text with the other alone: curly quotes are kept, and removing a passage may remove its
line ending too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from promptster.capture import actions
from promptster.capture.providers.interface import mapping, optional_text, sequence, text_of
from promptster.protocol.events.kinds import FileEdit
from promptster.replay.differences import agrees, applied, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from promptster.capture.providers.interface import ToolUse
    from promptster.protocol.events.base import Json

TOOLS = frozenset({"Edit", "MultiEdit", "Write", "NotebookEdit"})
"""The tools that change files."""
_BYTE_ORDER_MARK = "\ufeff"
_FIRST_HUNK = 2
"""The number of lines of a patch before its first hunk."""


class _Change(NamedTuple):
    """One text replaced by another."""

    old: str
    new: str
    everywhere: bool

    @property
    def pair(self) -> tuple[str, str]:
        """The two texts."""
        return self.old, self.new


def files_of(call: ToolUse) -> Sequence[str]:
    """The file that a call of one of these tools changes."""
    path = text_of(mapping(call.input).get("file_path"))
    return [path] if path and call.name in TOOLS else []


def edits_done(call: ToolUse, response: Mapping[str, Json]) -> Sequence[FileEdit]:
    """The edits of a call that ran, as its hook reports them: with the whole file, if the response contains it."""
    if call.name == "NotebookEdit":
        return _notebook(call, response)
    path = text_of(response.get("filePath"))
    if not path:
        return edits_from_input(call)
    patch = actions.hunks_as_patch(path, sequence(response.get("structuredPatch")))
    original = response.get("originalFile", response.get("originalFileContents"))
    before = original if isinstance(original, str) else None
    if call.name == "Write":
        contents = [source.get("content") for source in (response, mapping(call.input))]
        after = next((content for content in contents if isinstance(content, str)), None)
        is_new_file = "originalFile" in response and original is None and patch is None
        created = response.get("type", "create" if is_new_file else "") == "create"
    else:
        given = mapping(call.input)
        changes = _changes(response, everywhere=given.get("replace_all")) or _changes(given)
        created = not before and bool(changes) and not changes[0].old
        after = _after("" if created else before, changes, patch)
        if patch is None and (before is None or after is None) and not created:
            return edits_from_input(call)
    if created and after is not None:
        return [actions.created_file(tool_use_id=call.id, path=path, content=after)]
    return [_whole(call, path, before, after, patch)]


def _whole(call: ToolUse, path: str, before: str | None, after: str | None, patch: str | None) -> FileEdit:
    """An edit of an existing file; its patch is made from the two texts, if they agree with the agent's patch."""
    if before is not None and after is not None and (patch is None or agrees(before, after, patch)):
        patch = actions.unified(path, before, after) or patch
    return actions.file_edit(
        tool_use_id=call.id, path=path, operation="modify", before=before, after=after, patch=patch
    )


def _after(before: str | None, changes: Sequence[_Change], patch: str | None) -> str | None:
    """The whole text after an edit: one that the agent's patch confirms; without a patch, the only possible one."""
    if before is None:
        return None
    made = [_replaced(before, changes, whole_lines=whole, is_first=patch is not None) for whole in (False, True)]
    if patch is None:
        return made[0] if made[0] == made[1] else None
    for after in made:
        if after is not None and _makes(patch, before, after):
            return after
    return _patched(before, patch)


def _replaced(before: str, changes: Sequence[_Change], *, whole_lines: bool, is_first: bool) -> str | None:
    """The text after each change in turn, or ``None`` if the place of a change is uncertain.

    Removing a text may remove its line's end as well.

    Args:
        before: the text before the changes.
        changes: what is replaced by what.
        whole_lines: whether a removed text takes its line's end with it.
        is_first: whether to try the first of several places, because a patch shows whether it is the right one.
    """
    text = before
    for change in changes:
        end = "\r\n" if "\r\n" in text and text.count("\n") == text.count("\r\n") else "\n"
        old, new = (part if end == "\n" else part.replace("\r\n", "\n").replace("\n", end) for part in change.pair)
        if not old and text in {"", _BYTE_ORDER_MARK}:
            text += new
            continue
        gone = f"{old}{end}" if whole_lines and not new and f"{old}{end}" in text else old
        if not old or gone not in text or not (change.everywhere or is_first or _occurs_once(gone, text)):
            return None
        text = text.replace(gone, new) if change.everywhere else text.replace(gone, new, 1)
    return text


def _occurs_once(part: str, text: str) -> bool:
    """Whether a part occurs only once in a text."""
    return text.find(part, text.find(part) + 1) < 0


def _patched(before: str, patch: str) -> str | None:
    """The text after a patch; ``None`` if it does not fit this text exactly, as with replaced tabs."""
    rows = [line.removesuffix("\n") for line in lines_of(before)]
    made = applied(rows, patch.removesuffix("\n").split("\n")[_FIRST_HUNK:])
    if made is None:
        return None
    return "\n".join(made) + ("\n" if _is_ended(before, patch) and made else "")


def _makes(patch: str, before: str, after: str) -> bool:
    """Whether a patch turns one text into the other, including the end of its last line."""
    return agrees(before, after, patch) and (not after or after.endswith("\n") == _is_ended(before, patch))


def _is_ended(before: str, patch: str) -> bool:
    """Whether the text after a patch ends with a newline; if the patch does not say so, the end is unchanged."""
    marks = [line[:1] for line in patch.removesuffix("\n").split("\n")[_FIRST_HUNK:]]
    if "\\" not in marks:
        return not before or before.endswith("\n")
    return marks[-1] != "\\" or marks[-2] == "-"


def _notebook(call: ToolUse, response: Mapping[str, Json]) -> Sequence[FileEdit]:
    """The cell that a hook reports, or the change between two files for versions that report only these."""
    path, mode = text_of(response.get("notebook_path")), text_of(response.get("edit_mode"))
    old, new = response.get("old_source"), response.get("new_source")
    if response.get("error"):
        return []
    if path and mode and (mode == "insert" or isinstance(old, str)):
        return [
            actions.edited_cell(
                tool_use_id=call.id,
                path=path,
                cell=text_of(response.get("cell_id")),
                mode=mode,
                before=None if mode == "insert" else text_of(old),
                after=None if mode == "delete" else text_of(new),
            )
        ]
    before, after = optional_text(response.get("original_file")), optional_text(response.get("updated_file"))
    if not path or before is None or after is None:
        return edits_from_input(call)
    return [_whole(call, path, before, after, None)]


def edits_from_input(call: ToolUse, *, created: bool = False) -> Sequence[FileEdit]:
    """The edits in a tool's arguments: the passages to replace.

    Args:
        call: a call of one of the tools that edit files.
        created: whether the tool's result says that the file is new.
    """
    given = mapping(call.input)
    path = text_of(given.get("file_path")) or text_of(given.get("notebook_path"))
    return list(_from_input(call, path, given, created=created)) if path else []


def _from_input(call: ToolUse, path: str, given: Mapping[str, Json], *, created: bool) -> Iterator[FileEdit]:
    if call.name == "Write" and created:
        yield actions.created_file(tool_use_id=call.id, path=path, content=text_of(given.get("content")))
    elif call.name == "Write":
        yield _overwritten(call, path, text_of(given.get("content")))
    elif call.name == "NotebookEdit":
        yield _cell(call, path, given)
    elif call.name in TOOLS and (changes := _changes(given)):
        made = None if changes[0].old else _replaced("", changes, whole_lines=False, is_first=False)
        if made is None:
            pairs = [change.pair for change in changes]
            yield actions.replaced_passages(tool_use_id=call.id, path=path, pairs=pairs)
        else:
            yield actions.created_file(tool_use_id=call.id, path=path, content=made)


def _overwritten(call: ToolUse, path: str, after: str | None) -> FileEdit:
    """A file that was written whole. Its earlier content is not known, so the edit has no patch."""
    return actions.file_edit(tool_use_id=call.id, path=path, operation="modify", before=None, after=after, patch=None)


def _cell(call: ToolUse, path: str, given: Mapping[str, Json]) -> FileEdit:
    """A cell, from a tool's arguments. Its earlier content and the id of a new cell are not known."""
    source, mode = text_of(given.get("new_source")), text_of(given.get("edit_mode")) or "replace"
    return actions.edited_cell(
        tool_use_id=call.id,
        path=path,
        cell=text_of(given.get("cell_id")),
        mode=mode,
        before=None,
        after=None if mode == "delete" else source,
        is_known=False,
    )


def _changes(given: Mapping[str, Json], *, everywhere: Json = None) -> list[_Change]:
    """What was replaced by what.

    Args:
        given: the arguments of a tool, or its response.
        everywhere: whether to replace every occurrence, if they do not say.
    """
    found: list[_Change] = []
    for edit in [mapping(edit) for edit in sequence(given.get("edits"))] or [given]:
        old = edit.get("old_string", edit.get("oldString"))
        new = edit.get("new_string", edit.get("newString"))
        every = edit.get("replace_all", edit.get("replaceAll", given.get("replaceAll", everywhere)))
        if old is not None or new is not None:
            found.append(_Change(text_of(old), text_of(new), every is True))
    return found
