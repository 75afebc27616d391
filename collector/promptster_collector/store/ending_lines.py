"""The file of endings: deleted sessions, revoked tokens, used invites.

It is outside the databases, with a signed line for each. Every line names the hash of the one before, so that the last
signature covers all. The key store has the head too: a shorter file was truncated or restored.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from promptster.protocol.documents import Record, binary, choice, identifier, integer, text
from promptster.protocol.errors import ProtocolError
from promptster.protocol.signing import Envelope, verify_message
from promptster_collector.errors import SetupError
from promptster_collector.store.durable_files import sync, sync_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from promptster.protocol.key_succession import KeySuccession
    from promptster.protocol.signing import SigningKey

CONTEXT: Final = b"promptster/ended/1\x00"
"""The prefix of what a line's signature covers; no document of the wire begins with it."""
NAME: Final = "ended.jsonl"
START: Final = bytes(32)
"""The predecessor that the first line names."""
_CHANGED = "Restore the tombstones folder from its newest copy."


class EndingKind(StrEnum):
    """What an ending was of; each is remembered so that no backup brings it back."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a word
    INVITE = "invite"


@dataclass(frozen=True, kw_only=True)
class EndingLine(Record):
    """One line: ids, and the signed tombstone of a session; no personal data."""

    LIMIT = 16 << 10

    kid: str = identifier()
    """The collector's key that signed."""
    i: int = integer()
    """The line's number, from 0."""
    prev: bytes = binary()
    """SHA-256 of the line before, including its signature."""
    what: EndingKind = choice(EndingKind)
    """What ended."""
    organisation: str | None = text(64, null=True)
    """Its organisation; ``None`` for a session of which only the tombstone is known."""
    id: str = text(64)
    """Its name."""
    person: str | None = text(64, null=True)
    """The person whose last session this was."""
    state: str | None = text(16, null=True)
    """A session's state: ``withdrawn`` or ``erased``."""
    tombstone: str | None = text(8192, null=True)
    """A session's signed tombstone, base64url."""
    at_ms: int = integer()
    """When it was written down; milliseconds since the epoch."""


@dataclass(frozen=True)
class EndingsHead:
    """The end of the endings file, by which a shorter or changed file is recognised."""

    count: int
    """Lines."""
    sha256: bytes
    """Of the last line; ``START`` if there is none."""


EMPTY: Final = EndingsHead(0, START)


def line_of(document: EndingLine, signer: SigningKey) -> bytes:
    """A signed line, without its line feed."""
    payload = document.payload()
    return Envelope(payload, signer.sign_message(CONTEXT + payload)).encode()


def hash_of(line: bytes) -> bytes:
    """The hash by which the next line names this one."""
    return hashlib.sha256(line).digest()


def head_of(lines: Sequence[bytes]) -> EndingsHead:
    """The head of these lines."""
    return EndingsHead(len(lines), hash_of(lines[-1])) if lines else EMPTY


def read_lines(path: Path) -> tuple[list[bytes], int]:
    """The complete lines of a file and their size in bytes; anything after them was never finished.

    Raises:
        OSError: the file exists and cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    size = data.rfind(b"\n") + 1
    return data[:size].split(b"\n")[:-1], size


def check_lines(lines: Sequence[bytes], succession: KeySuccession, *, where: str) -> list[EndingLine]:
    """Parse lines and demand that nothing in them was changed.

    Args:
        lines: all lines from the first.
        succession: the collector's own keys.
        where: what the error calls them.

    Raises:
        SetupError: a line was changed, removed or added.
    """
    found: list[EndingLine] = []
    prev = START
    for number, line in enumerate(lines):
        try:
            document = EndingLine.parse(Envelope.decode(line).payload)
        except ProtocolError as error:
            raise _changed(where, number) from error
        if (document.i, document.prev) != (number, prev):
            raise _changed(where, number)
        found.append(document)
        prev = hash_of(line)
    if lines:
        last = Envelope.decode(lines[-1])
        key = succession.find(found[-1].kid)
        try:
            if key is None:
                raise _changed(where, len(lines) - 1)
            verify_message(key, CONTEXT + last.payload, last.signature)
        except ProtocolError as error:
            raise _changed(where, len(lines) - 1) from error
    return found


def _changed(where: str, number: int) -> SetupError:
    return SetupError(
        f"{where} were changed: entry {number + 1} is not what this collector wrote",
        hint=_CHANGED,
        code="tombstones_changed",
    )


def require_continuation(lines: Sequence[bytes], head: EndingsHead, *, where: str) -> None:
    """Demand that lines reach ``head`` and agree with it.

    Raises:
        SetupError: lines are missing or different.
    """
    if len(lines) < head.count:
        raise SetupError(
            f"{where} lack {head.count - len(lines)} of {head.count} entries that this collector wrote: "
            "deleted sessions, revoked tokens or used invites could come back",
            hint="Restore the tombstones folder from its newest copy, or add --tombstones-copy FOLDER.",
            code="tombstones_missing",
        )
    if head.count and hash_of(lines[head.count - 1]) != head.sha256:
        raise _changed(where, head.count - 1)


def append_lines(path: Path, lines: Sequence[bytes], *, size: int) -> int:
    """Write lines after the first ``size`` bytes, durably; returns the new size.

    Raises:
        OSError: they cannot be written; the file is unchanged.
    """
    made = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    data = memoryview(b"".join(line + b"\n" for line in lines))
    try:
        os.ftruncate(descriptor, size)
        os.lseek(descriptor, size, os.SEEK_SET)
        try:
            written = 0
            while written < len(data):
                written += os.write(descriptor, data[written:])
            sync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    if made:
        sync_folder(path.parent)
    return size + len(data)
