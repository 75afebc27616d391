"""Recorded events as rows of a segment, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.protocol.events import RecordedEvent
from promptster.protocol.events.fields import (
    FRAME_BLOCK,
    SALT_SIZE,
    Block,
    decode_secrets,
    encode_secrets,
    frame,
    iterate_frames,
)
from promptster_collector.store.event_row import EventRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


def row_of(n: int, event: RecordedEvent) -> EventRow:
    """An event as a row."""
    parsed = event.parsed
    return EventRow(
        n=n,
        seq=parsed.seq,
        src=parsed.src.value,
        kind=parsed.kind,
        lane=parsed.lane,
        ms=parsed.ms,
        mono_ms=parsed.mono_ms,
        public=event.public,
        secrets=encode_secrets(event.secrets),
        blocks=b"".join(frame(FRAME_BLOCK, block.salt + block.data) for block in event.blocks),
    )


def event_of(row: EventRow) -> RecordedEvent:
    """The event in a row.

    Raises:
        EventError: the row does not hold an event.
    """
    frames = [data for _, data in iterate_frames(row.blocks)]
    blocks = tuple(Block(data[:SALT_SIZE], data[SALT_SIZE:]) for data in frames)
    return RecordedEvent.assemble(row.public, decode_secrets(row.secrets), blocks)


def within_policy(events: Sequence[RecordedEvent], kinds: Collection[str]) -> tuple[RecordedEvent, ...]:
    """The events; those of a kind that the policy does not allow come without values."""
    return tuple(event if event.kind in kinds else RecordedEvent.assemble(event.public, {}) for event in events)


def by_batch(rows: Iterable[EventRow]) -> dict[int, tuple[RecordedEvent, ...]]:
    """Rows as events, grouped by the batch they came in."""
    found: dict[int, list[RecordedEvent]] = {}
    for row in rows:
        found.setdefault(row.n, []).append(event_of(row))
    return {n: tuple(events) for n, events in found.items()}
