"""The bundle: everything about one session that a third party needs to check it, in one file.

Reading demands the canonical form and nothing more; whether the parts belong together is verification's matter.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from promptster.protocol.archive import Member, read_archive, write_archive
from promptster.protocol.batch import WireBatch
from promptster.protocol.documents import decode, encode
from promptster.protocol.errors import BundleError, DocumentError, EventError
from promptster.protocol.events import RecordedEvent
from promptster.protocol.events.fields import (
    MAX_EVENT,
    SALT_SIZE,
    Block,
    Secret,
    decode_secrets,
    encode_secrets,
    read_stored,
)
from promptster.protocol.events.kinds import Kind, Redaction
from promptster.protocol.events.sources import Source
from promptster.protocol.policy import Policy
from promptster.protocol.privacy import RedactionRecord
from promptster.protocol.signing import Envelope
from promptster.protocol.transparency_log import LogProof

SUFFIX: Final = ".promptster"
"""How a bundle's file name ends."""

REQUIRED = (
    "keys.json",
    "certificate.json",
    "policy.json",
    "consent.json",
    "headers.jsonl",
    "events.jsonl",
    "values.bin",
    "receipts.jsonl",
    "checks.jsonl",
    "redactions.jsonl",
    "proofs.jsonl",
)
OPTIONAL = ("close.json", "tombstone.json", "checkpoint.txt")
FORMAT_MEMBER: Final = "format.json"
"""The first member of a bundle whose policy is of version 2 or newer: a reader that does not know it stops there."""
FORMAT: Final = 2
"""The newest format of a bundle, by that member."""
_BLOCK_NAME = re.compile(r"blocks/([0-9a-f]{64})", re.ASCII)
_VALUE_HEAD = struct.Struct(">QI")
_FORMAT_BYTES = encode({"v": FORMAT})


@dataclass(frozen=True, kw_only=True)
class BundleParts:
    """A bundle taken apart; only the form of its parts has been checked."""

    keys: bytes
    """The collector's key file."""
    certificate: Envelope
    policy: bytes
    """The policy's exact bytes."""
    consent: Envelope
    headers: tuple[Envelope, ...]
    """Batch headers with the session key's signatures."""
    events: tuple[bytes, ...]
    """Public bytes of the events."""
    values: Mapping[int, Mapping[str, Secret]]
    """Shown values with their salts, by ``seq`` and field."""
    blocks: Mapping[bytes, Block] = field(default_factory=dict[bytes, Block])
    """Long values by the id that their member's name claims."""
    receipts: tuple[Envelope, ...] = ()
    checks: tuple[Envelope, ...] = ()
    redactions: tuple[Envelope, ...] = ()
    proofs: tuple[LogProof, ...] = ()
    close: Envelope | None = None
    tombstone: Envelope | None = None
    checkpoint: str | None = None


@dataclass(frozen=True, kw_only=True)
class BundleBatch:
    """One batch on its way into a bundle; ``events`` is empty when its body could not be read."""

    header_bytes: bytes
    signature: bytes
    events: Sequence[RecordedEvent] = ()

    @classmethod
    def from_wire(cls, batch: WireBatch, events: Sequence[RecordedEvent]) -> BundleBatch:
        """The batch of ``parse_batch`` with the events of ``open_body``."""
        return cls(header_bytes=batch.header_bytes, signature=batch.signature, events=events)


def redactions_in_session(events: Iterable[RecordedEvent]) -> Iterator[tuple[int, str, str, int]]:
    """What the candidate's own redaction events take away: ``seq``, field, reason, and the redaction's own ``seq``."""
    for event in events:
        if event.kind != Kind.REDACTION or event.src != Source.CANDIDATE:
            continue
        try:
            said = event.open().event
        except EventError:
            continue
        match said:
            case Redaction(target_seq=int(seq), target_field=str(name), reason=reason) if seq < event.seq:
                yield seq, name, reason or "", event.seq
            case _:
                continue


