"""Events as they are recorded: public bytes with salted commitments to their fields, and the committed values.

The public bytes say that something happened, when, and who saw it; each field is there only as a commitment. Values
travel alongside and can be taken away one by one without breaking a signature. Order and batches are not known here.
"""

from __future__ import annotations

import hmac
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from promptster.protocol.errors import EventError
from promptster.protocol.events.base import FieldType, fields_of
from promptster.protocol.events.fields import (
    FRAME_BLOCK,
    FRAME_EVENT,
    FRAME_SECRETS,
    SALT_SIZE,
    Block,
    Secret,
    commitment,
    encode_secrets,
    frame,
    read_stored,
)
from promptster.protocol.events.kinds import FIELD_TYPES, TYPES, Event
from promptster.protocol.events.public import PublicEvent
from promptster.protocol.events.sources import Source
from promptster.protocol.events.values import decode_value
from promptster.protocol.merkle import leaf_hash


@dataclass(frozen=True, kw_only=True)
class OpenedEvent:
    """An event in clear, as far as its values are here."""

    seq: int
    src: Source
    src_seq: int
    ms: int
    mono_ms: int
    lane: int
    refs: tuple[int, ...]
    event: Event
    """What it says; of a value that was cut, the beginning, as text also where the type is JSON."""
    withheld: frozenset[str] = frozenset()
    """Fields that are committed to, and whose value is not here."""
    cut: Mapping[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    """Fields whose value was too long: full length in bytes and SHA-256 in hexadecimal digits."""
    omitted: frozenset[str] = frozenset()
    """Fields whose value is here and says nothing that ``event`` could hold: JSON's null, the beginning of a number."""

    @property
    def kind(self) -> str:
        """The event's kind, as on the wire."""
        return self.event.kind

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The values of ``event`` by name, for what treats all kinds alike."""
        return fields_of(self.event)

    @property
    def shown(self) -> frozenset[str]:
        """The fields whose value is here."""
        return self.omitted | self.fields.keys()


@dataclass(frozen=True, kw_only=True)
class RecordedEvent:
    """An event's exact public bytes with the values and the new blocks that travel with them."""

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
            parsed: ``public``, if it has been read already.

        Raises:
            EventError: when a part is malformed, or a value is not what the event committed to.
        """
        parsed = parsed or PublicEvent.parse(public)
        for name, (salt, stored) in secrets.items():
            expected = parsed.commitments.get(name)
            if expected is None:
                raise EventError("a value belongs to a field that its event does not have", code="value_unknown")
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
        """The event's kind."""
        return self.parsed.kind

    @property
    def src(self) -> Source:
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
        """The event as a journal record and a batch's body hold it."""
        parts = [frame(FRAME_BLOCK, block.salt + block.data) for block in self.blocks]
        parts.append(frame(FRAME_EVENT, self.public))
        if self.secrets:
            parts.append(frame(FRAME_SECRETS, encode_secrets(self.secrets)))
        return b"".join(parts)

    def open(
        self, blocks: Mapping[bytes, bytes] | None = None, *, decoded: dict[tuple[bytes, str], Any] | None = None
    ) -> OpenedEvent:
        """The event in clear.

        Args:
            blocks: bytes of blocks by id, besides those that travel with the event.
            decoded: filled with what blocks hold, by id and type, and read from: many events may refer to one block,
                and must not each hold a copy. These values are never changed.

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
        place = self.parsed
        omitted = frozenset(name for name in fields if fields[name] is None or _is_cut_number(name, cut))
        return OpenedEvent(
            seq=place.seq,
            src=place.src,
            src_seq=place.src_seq,
            ms=place.ms,
            mono_ms=place.mono_ms,
            lane=place.lane,
            refs=place.refs,
            event=TYPES[place.kind](**{name: value for name, value in fields.items() if name not in omitted}),
            withheld=frozenset(place.commitments.keys() - fields.keys()),
            cut=cut,
            omitted=omitted,
        )


def _field_type(name: str, *, cut: bool) -> FieldType:
    """The type of a field's value; the beginning of one that was cut is text, or bytes."""
    field_type = FIELD_TYPES[name]
    return "text" if cut and field_type != "bytes" else field_type


def _is_cut_number(name: str, cut: Container[str]) -> bool:
    """Whether a field is a number or a flag of which only the beginning was recorded: no recorder does that."""
    return name in cut and FIELD_TYPES[name] in {"int", "bool"}
