"""The collector's log of receipts: checkpoints as C2SP signed notes, and the proofs that tie receipts to them.

A note is ``origin``, size and root, each on a line, then further lines; a blank line; then signature lines. The log's
own key signs under the origin's name; witnesses may cosign (C2SP tlog-cosignature), which vouches for time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from promptster.protocol.documents import MAX_INTEGER, Record, hashes, integer
from promptster.protocol.errors import LogError, SignatureError
from promptster.protocol.merkle import HASH_SIZE, MAX_PROOF, leaf_hash, verify_inclusion
from promptster.protocol.signing import Envelope, SigningKey, verify_message

MAX_NOTE: Final = 64 << 10
"""Characters of a checkpoint."""
MAX_SIGNATURES: Final = 64

_ED25519 = b"\x01"
_COSIGNATURE = b"\x04"
_NAME = re.compile(r"[^\s+\u2014]{1,200}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_SIGNATURE_LINE = re.compile(r"— (?P<name>\S+) (?P<blob>[A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True)
class NoteSignature:
    """One signature line: who signed by name, the key's short hash, and the signature's bytes."""

    name: str
    key_hash: bytes
    signature: bytes


@dataclass(frozen=True)
class Checkpoint:
    """The log's head, with its signatures; none of them is checked by reading it."""

    origin: str
    size: int
    root: bytes
    extra: tuple[str, ...] = ()
    """Further lines of the note's text."""
    signatures: tuple[NoteSignature, ...] = ()

    @property
    def text(self) -> str:
        """What signatures cover."""
        root = base64.b64encode(self.root).decode("ascii")
        return "".join(f"{line}\n" for line in (self.origin, str(self.size), root, *self.extra))

    @property
    def note(self) -> str:
        """The whole signed note."""
        lines = (
            f"— {item.name} {base64.b64encode(item.key_hash + item.signature).decode('ascii')}\n"
            for item in self.signatures
        )
        return f"{self.text}\n{''.join(lines)}"

    @classmethod
    def parse(cls, note: str) -> Checkpoint:
        """Read a signed note.

        Raises:
            LogError: when the text is not a checkpoint in its one spelling.
        """
        if _CONTROL.search(note) or len(note) > MAX_NOTE:
            raise LogError("a checkpoint is too long, or holds control characters", code="checkpoint")
        body, separator, tail = note.rpartition("\n\n")
        lines = body.split("\n")
        if not separator or len(lines) < 3 or not _NAME.fullmatch(lines[0]) or not _NUMBER.fullmatch(lines[1]):  # noqa: PLR2004 - origin, size, root
            raise LogError("a checkpoint lacks origin, size or root", code="checkpoint")
        signatures = tuple(_read_signature(line) for line in tail.split("\n")[:-1])
        checkpoint = cls(lines[0], int(lines[1]), _base64(lines[2]), tuple(lines[3:]), signatures)
        if not 1 <= len(signatures) <= MAX_SIGNATURES or len(checkpoint.root) != HASH_SIZE:
            raise LogError("malformed root or signatures in a checkpoint", code="checkpoint")
        if checkpoint.note != note or checkpoint.size > MAX_INTEGER:
            raise LogError("a checkpoint is not in its canonical form", code="checkpoint")
        return checkpoint

    def verify(self, public_key: bytes) -> None:
        """Check the log's own signature.

        Raises:
            LogError: when this key did not sign under the origin's name.
        """
        failure = "the log's key did not sign the checkpoint"
        wanted = note_key_hash(self.origin, public_key)
        for item in self.signatures:
            if (item.name, item.key_hash) == (self.origin, wanted):
                _verify(public_key, self.text.encode(), item.signature, failure)
                return
        raise LogError(failure, code="checkpoint_signature")

    def cosigned_ms(self, name: str, public_key: bytes) -> int | None:
        """When a witness cosigned; ``None`` when the checkpoint bears no line of this witness.

        Raises:
            LogError: when there is a line, but the signature is not valid.
        """
        wanted = note_key_hash(name, public_key, _COSIGNATURE)
        for item in self.signatures:
            if (item.name, item.key_hash) == (name, wanted):
                stamp = item.signature[:8]
                message = f"cosignature/v1\ntime {int.from_bytes(stamp)}\n{self.text}".encode()
                _verify(public_key, message, item.signature[8:], "a witness's signature is not valid")
                return int.from_bytes(stamp) * 1000
        return None


