"""Fields of events below their meaning: commitments, stored values, blocks, and the frames that carry them."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from promptster.protocol.compression import MAX_INFLATED, compress
from promptster.protocol.errors import EventError
from promptster.protocol.signing import RandomBytes

SALT_SIZE: Final = 16
MAX_INLINE: Final = 256 << 10
"""Bytes of a value that travels inside its event; a longer one becomes a block."""
MAX_BLOCK: Final = 8 << 20
"""Bytes of a block; a longer value is cut to this."""
MAX_EVENT: Final = 1 << 20
"""Bytes of an event's public part and values together, blocks apart."""

INLINE: Final = 0
BLOCK: Final = 1
CUT: Final = 2
"""The first byte of a stored value: the bytes themselves, a block's id, or that with the full length and hash."""

FRAME_EVENT: Final = 1
FRAME_SECRETS: Final = 2
FRAME_BLOCK: Final = 3

_FIELD_CONTEXT = b"promptster/field/1\x00"
_BLOCK_CONTEXT = b"promptster/block/1\x00"
_ID = 32
_CUT_SIZE = _ID + 8 + _ID
_FRAME_HEAD = 5
_SPILL_ABOVE = 800 << 10
_FITS = 3584 << 10
"""Bytes to which one event's frames may compress, so that a batch of 4 MiB always holds at least one event."""


class Secret(NamedTuple):
    """A field's salt and its stored value, whose first byte says how to read the rest."""

    salt: bytes
    stored: bytes


class Block(NamedTuple):
    """A long value's salt and bytes."""

    salt: bytes
    data: bytes

    @property
    def id(self) -> bytes:
        """The name by which values refer to the block."""
        return block_id(self.salt, self.data)


class FieldContent(NamedTuple):
    """What a stored value says: its bytes or their block, and what was cut off."""

    inline: bytes | None
    block: bytes | None
    cut: tuple[int, str] | None
    """Full length in bytes and SHA-256 in hexadecimal digits of a value that was cut."""


def commitment(salt: bytes, name: str, stored: bytes) -> bytes:
    """The commitment to a field's stored value."""
    encoded = name.encode("ascii")
    head = _FIELD_CONTEXT + salt + struct.pack(">H", len(encoded)) + encoded + struct.pack(">Q", len(stored))
    return hashlib.sha256(head + stored).digest()


def block_id(salt: bytes, data: bytes) -> bytes:
    """A block's name: a salted hash, so that known text cannot be guessed from it."""
    return hashlib.sha256(_BLOCK_CONTEXT + salt + struct.pack(">Q", len(data)) + data).digest()


def read_stored(stored: bytes) -> FieldContent:
    """Take a stored value apart.

    Raises:
        EventError: on an unknown first byte, or a length that does not fit it.
    """
    form, rest = stored[:1], stored[1:]
    if form == b"\x00" and len(rest) <= MAX_INLINE:
        return FieldContent(rest, None, None)
    if form == b"\x01" and len(rest) == _ID:
        return FieldContent(None, rest, None)
    if form == b"\x02" and len(rest) == _CUT_SIZE:
        return FieldContent(None, rest[:_ID], (int.from_bytes(rest[_ID : _ID + 8]), rest[_ID + 8 :].hex()))
    raise EventError("a stored value has an unknown form", code="value_form")


def frame(frame_type: int, data: bytes) -> bytes:
    """One frame: type, length, bytes."""
    return struct.pack(">BI", frame_type, len(data)) + data


def iterate_frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The frames of a body, one after the other.

    Raises:
        EventError: when a frame is cut.
    """
    position = 0
    while position < len(data):
        head = data[position : position + _FRAME_HEAD]
        end = position + _FRAME_HEAD + int.from_bytes(head[1:])
        if len(head) < _FRAME_HEAD or end > len(data):
            raise EventError("a frame is cut", code="frame")
        yield head[0], data[position + _FRAME_HEAD : end]
        position = end


def encode_secrets(secrets: Mapping[str, Secret]) -> bytes:
    """Values with their salts, sorted by field name."""
    parts: list[bytes] = []
    for name in sorted(secrets):
        salt, stored = secrets[name]
        encoded = name.encode("ascii")
        parts += [struct.pack(">H", len(encoded)), encoded, salt, struct.pack(">I", len(stored)), stored]
    return b"".join(parts)


def decode_secrets(data: bytes) -> dict[str, Secret]:
    """Read ``encode_secrets``'s bytes.

    Raises:
        EventError: when they are cut, not sorted, or hold a name twice.
    """
    secrets: dict[str, Secret] = {}
    position, last = 0, ""
    while position < len(data):
        name_end = position + 2 + int.from_bytes(data[position : position + 2])
        length_end = name_end + SALT_SIZE + 4
        end = length_end + int.from_bytes(data[length_end - 4 : length_end])
        name = data[position + 2 : name_end].decode("ascii", "replace")
        if length_end > len(data) or end > len(data) or name <= last:
            raise EventError("an event's values are cut or out of order", code="secrets")
        secrets[name] = Secret(data[name_end : name_end + SALT_SIZE], data[length_end:end])
        position, last = end, name
    return secrets


def store(values: Mapping[str, bytes], random: RandomBytes) -> tuple[dict[str, Secret], tuple[Block, ...]]:
    """Give every value its salt and its place: inside the event or in a block, whole or cut.

    Values over ``MAX_INLINE`` become blocks, and the largest others too while the event would be too large. Values over
    ``MAX_BLOCK``, and the largest ones while the event could not travel in one batch, are cut.
    """
    kept = _cut_lengths(values, spilled := _spilled(values))
    secrets: dict[str, Secret] = {}
    blocks: list[Block] = []
    for name in sorted(values):
        value = values[name]
        if name not in spilled:
            secrets[name] = Secret(random(SALT_SIZE), bytes([INLINE]) + value)
            continue
        block = Block(random(SALT_SIZE), value[: kept[name]])
        stored = bytes([BLOCK]) + block.id
        if kept[name] < len(value):
            stored = bytes([CUT]) + block.id + struct.pack(">Q", len(value)) + hashlib.sha256(value).digest()
        secrets[name] = Secret(random(SALT_SIZE), stored)
        blocks.append(block)
    return secrets, tuple(blocks)


def _spilled(values: Mapping[str, bytes]) -> set[str]:
    by_size = sorted(values, key=lambda name: (-len(values[name]), name))
    total = sum(map(len, values.values()))
    spilled: set[str] = set()
    for name in by_size:
        if len(values[name]) <= MAX_INLINE and total <= _SPILL_ABOVE:
            break
        spilled.add(name)
        total -= len(values[name])
    return spilled


def _cut_lengths(values: Mapping[str, bytes], spilled: set[str]) -> dict[str, int]:
    kept = {name: _character_boundary(values[name], MAX_BLOCK) for name in spilled}
    while not _fits([values[name][: kept.get(name)] for name in values]):
        largest = max(sorted(kept), key=lambda name: kept[name])
        kept[largest] = _character_boundary(values[largest], kept[largest] // 2)
    return kept


def _fits(parts: list[bytes]) -> bool:
    total = sum(map(len, parts))
    return total <= _FITS or (total <= MAX_INFLATED - MAX_EVENT and len(compress(b"".join(parts))) <= _FITS)


def _character_boundary(value: bytes, length: int) -> int:
    """``length``, or up to three bytes less so that no UTF-8 character is cut in two."""
    if length >= len(value):
        return len(value)
    for back in range(4):
        if value[length - back] & 0xC0 != 0x80:  # noqa: PLR2004 - the mark of a continuation byte
            return length - back
    return length
