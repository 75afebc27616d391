"""Entries in words: one headline and the passages below it, the same for the terminal, the page and every reader.

Texts are kept as they were captured; whoever shows them escapes them for the terminal or the page.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, assert_never

from promptster.protocol.events.base import OfAgent
from promptster.protocol.events.kinds import (
    CaptureBypassSuspected,
    CaptureClockJump,
    CaptureConfigChanged,
    CaptureDegraded,
    CaptureGap,
    CaptureHeartbeat,
    CaptureHookSilent,
    CaptureRecovered,
    CaptureUpstreamOverridden,
    Closed,
    Consented,
    FileEdit,
    Note,
    Opened,
    Paused,
    Redaction,
    Resumed,
    SessionEvent,
    SubmissionBaseline,
    SubmissionFinal,
)
from promptster.protocol.events.sources import OWN_SOURCES, is_own
from promptster.protocol.gaps import jumped_by
from promptster.replay.agent_narration import narrate_agent, with_patch
from promptster.replay.differences import unplaced
from promptster.replay.edits import TEXTS, shown_diff
from promptster.replay.formatting import counted, excerpt
from promptster.replay.json_values import as_list
from promptster.replay.model import Extent
from promptster.replay.narration_parts import (
    Narration,
    Passage,
    Style,
    as_recorded,
    fact_of,
    passage_of,
    passages_of,
    pretty,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.replay.model import Entry

__all__ = ["Narration", "Passage", "Style", "narrate", "pretty"]


def narrate(entry: Entry) -> Narration:
    """Put one entry into words; label, subject and note are one line each."""
    told = _foreign(entry) if _is_foreign(entry) else _narrate(entry)
    diff = next((passage.text for passage in told.passages if passage.style is Style.DIFF), "")
    seen = ((source, _view(entry, view, diff)) for source, view in entry.views.items())
    views = tuple(
        Passage(label=f"as the {source} saw it", text=text, style=Style.CODE) for source, text in seen if text
    )
    return replace(
        told,
        label=excerpt(told.label),
        subject=excerpt(told.subject),
        note=excerpt(told.note),
        passages=told.passages + views,
    )


def _view(entry: Entry, view: Mapping[str, Any], shown: str) -> str:
    """What a source said differently; of an edit the difference that it knows, without a place in the file.

    Empty if that is the difference that is ``shown`` anyway.
    """
    diff = shown_diff(view, Extent.PASSAGES, entry.cut) if isinstance(entry.event, FileEdit) else None
    if diff is None:
        return (with_patch(view.get("content")) if len(view) == 1 else None) or pretty(dict(view))
    rest = [f"{name}: {fact_of(value)}" for name, value in view.items() if name not in TEXTS]
    is_shown = unplaced(shown.split("\n")) == diff.split("\n")
    return "\n".join([*rest, *([] if is_shown else [diff])])


def _narrate(entry: Entry) -> Narration:
    event = entry.event
    return narrate_agent(entry, event) if isinstance(event, OfAgent) else _session(entry, event)


def _session(entry: Entry, event: SessionEvent) -> Narration:  # noqa: C901, PLR0912 - one case for each kind
    """How the session went, in words: most kinds need no more than a label and one of their fields."""
    subject: str | None = None
    bad = False
    match event:
        case Note():
            return _note(event)
        case SubmissionFinal():
            return _submission_final(entry, event)
        case SubmissionBaseline():
            label, subject = "Starting point recorded", event.commit
        case Opened():
            label = "Session opened"
        case Closed():
            label = "Session ended"
        case Paused():
            label, subject = "Recording paused", event.reason
        case Resumed():
            label, subject = "Recording resumed", event.reason
        case Consented():
            label = "The candidate agreed to the policy"
        case Redaction():
            label, subject = "The candidate redacted a field", event.reason
        case CaptureHeartbeat():
            label = "Recorder is running"
        case CaptureHookSilent():
            label, subject, bad = "A tool call that no hook reported", event.name, True
        case CaptureBypassSuspected():
            label, subject, bad = "The agent may have bypassed the recorder", event.detail, True
        case CaptureConfigChanged():
            label, subject, bad = "A setting that recording relies on changed", event.path_name, True
        case CaptureDegraded():
            label, subject, bad = "What is recorded changed", event.detail, True
        case CaptureGap():
            label, subject, bad = "Recording was incomplete", event.detail, True
        case CaptureClockJump():
            jump = None if event.delta_ms is None else jumped_by(event.delta_ms)
            label, subject, bad = "The computer's clock jumped", jump, True
        case CaptureUpstreamOverridden():
            label, subject, bad = "Traffic sent to another address", event.url, True
        case CaptureRecovered():
            label, subject = "The recorder was restarted", event.detail
        case _:
            assert_never(event)
    return Narration(label=label, subject=subject or "", bad=bad, passages=passages_of(as_recorded(entry)))


def _note(event: Note) -> Narration:
    return Narration(
        label="Note by the candidate", passages=passages_of(passage_of(event.text, "", Style.PROSE, opened=True))
    )


def _submission_final(entry: Entry, event: SubmissionFinal) -> Narration:
    count = len(as_list(event.manifest))
    return Narration(
        label="Work submitted",
        subject=f"{counted(count, 'file')} changed",
        passages=passages_of(
            passage_of(event.diff, "difference against the baseline", Style.DIFF), as_recorded(entry, "diff")
        ),
    )


def _is_foreign(entry: Entry) -> bool:
    """Whether it says how the session went, and none of its sources can say that."""
    return entry.kind in OWN_SOURCES and not any(is_own(entry.kind, source) for source in entry.sources)


def _foreign(entry: Entry) -> Narration:
    kind = entry.kind.replace("_", " ")
    note = "this source cannot report such an event"
    return Narration(label="Claimed", subject=kind, note=note, bad=True, passages=passages_of(as_recorded(entry)))