def parts_from_batches(
    *,
    keys: bytes,
    certificate: Envelope,
    policy: bytes,
    consent: Envelope,
    batches: Iterable[BundleBatch],
    receipts: Iterable[Envelope] = (),
    checks: Iterable[Envelope] = (),
    close: Envelope | None = None,
    redactions: Iterable[Envelope] = (),
    tombstone: Envelope | None = None,
    checkpoint: str | None = None,
    proofs: Iterable[LogProof] = (),
) -> BundleParts:
    """Put a session's batches and what was signed about them together.

    Values that were redacted, and values of kinds that the policy does not name, are left out.

    Raises:
        DocumentError: when a redaction record is malformed.
    """
    batches = list(batches)
    events = [event for batch in batches for event in batch.events]
    chain = tuple(redactions)
    records = [RedactionRecord.parse(record.payload) for record in chain]
    hidden = {(seq, name) for seq, name, _, _ in redactions_in_session(events)}
    hidden |= {(record.seq, record.field) for record in records}
    allowed = _allowed_kinds(policy)
    values = {
        event.seq: shown
        for event in events
        if event.kind in allowed
        and (shown := {name: secret for name, secret in event.secrets.items() if (event.seq, name) not in hidden})
    }
    used = {read_stored(secret.stored).block for shown in values.values() for secret in shown.values()}
    used -= {record.block for record in records}
    return BundleParts(
        keys=keys,
        certificate=certificate,
        policy=policy,
        consent=consent,
        headers=tuple(Envelope(batch.header_bytes, batch.signature) for batch in batches),
        events=tuple(event.public for event in events),
        values=values,
        blocks={block.id: block for event in events for block in event.blocks if block.id in used},
        receipts=tuple(receipts),
        checks=tuple(checks),
        redactions=chain,
        proofs=tuple(proofs),
        close=close,
        tombstone=tombstone,
        checkpoint=checkpoint,
    )


def _allowed_kinds(policy: bytes) -> frozenset[str]:
    try:
        return frozenset(Policy.parse(policy).kinds)
    except DocumentError:
        return frozenset(Kind)  # nothing was agreed to in readable words; verification says so


def _lines(items: Iterable[bytes]) -> bytes:
    return b"".join(item + b"\n" for item in items)


def _envelopes(items: Iterable[Envelope]) -> bytes:
    return _lines(item.encode() for item in items)


def has_format(policy: bytes) -> bool:
    """Whether a bundle with this policy says its format; those with a policy of version 1 never do."""
    try:
        version = decode(policy).get("v")
    except DocumentError:
        return False
    return type(version) is int and version >= FORMAT


def _read_format(data: bytes) -> None:
    try:
        document = decode(data)
    except DocumentError as error:
        raise BundleError(f"a part of the bundle is malformed: {error}", code="member_malformed") from None
    version = document.get("v")
    if type(version) is int and version > FORMAT:
        raise BundleError(f"the bundle is of format {version}, and {FORMAT} is the newest known", code="newer_version")
    if data != _FORMAT_BYTES:
        raise BundleError("the bundle's format does not exist", code="member_malformed")


def write_bundle(parts: BundleParts) -> bytes:
    """The bundle's bytes; equal parts give equal bytes.

    Raises:
        BundleError: when there is more than the format can hold.
    """
    values = b"".join(
        _VALUE_HEAD.pack(seq, len(data)) + data
        for seq, data in sorted((seq, encode_secrets(secrets)) for seq, secrets in parts.values.items() if secrets)
    )
    members = [Member(FORMAT_MEMBER, _FORMAT_BYTES)] if has_format(parts.policy) else []
    members += [
        Member("keys.json", parts.keys),
        Member("certificate.json", parts.certificate.encode()),
        Member("policy.json", parts.policy),
        Member("consent.json", parts.consent.encode()),
        Member("headers.jsonl", _envelopes(parts.headers)),
        Member("events.jsonl", _lines(parts.events)),
        Member("values.bin", values),
        Member("receipts.jsonl", _envelopes(parts.receipts)),
        Member("checks.jsonl", _envelopes(parts.checks)),
        Member("redactions.jsonl", _envelopes(parts.redactions)),
        Member("proofs.jsonl", _lines(proof.payload() for proof in parts.proofs)),
    ]
    if parts.close is not None:
        members.append(Member("close.json", parts.close.encode()))
    if parts.tombstone is not None:
        members.append(Member("tombstone.json", parts.tombstone.encode()))
    if parts.checkpoint is not None:
        members.append(Member("checkpoint.txt", parts.checkpoint.encode()))
    blocks = sorted((block_id, block) for block_id, block in parts.blocks.items())
    members += [Member(f"blocks/{block_id.hex()}", block.salt + block.data) for block_id, block in blocks]
    return write_archive(members)


