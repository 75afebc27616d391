"""The nouns of a replay: frozen values, no behaviour beyond looking things up.

A *wire event* is one signed record of one source. An *entry* is one thing that happened: every wire event that reports
it, merged. What the sources said differently stays visible in the entry's ``views``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from promptster.protocol.events.base import fields_of
from promptster.protocol.events.kinds import Event, Kind, Prompt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.protocol.verdict import GapKind

REFUSED_ATTEMPT = "promptster_refused"
"""``raw_kind`` of an ``agent_other`` that says what an agent asked of Promptster and did not get."""


OUTPUT_CUT = "output_cut"
"""``raw_kind`` of an ``agent_other`` that says how much of a tool's output the agent itself did not keep."""


class EntryRole(StrEnum):
    """Where an entry belongs when the session is shown as a story."""

    STORY = "story"
    """Work: the candidate's, the agent's, or a turn of the session."""
    ROUTINE = "routine"
    """Needed for completeness, saying nothing by itself: a heartbeat, a request that was answered at once."""
    NOT_CANDIDATE = "not_candidate"
    """The agent's own housekeeping (titles, classifiers, compaction): kept and exported, never the candidate's work."""


class Extent(StrEnum):
    """How much of its file a recorded edit shows."""

    FILE = "file"
    """All that changed, in its place: the difference of the whole file."""
    WRITTEN = "written"
    """The whole file after, and nothing of what was there before."""
    PASSAGES = "passages"
    """Passages without their place in the file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One thing that happened, as all its sources report it."""

    seq: int
    """Sequence number of the first wire event that reports it."""
    event: Event
    """What happened; where the sources differ, the richer value."""
    ms: int
    """Wall clock of that first report, milliseconds since the epoch."""
    lane: int
    """The conversation it belongs to; 0 is the session itself."""
    sources: tuple[str, ...]
    """Who saw it, in the order in which they reported."""
    views: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, "Mapping[str, Any]"])
    """Per source, the values that differ from the merged ones."""
    seqs: tuple[int, ...] = ()
    """Every wire event that went into this entry, ascending."""
    refs: tuple[int, ...] = ()
    """Entries that this one refers to, by their ``seq``."""
    role: EntryRole = EntryRole.STORY
    """Where it belongs in the story."""
    marks: tuple[str, ...] = ()
    """Short remarks about the entry, such as ``cut``."""
    action: int | None = None
    """``seq`` of the entry (the tool call) whose action this one continues; ``None`` where it opens one."""
    withheld: tuple[str, ...] = ()
    """Fields whose value was taken out of the record."""
    cut: Mapping[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    """Fields recorded only in part: their full length in bytes and SHA-256."""
    extent: Extent | None = None
    """How much of its file an edit shows; ``None`` if it shows nothing of it, and for everything else."""

    attempts: tuple[Mapping[str, Any], ...] | None = None
    """Of a request, how often the model was asked, with what came of it; ``None`` for everything else."""

    @property
    def kind(self) -> str:
        """Event kind, as on the wire."""
        return self.event.kind

    @property
    def fields(self) -> dict[str, Any]:
        """The values of ``event`` by name, and the attempts, for what treats all kinds alike."""
        values = fields_of(self.event)
        return values if self.attempts is None else values | {"attempts": list(self.attempts)}

    @property
    def is_machine(self) -> bool:
        """Whether it is a prompt that a program wrote, not the candidate."""
        return isinstance(self.event, Prompt) and self.event.machine is True

    @property
    def counts(self) -> bool:
        """Whether it is one of its kind wherever entries are counted: of prompts only what the candidate typed."""
        return self.role is EntryRole.STORY and not self.is_machine


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """One conversation: an agent's, a subagent's, or the session itself."""

    number: int
    """The lane's number, as on the wire."""
    name: str
    """A name for people, such as ``Claude Code`` or ``Claude Code, subagent Explore``."""
    agent: str | None
    """The agent's short name; ``None`` for the session itself."""
    parent: int | None
    """The lane that started this one, where the record says so."""
    entries: int
    """How many entries it has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionGap:
    """A span in which something is missing from the record, or may be."""

    kind: GapKind
    """Why."""
    text: str
    """The same, worded for people."""
    from_ms: int
    """Its beginning, milliseconds since the epoch."""
    to_ms: int | None
    """Its end; ``None`` where the record does not say."""
    seq: int
    """The wire event that reports it, or the first one inside it."""
    source: str | None = None
    """The source that is incomplete; ``None`` for all, or if unknown."""
    to_seq: int | None = None
    """The event that ends it, where another one does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceCoverage:
    """What one source reported."""

    source: str
    """Its name."""
    events: int
    """Wire events on record."""
    missing: int
    """Numbers of this source that are absent from the record although later ones are there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KindCoverage:
    """Who saw the entries of one kind."""

    kind: str
    """The kind."""
    total: int
    """Entries of it."""
    by_sources: Mapping[tuple[str, ...], int]
    """How many were seen by exactly these sources (sorted by name)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmittedFile:
    """One line of the submission's manifest."""

    path: str
    """Path below the workspace."""
    status: str
    """What happened to it since the baseline."""
    size: int | None
    """Bytes."""
    sha256: str | None
    """Hash of its bytes."""
    shown: bool
    """Whether its difference is in the record; otherwise only its hash is."""
    reason: str | None
    """Why it is not shown."""
    diff: str | None
    """Its part of the submission's difference."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """What was submitted, compared to the baseline."""

    seq: int
    """The entry that carries it."""
    files: tuple[SubmittedFile, ...]
    """Every file that changed."""
    diff: str | None
    """The whole difference as recorded; ``None`` if it was withheld."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """A session in order: entries, conversations, gaps, and who saw what."""

    entries: tuple[Entry, ...]
    """Everything that happened, ascending by ``seq``."""
    lanes: tuple[Lane, ...]
    """Every conversation, ascending by number."""
    gaps: tuple[SessionGap, ...]
    """Where the record is silent or cannot be relied on, in order of time."""
    sources: tuple[SourceCoverage, ...]
    """Per source, what it reported."""
    coverage: tuple[KindCoverage, ...]
    """Per kind that more than one source can see, who saw it."""
    submission: Submission | None
    """What was submitted; ``None`` before that."""
    wire_events: int
    """How many wire events the entries were made from."""

    @property
    def story(self) -> tuple[Entry, ...]:
        """The entries that show the work, without housekeeping."""
        return tuple(entry for entry in self.entries if entry.role is EntryRole.STORY)

    @property
    def gaps_by_seq(self) -> tuple[SessionGap, ...]:
        """The gaps in the order of the events that report them: their places among the entries."""
        return tuple(sorted(self.gaps, key=lambda gap: gap.seq))

    @property
    def started_ms(self) -> int | None:
        """Wall clock of the first entry."""
        return self.entries[0].ms if self.entries else None

    @property
    def ended_ms(self) -> int | None:
        """The latest wall clock of any entry."""
        return max((entry.ms for entry in self.entries), default=None)

    def count(self, kind: Kind) -> int:
        """How many entries of this kind there are; head, tables and filters all say this number."""
        return sum(1 for entry in self.entries if entry.kind == kind and entry.counts)
