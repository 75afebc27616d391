"""The journal's format on disk, and how it is read: which records count, and where the longest valid prefix ends.

A journal is a folder of files ``00000000.journal``, ``00000001.journal`` and so on::

    file   = "PSJ1" || u64be base || u64be first || chain (32) || check (16) || record ...
    record = u32be length || u64be seq || check (16) || sealed data (length bytes)

A record's check is the beginning of the running chain value SHA256(previous value || seq || length || sealed data); a
header's check is the beginning of the SHA256 of the fields before it. A file's header says that the file continues
after record ``base - 1``, whose chain value it repeats, and that its own first record is ``first``. So it supersedes
the records from ``base`` on in earlier files. A file that is begun after a failed write thereby discards records that
never became durable, and numbering can jump ahead when the collector holds other events under the same numbers.

This module only reads; ``promptster.journal.journal`` writes and repairs.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from promptster.protocol.errors import ProtocolError
from promptster.protocol.sealing import session_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from promptster.journal.disk import Files

MAGIC = b"PSJ1"
SUFFIX = ".journal"
FILE_HEADER = struct.Struct(">4sQQ32s16s")
RECORD_HEADER = struct.Struct(">IQ16s")
RECORD_LIMIT = 64 * 1024 * 1024
"""Most bytes of one record's sealed data; a larger length means damage."""

_GENESIS = b"promptster/journal/1\x00"
_CHAIN = struct.Struct(">QI")
_CHECKED = struct.Struct(">4sQQ32s")


class RecordCipher(Protocol):
    """Encrypts the data of records, each bound to its position; ``protocol.sealing.JournalCipher`` implements it."""

    def seal(self, data: bytes, *, position: int, random: Callable[[int], bytes]) -> bytes:
        """Encrypt one record's data."""
        ...

    def open(self, sealed: bytes, *, position: int) -> bytes:
        """Decrypt one record's data.

        Raises:
            ProtocolError: it was not encrypted with this key for this position.
        """
        ...


def file_header(*, base: int, first: int, chain: bytes) -> bytes:
    """Make the header of a file that continues at ``first`` after the record before ``base``, and its chain value."""
    checked = _CHECKED.pack(MAGIC, base, first, chain)
    return checked + hashlib.sha256(checked).digest()[:16]


def chain_after_header(header: bytes, *, base: int, first: int, chain: bytes) -> bytes:
    """The chain's value before a file's first record; a jump in the numbers is part of the chain."""
    return chain if base == first else link(chain, first, header)


def genesis(session: str) -> bytes:
    """The chain's value before the first record of a session."""
    return hashlib.sha256(_GENESIS + session_bytes(session)).digest()


def link(previous: bytes, seq: int, sealed: bytes) -> bytes:
    """The chain's value after a record."""
    return hashlib.sha256(previous + _CHAIN.pack(seq, len(sealed)) + sealed).digest()


@dataclass(kw_only=True)
class JournalFile:
    """One file of the journal, with its valid records."""

    path: Path
    base: int
    first: int
    before: bytes
    """The chain's value before the file's first record."""
    chain: list[bytes] = field(default_factory=list[bytes])
    """The chain's value after each record."""
    ends: list[int] = field(default_factory=list[int])
    """The offset after each record."""
    size: int = 0
    """The file's length."""

    @property
    def counts(self) -> bool:
        """Whether the prefix needs this file: for its records, or the jump in the numbers in its header."""
        return bool(self.chain) or self.first != self.base

    @property
    def end(self) -> int:
        """The offset after the last record that counts."""
        return self.ends[-1] if self.ends else FILE_HEADER.size

    @property
    def next_seq(self) -> int:
        """The seq after the last record that counts."""
        return self.first + len(self.chain)

    @property
    def last_chain(self) -> bytes:
        """The chain's value after the last record that counts."""
        return self.chain[-1] if self.chain else self.before


