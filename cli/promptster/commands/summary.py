"""The summary before submitting: files, the recording, what it does not cover, what is not sent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from promptster.errors import PromptsterError
from promptster.protocol.events.kinds import Kind
from promptster.protocol.gaps import is_outage
from promptster.protocol.verdict import GapKind
from promptster.replay.formatting import counted
from promptster.session.inspection import read_session
from promptster.session.workspace.snapshot import ChangeStatus
from promptster.session_folder.wording import one_line
from promptster.times import span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from promptster.replay.model import Timeline
    from promptster.session.current import Current
    from promptster.session.leaving.submitting import PreparedSubmission
    from promptster.session.workspace.snapshot import Change

_NAMES_WIDTH = 60
"""The width for names of files; the rest are only counted."""
_KB, _MB = 1_000, 1_000_000
_UNCOVERED = frozenset(
    {
        GapKind.CAPTURE_GAP,
        GapKind.RECOVERED,
        GapKind.HOOK_SILENT,
        GapKind.DEGRADED,
        GapKind.BYPASS_SUSPECTED,
        GapKind.SOURCE_LOSS,
        GapKind.SILENCE,
        GapKind.MISSING,
    }
)
"""Gaps in which something is or may be missing."""


def rows(current: Current, prepared: PreparedSubmission, events: int, now_ms: int) -> Iterator[tuple[str, str]]:
    """Label and text of each row; the counts match those of ``promptster inspect``."""
    sent = [change for change in prepared.changes if change.status is not ChangeStatus.IGNORED]
    yield "Files", _files(sent, prepared.lines)
    hidden = [f"{_name(change)} ({_why(change)})" for change in sent if change.hidden is not None]
    if hidden:
        yield "Not in full", f"{names(hidden)}: only name, size and hash are sent"
    try:
        timeline = read_session(current).replay.timeline
    except PromptsterError:  # what cannot be read here is still sent
        yield "Recording", counted(events, "event")
    else:
        yield "Recording", f"{_counts(timeline, events)} ({size(_bytes(current))})"
        if missing := _uncovered(timeline, now_ms):
            yield "Not covered", missing
    ignored = [_name(change) + _pile(change) for change in prepared.changes if change.status is ChangeStatus.IGNORED]
    if ignored:
        yield "Not sent", f"content of {names(ignored)} (ignored by git; name, size and hash are sent)"


def names(all_of_them: Sequence[str]) -> str:
    """As many names as fit on a line, and the number of the others."""
    shown = [all_of_them[0]]
    for name in all_of_them[1:]:
        if len(", ".join([*shown, name])) > _NAMES_WIDTH:
            break
        shown.append(name)
    rest = len(all_of_them) - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more" if rest else "")


def size(number: int) -> str:
    """A number of bytes in a suitable unit."""
    if number < _KB:
        return f"{number} bytes"
    return f"{number / _KB:.0f} kB" if number < _MB / 10 else f"{number / _MB:,.1f} MB"


def _files(sent: Sequence[Change], lines: tuple[int, int]) -> str:
    if not sent:
        return "none changed since the start"
    statuses = Counter(change.status for change in sent)
    words = ((ChangeStatus.MODIFIED, "changed"), (ChangeStatus.ADDED, "new"), (ChangeStatus.DELETED, "deleted"))
    told = ", ".join(f"{statuses[status]:,} {word}" for status, word in words if statuses[status])
    return f"{told} (+{lines[0]:,} -{lines[1]:,}): {names([_name(change) for change in sent])}"


def _name(change: Change) -> str:
    return one_line(change.shown_path)


def _why(change: Change) -> str:
    kept = change.after or change.before
    count = f", {kept.count:,} files" if kept is not None and kept.count else ""
    return f"{change.hidden.value if change.hidden is not None else ''}{count}"


def _pile(change: Change) -> str:
    kept = change.after or change.before
    return f" with {counted(kept.count, 'file')}" if kept is not None and kept.count else ""


def _counts(timeline: Timeline, events: int) -> str:
    kinds = Counter(entry.kind for entry in timeline.entries if not entry.is_machine)
    told = [(Kind.PROMPT, "prompt"), (Kind.TOOL_CALL, "tool call"), (Kind.NOTE, "note")]
    found = [counted(kinds[kind], word) for kind, word in told if kinds[kind] or kind != Kind.NOTE]
    return ", ".join([*found, counted(events, "event")])


def _uncovered(timeline: Timeline, now_ms: int) -> str:
    lengths: dict[str, int] = {}
    for gap in timeline.gaps:
        if gap.kind is GapKind.PAUSED:
            what = "recorder not running for" if is_outage(gap.kind, gap.text) else "paused for"
            length = max(0, (now_ms if gap.to_ms is None else gap.to_ms) - gap.from_ms)
            lengths[what] = lengths.get(what, 0) + length
    told = [f"{what} {span(length)}" for what, length in lengths.items()]
    if others := sum(gap.kind in _UNCOVERED for gap in timeline.gaps):
        told.append(f"{counted(others, 'gap')}: promptster inspect")
    return "; ".join(told)


def _bytes(current: Current) -> int:
    """The size of the recording on the disk."""
    return sum(path.stat().st_size for path in current.folder.journal.glob("*") if path.is_file())