def _verify(public_key: bytes, message: bytes, signature: bytes, failure: str) -> None:
    try:
        verify_message(public_key, message, signature)
    except SignatureError as error:
        raise LogError(f"{failure}: {error}", code="checkpoint_signature") from None


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise LogError("a checkpoint holds a malformed hash", code="checkpoint") from None


def _read_signature(line: str) -> NoteSignature:
    match = _SIGNATURE_LINE.fullmatch(line)
    if match is None:
        raise LogError("a checkpoint's signature line is malformed", code="checkpoint")
    blob = _base64(match["blob"])
    return NoteSignature(match["name"], blob[:4], blob[4:])


def note_key_hash(name: str, public_key: bytes, algorithm: bytes = _ED25519) -> bytes:
    """The four bytes that name a key in a note."""
    return hashlib.sha256(name.encode() + b"\n" + algorithm + public_key).digest()[:4]


def sign_checkpoint(*, origin: str, size: int, root: bytes, key: SigningKey, extra: Sequence[str] = ()) -> str:
    """A signed note for the log's head.

    Raises:
        LogError: when origin, root or further lines cannot be part of a note.
    """
    if _NAME.fullmatch(origin) is None or len(root) != HASH_SIZE or any(not line or "\n" in line for line in extra):
        raise LogError("a note cannot hold this", code="checkpoint", fault="local")
    unsigned = Checkpoint(origin, size, root, tuple(extra))
    signature = NoteSignature(origin, note_key_hash(origin, key.public_key), key.sign_message(unsigned.text.encode()))
    return Checkpoint(origin, size, root, tuple(extra), (signature,)).note


def cosign(note: str, *, name: str, key: SigningKey, at_ms: int) -> str:
    """The note with a witness's signature added, as a witness does it: none of our programs is one.

    Raises:
        LogError: when the note or the witness's name is malformed.
    """
    checkpoint = Checkpoint.parse(note)
    if _NAME.fullmatch(name) is None:
        raise LogError("a note cannot hold this name", code="checkpoint", fault="local")
    seconds = at_ms // 1000
    message = f"cosignature/v1\ntime {seconds}\n{checkpoint.text}".encode()
    signature = seconds.to_bytes(8) + key.sign_message(message)
    added = NoteSignature(name, note_key_hash(name, key.public_key, _COSIGNATURE), signature)
    signatures = (*checkpoint.signatures, added)
    return Checkpoint(checkpoint.origin, checkpoint.size, checkpoint.root, checkpoint.extra, signatures).note


def log_leaf(receipt: Envelope) -> bytes:
    """The leaf by which a receipt is in the log: the hash of its payload."""
    return leaf_hash(receipt.payload)


@dataclass(frozen=True, kw_only=True)
class LogProof(Record):
    """The position of a receipt in the log of the bundle's checkpoint."""

    LIMIT: ClassVar[int] = 8 << 10

    n: int = integer()
    """The batch whose receipt this is."""
    index: int = integer()
    """The leaf's place in the log."""
    proof: tuple[bytes, ...] = hashes(MAX_PROOF)
    """The hashes from the leaf to the root, lowest first."""

    def verify(self, receipt: Envelope, checkpoint: Checkpoint) -> None:
        """Check that the receipt is in the checkpoint's log.

        Raises:
            LogError: when the proof does not show it.
        """
        verify_inclusion(
            leaf=log_leaf(receipt), index=self.index, size=checkpoint.size, proof=self.proof, root_hash=checkpoint.root
        )