def read_bundle(data: bytes) -> BundleParts:
    """Take a bundle apart.

    Raises:
        BundleError: when the file, a member's name or its form is not the canonical one.
        ChecksumError: when only a member's content differs from what was written.
    """
    members = {member.name: member.data for member in read_archive(data)}
    names = list(members)
    if names[:1] == [FORMAT_MEMBER]:
        _read_format(members[FORMAT_MEMBER])
    blocks = [name for name in names if _BLOCK_NAME.fullmatch(name)]
    first = [FORMAT_MEMBER] if has_format(members.get("policy.json", b"")) else []
    expected = [*first, *REQUIRED, *(name for name in OPTIONAL if name in members), *sorted(blocks)]
    if names != expected:
        raise BundleError("the members are not those of a bundle, in their order", code="members")
    try:
        return BundleParts(
            keys=members["keys.json"],
            certificate=Envelope.decode(members["certificate.json"]),
            policy=members["policy.json"],
            consent=Envelope.decode(members["consent.json"]),
            headers=_read_envelopes(members["headers.jsonl"]),
            events=tuple(_read_lines(members["events.jsonl"])),
            values=_read_values(members["values.bin"]),
            receipts=_read_envelopes(members["receipts.jsonl"]),
            checks=_read_envelopes(members["checks.jsonl"]),
            redactions=_read_envelopes(members["redactions.jsonl"]),
            proofs=tuple(LogProof.parse(line) for line in _read_lines(members["proofs.jsonl"])),
            blocks={bytes.fromhex(name.removeprefix("blocks/")): _read_block(members[name]) for name in blocks},
            close=_read_optional(members, "close.json"),
            tombstone=_read_optional(members, "tombstone.json"),
            checkpoint=members["checkpoint.txt"].decode() if "checkpoint.txt" in members else None,
        )
    except (DocumentError, EventError, UnicodeDecodeError) as error:
        raise BundleError(f"a part of the bundle is malformed: {error}", code="member_malformed") from None


def _read_lines(data: bytes) -> list[bytes]:
    *lines, rest = data.split(b"\n")
    if rest or b"" in lines:
        raise BundleError("malformed lines in a list", code="member_malformed")
    return lines


def _read_envelopes(data: bytes) -> tuple[Envelope, ...]:
    return tuple(Envelope.decode(line) for line in _read_lines(data))


def _read_optional(members: Mapping[str, bytes], name: str) -> Envelope | None:
    return Envelope.decode(members[name]) if name in members else None


def _read_block(data: bytes) -> Block:
    return Block(data[:SALT_SIZE], data[SALT_SIZE:])


def _read_values(data: bytes) -> dict[int, dict[str, Secret]]:
    values: dict[int, dict[str, Secret]] = {}
    position, last = 0, -1
    while position < len(data):
        start = position + _VALUE_HEAD.size
        if start > len(data):
            raise BundleError("the values are cut", code="member_malformed")
        seq, length = _VALUE_HEAD.unpack_from(data, position)
        if start + length > len(data) or not 0 < length <= MAX_EVENT or seq <= last:
            raise BundleError("the values are cut or out of order", code="member_malformed")
        values[seq] = decode_secrets(data[start : start + length])
        position, last = start + length, seq
    return values