@dataclass(kw_only=True)
class Scan:
    """The result of reading the whole folder."""

    files: list[JournalFile]
    """The files of the longest valid prefix, in order."""
    genesis: bytes
    refused: list[Path]
    """Files that do not continue the prefix; their records do not count."""

    @property
    def next_seq(self) -> int:
        """The seq of the next record."""
        return self.files[-1].next_seq if self.files else 0

    @property
    def last_chain(self) -> bytes:
        """The chain's value at the end."""
        return self.files[-1].last_chain if self.files else self.genesis

    @property
    def torn_bytes(self) -> int:
        """Bytes after the last valid record of the last file."""
        return self.files[-1].size - self.files[-1].end if self.files else 0

    def chain_before(self, seq: int) -> bytes | None:
        """Return the chain's value just before record ``seq``, or ``None`` if the prefix does not reach it."""
        if not self.files:
            return self.genesis if seq == 0 else None
        for journal_file in reversed(self.files):
            if seq == journal_file.first:
                return journal_file.before
            if journal_file.first < seq <= journal_file.next_seq:
                return journal_file.chain[seq - journal_file.first - 1]
        return None

    def cut(self, seq: int) -> None:
        """Exclude the records from ``seq`` on."""
        while self.files and self.files[-1].first >= seq and len(self.files) > 1:
            self.files.pop()
        if self.files:
            last = self.files[-1]
            kept = max(0, seq - last.first)
            del last.chain[kept:], last.ends[kept:]


def journal_names(files: Files, folder: Path) -> list[str]:
    """The names of a folder's journal files, in order."""
    return [name for name in files.names(folder) if name.endswith(SUFFIX) and name[: -len(SUFFIX)].isdigit()]


def scan(files: Files, folder: Path, cipher: RecordCipher, session: str) -> Scan:
    """Find the longest valid prefix; every record in it has been decrypted once."""
    result = Scan(files=[], genesis=genesis(session), refused=[])
    for name in journal_names(files, folder):
        path = folder / name
        try:
            data = files.read(path)
        except FileNotFoundError:  # a starting recorder replaced the file by a copy
            continue
        journal_file = _begin(result, path, data)
        if journal_file is None:
            result.refused.append(path)
            continue
        for seq, sealed, chain in _records(data, journal_file):
            try:
                cipher.open(sealed, position=seq)
            except ProtocolError:
                break
            journal_file.ends.append(journal_file.end + RECORD_HEADER.size + len(sealed))
            journal_file.chain.append(chain)
        result.files.append(journal_file)
    return result


def read(files: Files, found: Scan, cipher: RecordCipher, *, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """The records of a prefix from ``start`` on: (seq, data), in order, each once."""
    for journal_file in tuple(found.files):
        if not journal_file.chain or journal_file.next_seq <= start:
            continue
        count = len(journal_file.chain)
        data = files.read(journal_file.path)
        offset = FILE_HEADER.size
        for _ in range(count):
            length, seq, _check = RECORD_HEADER.unpack_from(data, offset)
            offset += RECORD_HEADER.size + length
            if seq >= start:
                yield seq, cipher.open(data[offset - length : offset], position=seq)


def holds(files: Files, folder: Path, found: Scan) -> bool:
    """Whether a prefix's files still exist and the last one still holds its records; reads only the last one."""
    needed = [journal_file for journal_file in found.files if journal_file.counts]
    if not needed:
        return True
    last, names = needed[-1], set(journal_names(files, folder))
    if any(journal_file.path.name not in names for journal_file in needed):
        return False
    bare = JournalFile(path=last.path, base=last.base, first=last.first, before=last.before)
    chain = [value for _seq, _sealed, value in _records(files.read(last.path), bare)]
    return chain[: len(last.chain)] == last.chain


def _begin(result: Scan, path: Path, data: bytes) -> JournalFile | None:
    """Return the file if its header continues the prefix; what it supersedes no longer counts."""
    if len(data) < FILE_HEADER.size:
        return None
    _magic, base, first, chain, _check = FILE_HEADER.unpack_from(data)
    header = data[: FILE_HEADER.size]
    if file_header(base=base, first=first, chain=chain) != header:
        return None
    if first < base or result.chain_before(base) != chain:
        return None
    if base < result.next_seq:
        result.cut(base)
    before = chain_after_header(header, base=base, first=first, chain=chain)
    return JournalFile(path=path, base=base, first=first, before=before, size=len(data))


def _records(data: bytes, journal_file: JournalFile) -> Iterator[tuple[int, bytes, bytes]]:
    """The file's records while they are whole and linked: (seq, sealed data, chain value)."""
    offset = FILE_HEADER.size
    seq, chain = journal_file.first, journal_file.before
    while offset + RECORD_HEADER.size <= len(data):
        length, stored_seq, check = RECORD_HEADER.unpack_from(data, offset)
        offset += RECORD_HEADER.size
        if stored_seq != seq or length > RECORD_LIMIT or offset + length > len(data):
            return
        sealed = data[offset : offset + length]
        chain = link(chain, seq, sealed)
        if chain[:16] != check:
            return
        yield seq, sealed, chain
        offset += length
        seq += 1
