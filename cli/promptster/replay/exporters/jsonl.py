"""JSON Lines: one entry a line, every field in clear, for programs.

A line has ``seq``, ``kind``, ``ms``, ``lane``, ``sources``, ``refs``, then the entry's fields under their own names.
Where they apply it has ``seqs`` (every wire event merged into it), ``views`` (what sources said differently), ``role``
(what is not the story), ``marks``, ``action`` (the tool call that it belongs to), ``withheld`` and ``cut``. An edit has
``extent``: whether ``before``, ``after`` and ``patch`` tell the whole change (``file``), the whole file after it and
nothing of before (``written``), or ``passages`` whose place in the file is not known. Bytes are base64url.

Lines are ASCII, everything else is escaped: readers that also split at U+0085, U+2028 or U+2029 see the same lines,
and no text in them can steer a terminal.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from promptster.protocol.encoding import b64u_encode
from promptster.replay.model import EntryRole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.replay.loading import Replay
    from promptster.replay.model import Entry, SessionGap


def line(entry: Entry) -> dict[str, Any]:
    """One entry as the object of its line."""
    document: dict[str, Any] = {
        "seq": entry.seq,
        "kind": entry.kind,
        "ms": entry.ms,
        "lane": entry.lane,
        "sources": list(entry.sources),
        "refs": list(entry.refs),
    }
    beside: dict[str, Any] = {
        "seqs": list(entry.seqs) if len(entry.seqs) > 1 else None,
        "role": entry.role.value if entry.role is not EntryRole.STORY else None,
        "marks": list(entry.marks),
        "action": entry.action,
        "views": {
            source: {name: _plain(value) for name, value in view.items()} for source, view in entry.views.items()
        },
        "extent": None if entry.extent is None else entry.extent.value,
        "withheld": list(entry.withheld),
        "cut": {name: {"length": length, "sha256": digest} for name, (length, digest) in entry.cut.items()},
    }
    document |= {name: value for name, value in beside.items() if value not in (None, [], {})}
    return document | {name: _plain(value) for name, value in entry.fields.items() if name not in document}


def gap_object(gap: SessionGap) -> dict[str, Any]:
    """One gap as an object, as ``promptster verify --json`` has them."""
    return {
        "kind": gap.kind.value,
        "seq": gap.seq,
        "to_seq": gap.to_seq,
        "from_ms": gap.from_ms,
        "to_ms": gap.to_ms,
        "text": gap.text,
    }


def _plain(value: Any) -> Any:
    """A field's value without bytes; only whole fields are ever bytes."""
    if isinstance(value, bytes):
        return b64u_encode(value)
    return value


class JsonLinesExporter:
    """One line per entry."""

    name = "jsonl"
    media_type = "application/x-ndjson"
    suffix = ".jsonl"
    needs_bundle = False

    def export(self, replay: Replay) -> Iterator[bytes]:
        """The lines, one by one."""
        for entry in replay.timeline.entries:
            text = json.dumps(line(entry), ensure_ascii=True, separators=(",", ":")).replace("\x7f", "\\u007f")
            yield text.encode("ascii") + b"\n"


EXPORTER = JsonLinesExporter()
