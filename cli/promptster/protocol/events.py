"""Events: public bytes with salted commitments to their fields, and the values and blocks behind these.

The public bytes say that something happened, when, and who saw it; each field stands there only as a commitment. Values
travel beside them and can be taken away one by one without breaking a signature. Order and batches are not known here.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from promptster.protocol.documents import VERSION, encode
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.errors import EventError
from promptster.protocol.fields import (
    FRAME_BLOCK,
    FRAME_EVENT,
    FRAME_SECRETS,
    MAX_BLOCK,
    MAX_EVENT,
    SALT_SIZE,
    Block,
    Secret,
    commitment,
    decode_secrets,
    encode_secrets,
    frame,
    iterate_frames,
    read_stored,
    store,
)
from promptster.protocol.kinds import FIELD_TYPES, KINDS, FieldType, Kind, Source
from promptster.protocol.merkle import leaf_hash
from promptster.protocol.public import MAX_REFS, PublicEvent, check_lists, read_public
from promptster.protocol.signing import RandomBytes
from promptster.protocol.values import decode_value, encode_value

__all__ = [
    "FIELD_TYPES",
    "KINDS",
    "MAX_REFS",
    "Block",
    "Draft",
    "Kind",
    "OpenedEvent",
    "PublicEvent",
    "RecordedEvent",
    "Secret",
    "Source",
    "compose",
]

MAX_TOGETHER: Final = 5000
"""Events that travel together."""
MAX_BLOCKS: Final = 64
"""Blocks that one event may be the first to use."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a capturing part hands to the recorder: an event without its place in the order."""

    src: str
    """One of ``Source``."""
    kind: str
    """One of ``Kind``."""
    ms: int
    """Wall clock; milliseconds since the epoch."""
    mono_ms: int
    """Monotonic clock; milliseconds since an arbitrary start."""
    lane: int = 0
    """0 is the session itself; each conversation and subagent has its own."""
    refs: tuple[int, ...] = ()
    """``seq`` of earlier events that this one belongs to."""
    fields: Mapping[str, object] = field(default_factory=dict[str, object])
    """Values by name, of the types in ``FIELD_TYPES``."""


@dataclass(frozen=True, kw_only=True)
class OpenedEvent:
    """An event in clear, as far as its values are there."""

    seq: int
    src: str
    src_seq: int
    kind: str
    ms: int
    mono_ms: int
    lane: int
    refs: tuple[int, ...]
    fields: dict[str, Any]
    """Values by name, decoded by type; of a value that was cut, the beginning, as text also where the type is JSON."""
    withheld: frozenset[str]
    """Fields that are committed to, and whose value is not here."""
    cut: dict[str, tuple[int, str]]
    """Fields whose value was too long: full length in bytes and SHA-256 in hexadecimal digits."""


