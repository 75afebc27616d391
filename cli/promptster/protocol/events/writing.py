"""Writing: from an event and its circumstances to the bytes that are recorded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from promptster.protocol.documents import VERSION, encode
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.events.base import fields_of
from promptster.protocol.events.fields import SALT_SIZE, commitment, store
from promptster.protocol.events.kinds import FIELD_TYPES, Event
from promptster.protocol.events.public import check_lists, read_public
from promptster.protocol.events.recorded import RecordedEvent
from promptster.protocol.events.sources import Source
from promptster.protocol.events.values import encode_value
from promptster.protocol.signing import RandomBytes


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What capture hands to the recorder: an event with its circumstances, but without its place in the order."""

    src: Source
    """Who saw it."""
    event: Event
    """What happened."""
    ms: int
    """Wall clock; milliseconds since the epoch."""
    mono_ms: int
    """Monotonic clock; milliseconds since an arbitrary start."""
    lane: int = 0
    """0 is the session itself; each conversation and subagent has its own."""
    refs: tuple[int, ...] = ()
    """``seq`` of earlier events that this one belongs to."""

    @property
    def kind(self) -> str:
        """The event's kind, as on the wire."""
        return self.event.kind

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The values of ``event`` by name, for what treats all kinds alike."""
        return fields_of(self.event)


def compose(draft: Draft, *, seq: int, src_seq: int, random: RandomBytes) -> RecordedEvent:
    """Give a draft its place in the session.

    Values over 256 KiB become one block each, the largest others too while the event would exceed 1 MiB; over 8 MiB, or
    while the event could not travel in one batch, they are cut and marked with their full length and hash.

    Raises:
        EventError: when the draft's source, kind, fields or numbers are not those of an event.
    """
    check_lists(draft.src, draft.kind, draft.fields, "local")
    values = {name: encode_value(FIELD_TYPES[name], value) for name, value in draft.fields.items()}
    secrets, blocks = store(values, random)
    document: dict[str, Any] = {
        "v": VERSION,
        "seq": seq,
        "src": str(draft.src),
        "src_seq": src_seq,
        "kind": draft.kind,
        "ms": draft.ms,
        "mono_ms": draft.mono_ms,
        "lane": draft.lane,
        "refs": list(draft.refs),
        "r": b64u_encode(random(SALT_SIZE)),
        "c": {name: b64u_encode(commitment(salt, name, stored)) for name, (salt, stored) in secrets.items()},
    }
    parsed = read_public(document, "local")
    return RecordedEvent(public=encode(document), parsed=parsed, secrets=secrets, blocks=blocks)
