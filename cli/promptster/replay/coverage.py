"""Who saw what: every number about a session comes with what its sources could see."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from promptster.protocol.events.kinds import Kind
from promptster.protocol.events.sources import SOURCES
from promptster.replay.correlation import CORRELATED
from promptster.replay.model import KindCoverage, SourceCoverage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from promptster.protocol.events import OpenedEvent
    from promptster.replay.model import Entry

COVERED_KINDS = (
    Kind.PROMPT,
    Kind.TOOL_CALL,
    Kind.TOOL_RESULT,
    Kind.FILE_EDIT,
    Kind.COMMAND,
    Kind.SUBAGENT_STARTED,
    Kind.SUBAGENT_STOPPED,
    Kind.PERMISSION,
)
"""Kinds that both the proxy and the hooks may see, in the order in which people read them."""


def by_source(events: Iterable[OpenedEvent]) -> tuple[SourceCoverage, ...]:
    """Per source: what it reported, and which of its own numbers are absent."""
    groups: dict[str, list[OpenedEvent]] = defaultdict(list)
    for event in events:
        groups[event.src].append(event)
    known = [source for source in SOURCES if source in groups] + sorted(set(groups) - set(SOURCES))
    return tuple(_source(source, groups[source]) for source in known)


def _source(source: str, events: Sequence[OpenedEvent]) -> SourceCoverage:
    numbers = {event.src_seq for event in events}
    return SourceCoverage(
        source=source,
        events=len(events),
        missing=max(numbers) + 1 - len(numbers),
    )


def by_kind(entries: Iterable[Entry]) -> tuple[KindCoverage, ...]:
    """Per kind that several sources can report: how many entries were seen by which of them."""
    counts: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for entry in entries:
        if isinstance(entry.event, CORRELATED) and entry.counts:
            counts[entry.kind][tuple(sorted(entry.sources))] += 1
    return tuple(
        KindCoverage(kind=kind, total=counts[kind].total(), by_sources=dict(sorted(counts[kind].items())))
        for kind in COVERED_KINDS
        if kind in counts
    )
