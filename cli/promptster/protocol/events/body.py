"""The frames of several events, as a journal record and a batch's plain body hold them."""

from __future__ import annotations

from typing import Final

from promptster.protocol.errors import EventError
from promptster.protocol.events.fields import (
    FRAME_BLOCK,
    FRAME_EVENT,
    FRAME_SECRETS,
    MAX_BLOCK,
    MAX_EVENT,
    SALT_SIZE,
    Block,
    decode_secrets,
    iterate_frames,
    read_stored,
)
from promptster.protocol.events.recorded import RecordedEvent

MAX_TOGETHER: Final = 5000
"""Events that travel together."""
MAX_BLOCKS: Final = 64
"""Blocks that one event may be the first to use."""


def read_body(data: bytes) -> list[RecordedEvent]:
    """Read the events of a journal record or of a batch's plain body.

    Every value must be there, and every block must be used by the event right after it. The order of the events is
    checked with the batch.

    Raises:
        EventError: when a frame, an event, a value or a block is malformed.
    """
    events: list[RecordedEvent] = []
    blocks: list[Block] = []
    seen: set[bytes] = set()
    public: bytes | None = None
    for frame_type, content in iterate_frames(data):
        if frame_type == FRAME_SECRETS and public is not None and content:
            events.append(_whole(public, content, blocks))
            public, blocks = None, []
            continue
        if public is not None:
            events.append(_whole(public, b"", blocks))
            public, blocks = None, []
        if frame_type == FRAME_BLOCK and len(blocks) < MAX_BLOCKS:
            blocks.append(_read_block(content, seen))
        elif frame_type == FRAME_EVENT and len(events) < MAX_TOGETHER:
            public = content
        else:
            raise EventError("a frame has an unknown type or is in the wrong place", code="frame")
    if public is not None:
        events.append(_whole(public, b"", blocks))
        blocks = []
    if blocks:
        raise EventError("a block follows the last event", code="block_unused")
    return events


def _read_block(content: bytes, seen: set[bytes]) -> Block:
    block = Block(content[:SALT_SIZE], content[SALT_SIZE:])
    if len(block.salt) != SALT_SIZE or len(block.data) > MAX_BLOCK:
        raise EventError("a block is too short or too long", code="block_size")
    if block.id in seen:
        raise EventError("a block travels twice", code="block_repeated")
    seen.add(block.id)
    return block


def _whole(public: bytes, encoded: bytes, blocks: list[Block]) -> RecordedEvent:
    if len(public) + len(encoded) > MAX_EVENT:
        raise EventError(f"an event is larger than {MAX_EVENT} bytes", code="event_size")
    event = RecordedEvent.assemble(public, decode_secrets(encoded), tuple(blocks))
    if not event.complete:
        raise EventError("an event's value is missing", code="value_missing")
    used = {read_stored(secret.stored).block for secret in event.secrets.values()}
    if any(block.id not in used for block in blocks):
        raise EventError("a block precedes an event that does not use it", code="block_unused")
    return event