@dataclass(frozen=True, kw_only=True)
class RecordedEvent:
    """An event's exact public bytes with the values and the new blocks that travel beside them."""

    public: bytes
    parsed: PublicEvent
    """``public``, read."""
    secrets: Mapping[str, Secret]
    """Salts and stored values by field name; after a redaction some are missing."""
    blocks: tuple[Block, ...] = ()
    """Blocks that this event is the first to use."""

    @classmethod
    def assemble(
        cls,
        public: bytes,
        secrets: Mapping[str, Secret],
        blocks: tuple[Block, ...] = (),
        *,
        parsed: PublicEvent | None = None,
    ) -> RecordedEvent:
        """Join an event's parts and check that they belong together; missing values are allowed.

        Args:
            public: the event's public bytes.
            secrets: salts and stored values by field name.
            blocks: blocks that the event is the first to use.
            parsed: ``public``, where it has been read already.

        Raises:
            EventError: when a part is malformed, or a value is not what the event committed to.
        """
        parsed = parsed or PublicEvent.parse(public)
        for name, (salt, stored) in secrets.items():
            expected = parsed.commitments.get(name)
            if expected is None:
                raise EventError("a value stands beside an event that has no such field", code="value_unknown")
            read_stored(stored)
            if len(salt) != SALT_SIZE or not hmac.compare_digest(commitment(salt, name, stored), expected):
                raise EventError(f"{name} is not what the event committed to", code="commitment")
        return cls(public=public, parsed=parsed, secrets=secrets, blocks=blocks)

    @property
    def seq(self) -> int:
        """The event's place in the session, from 0."""
        return self.parsed.seq

    @property
    def kind(self) -> str:
        """What the event tells."""
        return self.parsed.kind

    @property
    def src(self) -> str:
        """Who saw it."""
        return self.parsed.src

    @property
    def leaf(self) -> bytes:
        """The event's leaf hash."""
        return leaf_hash(self.public)

    @property
    def complete(self) -> bool:
        """Whether every field's value is here; its blocks may still be elsewhere."""
        return self.secrets.keys() == self.parsed.commitments.keys()

    def frames(self) -> bytes:
        """The event as it stands in a journal record and in a batch's body."""
        parts = [frame(FRAME_BLOCK, block.salt + block.data) for block in self.blocks]
        parts.append(frame(FRAME_EVENT, self.public))
        if self.secrets:
            parts.append(frame(FRAME_SECRETS, encode_secrets(self.secrets)))
        return b"".join(parts)

    @staticmethod
    def parse_frames(data: bytes) -> list[RecordedEvent]:
        """Read the events of a journal record or of a batch's plain body.

        Every value must be there, and every block must be used by the event right behind it. That events follow each
        other in order is the batch's matter.

        Raises:
            EventError: when a frame, an event, a value or a block is off.
        """
        return _parse_frames(data)

    def open(
        self, blocks: Mapping[bytes, bytes] | None = None, *, decoded: dict[tuple[bytes, str], Any] | None = None
    ) -> OpenedEvent:
        """The event in clear.

        Args:
            blocks: bytes of blocks by id, beside those that travel with the event.
            decoded: filled with what blocks hold, by id and type, and read from: many events may refer to one block,
                and must not each hold a copy. Nobody changes these values.

        Raises:
            EventError: when a value is not of its field's type.
        """
        own = {block.id: block.data for block in self.blocks}
        fields: dict[str, Any] = {}
        cut: dict[str, tuple[int, str]] = {}
        for name in sorted(self.secrets):
            inline, block, cut_off = read_stored(self.secrets[name].stored)
            data = inline if block is None else own.get(block, (blocks or {}).get(block))
            if data is None:
                continue
            field_type = _field_type(name, cut=cut_off is not None)
            if block is None or decoded is None:
                fields[name] = decode_value(field_type, data)
            else:
                if (block, field_type) not in decoded:
                    decoded[block, field_type] = decode_value(field_type, data)
                fields[name] = decoded[block, field_type]
            if cut_off is not None:
                cut[name] = cut_off
        event = self.parsed
        return OpenedEvent(
            seq=event.seq,
            src=event.src,
            src_seq=event.src_seq,
            kind=event.kind,
            ms=event.ms,
            mono_ms=event.mono_ms,
            lane=event.lane,
            refs=event.refs,
            fields=fields,
            withheld=frozenset(event.commitments.keys() - fields.keys()),
            cut=cut,
        )


def _field_type(name: str, *, cut: bool) -> FieldType:
    """The type of a field's value; the beginning of one that was cut is text, or bytes."""
    field_type = FIELD_TYPES[name]
    return "text" if cut and field_type != "bytes" else field_type


def _parse_frames(data: bytes) -> list[RecordedEvent]:
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
            raise EventError("a frame has an unknown type or stands at the wrong place", code="frame")
    if public is not None:
        events.append(_whole(public, b"", blocks))
        blocks = []
    if blocks:
        raise EventError("a block stands behind the last event", code="block_unused")
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
        raise EventError("a value is missing beside its event", code="value_missing")
    used = {read_stored(secret.stored).block for secret in event.secrets.values()}
    if any(block.id not in used for block in blocks):
        raise EventError("a block stands before an event that does not use it", code="block_unused")
    return event


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
        "kind": str(draft.kind),
        "ms": draft.ms,
        "mono_ms": draft.mono_ms,
        "lane": draft.lane,
        "refs": list(draft.refs),
        "r": b64u_encode(random(SALT_SIZE)),
        "c": {name: b64u_encode(commitment(salt, name, stored)) for name, (salt, stored) in secrets.items()},
    }
    parsed = read_public(document, "local")
    return RecordedEvent(public=encode(document), parsed=parsed, secrets=secrets, blocks=blocks)
