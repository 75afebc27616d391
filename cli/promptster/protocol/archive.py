"""The one zip form of a bundle: stored members, fixed times, nothing extra, so that equal parts give equal bytes.

A reader takes the members in the order of the file, then demands that every other byte is what this writer would write.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple

from promptster.protocol.errors import BundleError, ChecksumError

MAX_MEMBERS: Final = 65_534
MAX_SIZE: Final = 2**32 - 2
"""Bytes of an archive: what the plain zip format can address."""

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_LOCAL_MAGIC = b"PK\x03\x04"
_CENTRAL_MAGIC = b"PK\x01\x02"
_END_MAGIC = b"PK\x05\x06"
_VERSION = 20
_MADE_BY = 3 << 8 | _VERSION
"""Unix: with ``_MODE`` the bytes are those of Python's ``zipfile`` for a stored member of 1 January 1980."""
_MODE = 0o600 << 16
_DATE = 0x21
"""1 January 1980, the first day that a zip can name."""


class Member(NamedTuple):
    """One file of an archive."""

    name: str
    data: bytes


def _local_header(name: bytes, size: int, checksum: int) -> bytes:
    return _LOCAL.pack(_LOCAL_MAGIC, _VERSION, 0, 0, 0, _DATE, checksum, size, size, len(name), 0) + name


def _central_header(name: bytes, size: int, checksum: int, offset: int) -> bytes:
    head = (_CENTRAL_MAGIC, _MADE_BY, _VERSION, 0, 0, 0, _DATE, checksum, size, size)
    return _CENTRAL.pack(*head, len(name), 0, 0, 0, 0, _MODE, offset) + name


def _directory(entries: Sequence[tuple[bytes, int, int]]) -> bytes:
    """The central directory and its end for (name, size, checksum) in file order."""
    parts: list[bytes] = []
    offset = 0
    for name, size, checksum in entries:
        parts.append(_central_header(name, size, checksum, offset))
        offset += _LOCAL.size + len(name) + size
    central = b"".join(parts)
    count = len(entries)
    return central + _END.pack(_END_MAGIC, 0, 0, count, count, len(central), offset, 0)


def write_archive(members: Sequence[Member], *, max_members: int = MAX_MEMBERS, max_size: int = MAX_SIZE) -> bytes:
    """The archive's bytes; names are ASCII and distinct.

    Raises:
        BundleError: when there are more members or bytes than a plain zip can hold.
    """
    entries = [(member.name.encode("ascii"), len(member.data), zlib.crc32(member.data)) for member in members]
    size = sum(2 * len(name) + length + _LOCAL.size + _CENTRAL.size for name, length, _ in entries) + _END.size
    if len(entries) > max_members or size > max_size:
        raise BundleError("the bundle is too large for its format", code="bundle_size", fault="local")
    parts: list[bytes] = []
    for (name, length, checksum), member in zip(entries, members, strict=True):
        parts += [_local_header(name, length, checksum), member.data]
    parts.append(_directory(entries))
    return b"".join(parts)


def read_archive(data: bytes, *, max_members: int = MAX_MEMBERS) -> list[Member]:
    """The members of an archive that ``write_archive`` wrote.

    Raises:
        BundleError: when any byte outside the members' content differs from the one form.
        ChecksumError: when only content differs from what was written.
    """
    members: list[Member] = []
    entries: list[tuple[bytes, int, int]] = []
    position = 0
    while data[position : position + 4] == _LOCAL_MAGIC and len(members) <= max_members:
        name, checksum, start, size = _read_local(data, position)
        position = start + size
        entries.append((name, size, checksum))
        members.append(Member(name.decode("ascii", "replace"), data[start:position]))
    names = {member.name for member in members}
    if not members or len(names) != len(members) or data[position:] != _directory(entries):
        raise BundleError("this is not a bundle in its canonical form", code="not_canonical")
    for member, (_, _, checksum) in zip(members, entries, strict=True):
        if zlib.crc32(member.data) != checksum:
            raise ChecksumError(f"{member.name[:80]} is not what was written", code="checksum")
    return members


def _read_local(data: bytes, position: int) -> tuple[bytes, int, int, int]:
    """Name, checksum, start and size of the member whose local header is at ``position``."""
    header_end = position + _LOCAL.size
    if header_end <= len(data):
        *_, checksum, size, _, name_length, _ = _LOCAL.unpack_from(data, position)
        start = header_end + name_length
        name = data[header_end:start]
        if start + size <= len(data) and data[position:start] == _local_header(name, size, checksum):
            return name, checksum, start, size
    raise BundleError("a member is not in its canonical form", code="not_canonical")
