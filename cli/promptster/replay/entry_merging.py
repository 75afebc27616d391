"""From the wire events that report one thing to the one entry that shows it.

Nothing is invented: every merged value is some source's value, and whatever another source said differently stays in
``views``. The texts of an edit all are one source's: the one that saw most of the file.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from promptster.protocol.events import Source
from promptster.protocol.events.kinds import FileEdit, event_of
from promptster.replay.correlation import viewpoint
from promptster.replay.edits import TEXTS, Calls, best_report
from promptster.replay.model import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.protocol.events import OpenedEvent

_AFTER_THE_FACT = frozenset({"operation", "exit_code", "duration_ms"})
"""What the agent's own report, made when it was done, knows better than whoever only saw what was asked for."""


def merge(cluster: Sequence[OpenedEvent], calls: Calls | None = None) -> Entry:
    """One entry from the events of one cluster.

    Args:
        cluster: the events, ascending by ``seq``.
        calls: the session's tool calls: an edit is also judged by what was asked for and by what came of it.
    """
    first = cluster[0]
    edit = isinstance(first.event, FileEdit)
    report, extent = best_report(cluster, calls or Calls()) if edit else (None, None)
    fields = first.fields if len(cluster) == 1 else _merged_fields(cluster, report)
    views = _differences(cluster, fields) if len(cluster) > 1 else {}
    return Entry(
        seq=first.seq,
        event=event_of(first.kind, fields),
        ms=first.ms,
        lane=first.lane or next((event.lane for event in cluster if event.lane), 0),
        sources=tuple(dict.fromkeys(event.src for event in cluster)),
        views=views,
        seqs=tuple(event.seq for event in cluster),
        refs=tuple(dict.fromkeys(ref for event in cluster for ref in event.refs)),
        withheld=tuple(sorted({name for event in cluster for name in event.withheld} - fields.keys())),
        cut={name: length for event in cluster for name, length in event.cut.items() if _counts(name, event, report)},
        extent=extent,
    )


def _counts(name: str, event: OpenedEvent, report: OpenedEvent | None) -> bool:
    """Whether a field of an event goes into the entry: of an edit's texts only those of the believed report."""
    return report is None or event is report or name not in TEXTS


def _merged_fields(cluster: Sequence[OpenedEvent], report: OpenedEvent | None) -> dict[str, Any]:
    said = [{name: event.fields[name] for name in event.fields if _counts(name, event, report)} for event in cluster]
    return {name: _merged(name, cluster, said) for name in dict.fromkeys(name for fields in said for name in fields)}


def _merged(name: str, cluster: Sequence[OpenedEvent], said: Sequence[Mapping[str, Any]]) -> Any:
    told = [(event.src, fields[name]) for event, fields in zip(cluster, said, strict=True) if name in fields]
    if name in _AFTER_THE_FACT:
        told = [(src, value) for src, value in told if src == Source.HOOK] or told
    return richest([value for _, value in told])


def richest(values: Sequence[Any]) -> Any:
    """The value that says most.

    A text is worth more than a structure: where one source has the words that the model read, and another its own
    structure around them, the words count. Of texts and of structures the longest counts, of numbers and flags the
    first.
    """
    return max(values, key=_richness)  # of equals, max keeps the first


def _richness(value: Any) -> tuple[int, int]:
    if isinstance(value, str | bytes):
        return (2 if value else 0), len(value)
    if isinstance(value, list | dict):
        return (1 if value else 0), len(json.dumps(value, ensure_ascii=False))
    return 0, 0


def _differences(cluster: Sequence[OpenedEvent], merged: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    reports = Counter(event.src for event in cluster)
    views: dict[str, Mapping[str, Any]] = {}
    for event in cluster:
        different = {name: value for name, value in event.fields.items() if not _same(value, merged.get(name))}
        if different:
            label = event.src if reports[event.src] == 1 else ":".join(viewpoint(event))
            views[label] = different
    return views


def _same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)
