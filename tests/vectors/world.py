"""One small session with every byte from a seed: the vectors and the tests of the wire are made from it.

Nothing here depends on a library's choices: frames of zstd are stored ones, written by hand, so that the bytes stay
equal whatever compressor is installed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from promptster.protocol import merkle, sealing
from promptster.protocol.batch import BatchHeader, WireBatch, join_wire, parse_batch
from promptster.protocol.bundle import BundleBatch, BundleParts, parts_from_batches
from promptster.protocol.consent import Certificate, Consent
from promptster.protocol.documents import decode, encode
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.events import Draft, RecordedEvent, Source, compose
from promptster.protocol.events.fields import BLOCK, CUT, Block, Secret, commitment
from promptster.protocol.events.kinds import Kind, event_of
from promptster.protocol.invite import InviteCode, new_invite_code
from promptster.protocol.key_succession import first_key, log_key, write_keyfile
from promptster.protocol.policy import Policy, PolicyV2, make_policy, policy_sha256, render_text
from promptster.protocol.privacy import RedactionRecord
from promptster.protocol.receipt import Check, Close, CloseOutcome, Receipt
from promptster.protocol.signing import Envelope, SigningKey, fingerprint
from promptster.protocol.transparency_log import LogProof, log_leaf, sign_checkpoint

START = 1_790_000_000_000
"""When the session starts; milliseconds since the epoch."""
ORIGIN = "acme.example/receipts"


class Stream:
    """Bytes that look random and follow from a seed."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._count = 0

    def __call__(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        data = b""
        while len(data) < length:
            data += hashlib.sha256(self._seed + struct.pack(">Q", self._count)).digest()
            self._count += 1
        return data[:length]


def stored_frame(data: bytes, *, content_size: int | None = None, dictionary: bool = False) -> bytes:
    """One zstd frame of stored blocks, its content size in four bytes."""
    descriptor = 0b10_1_0_0_0_00 | (0b01 if dictionary else 0)
    size = len(data) if content_size is None else content_size
    parts = [b"\x28\xb5\x2f\xfd", bytes([descriptor]), b"\x07" if dictionary else b"", struct.pack("<I", size)]
    chunks = [data[i : i + 65_536] for i in range(0, len(data), 65_536)] or [b""]
    for i, chunk in enumerate(chunks):
        parts += [struct.pack("<I", (len(chunk) << 3) | (i == len(chunks) - 1))[:3], chunk]
    return b"".join(parts)


def small_policy(kinds: Iterable[str] = tuple(Kind), **changes: Any) -> Policy:
    """A policy with a short text, so that vectors stay small."""
    policy = Policy(
        organisation="Acme",
        title="Backend exercise",
        text="We record what your agent does.\nNothing else.",
        kinds=tuple(sorted(str(kind) for kind in kinds)),
        retention_days=30,
        time_limit_minutes=90,
        providers={"anthropic": "https://api.anthropic.com"},
        hooks=True,
        analysis_by_llm=False,
        readers=("owner", "reviewer"),
    )
    return dataclasses.replace(policy, **changes)


def second_policy(**changes: Any) -> PolicyV2:
    """The same policy in version 2, with text 2 rendered from its settings."""
    second = dataclasses.replace(newest_policy(), text_version=2)
    return dataclasses.replace(second, **{"text": render_text(second), **changes})


def newest_policy() -> PolicyV2:
    """The same policy as it is made today, with the newest text."""
    small = {name: getattr(small_policy(), name) for name in ("organisation", "title", "kinds", "providers")}
    agents = ("claude", "codex", "cursor")
    return make_policy(**small, retention_days=30, time_limit_minutes=90, agents=agents)


def drafts() -> list[Draft]:
    """A short session: opened, a prompt, a request with its answer, a tool used, a pause, a redaction, the end.

    Consent and submission are here without their fields, after the rest: only their presence counts.
    """
    told: list[tuple[str, str, Mapping[str, object]]] = [
        ("recorder", "opened", {"cli_version": "0.1.0", "platform": "linux", "choices": {}}),
        ("hook", "prompt", {"agent": "claude", "text": "fix the failing test: größer als 0 😀", "machine": False}),
        ("proxy", "model_request", {"provider": "anthropic", "model": "m-1", "stream": True, "body": {"t": 0.5}}),
        ("proxy", "model_response", {"attempt": 1, "outcome": "complete", "status": 200, "text": "I will look."}),
        ("proxy", "tool_call", {"tool_use_id": "toolu_1", "name": "Bash", "input": {"command": "pytest"}}),
        ("hook", "command", {"tool_use_id": "toolu_1", "command": "pytest", "exit_code": -1, "output": ""}),
        ("candidate", "paused", {"reason": "telephone"}),
        ("candidate", "resumed", {}),
        ("candidate", "note", {"text": "a name that should not be here"}),
        ("candidate", "redaction", {"target_seq": 8, "target_field": "text", "reason": "a name"}),
        ("recorder", "capture_gap", {"source": "hook", "detail": "spool lost", "lost": 2, "from_ms": 1, "to_ms": 2}),
        ("candidate", "consent", {}),
        ("workspace", "submission_baseline", {}),
        ("workspace", "submission_final", {}),
        (
            "recorder",
            "closed",
            {"totals": {"recorder": 3, "hook": 2, "proxy": 3, "candidate": 5, "workspace": 2}, "batches": 3},
        ),
    ]
    return [
        Draft(
            src=Source(src),
            event=event_of(kind, fields),
            ms=START + 1000 * seq,
            mono_ms=1000 * seq,
            lane=int(src in {"hook", "proxy"}),
            refs=(2,) if kind == "model_response" else (),
        )
        for seq, (src, kind, fields) in enumerate(told)
    ]


class World:
    """Keys, documents and events of one session."""

    SIZES = (5, 4, 6)
    """Events of each batch."""

    def __init__(
        self,
        seed: str = "world",
        *,
        policy: Policy | None = None,
        told: Sequence[Draft] | None = None,
        log: int | None = None,
    ) -> None:
        self.limits = {"body": 4 << 20} if log is None else {"body": 4 << 20, "log": log}
        """Without ``log``, as the first collectors certified sessions."""
        self.random = Stream(seed)
        self.collector = SigningKey.generate(self.random)
        self.log = SigningKey.generate(self.random)
        self.session_key = SigningKey.generate(self.random)
        self.content_key = self.random(32)
        self.session = b64u_encode(self.random(16))
        self.sealing = sealing.SealingKey.generate(self.random)
        self.code: InviteCode = new_invite_code(self.random(32), self.collector.public_key)
        self.policy = (policy or small_policy()).payload()
        self.key_records = [
            first_key(self.collector, created_ms=START - 2000),
            log_key(self.collector, self.log.public_key, created_ms=START - 1000),
        ]
        self.consent = self.session_key.sign(self.consent_document())
        self.certificate = self.collector.sign(self.certificate_document())
        self.events = self.number(drafts() if told is None else told)

    @property
    def keyfile(self) -> bytes:
        """The collector's key file."""
        return write_keyfile(self.key_records)

    @property
    def trusted(self) -> list[str]:
        """The fingerprints that a verifier has pinned."""
        return [fingerprint(self.collector.public_key)]

    def consent_document(self, **changes: Any) -> Consent:
        """The consent, before it is signed."""
        consent = Consent(
            organisation="Acme",
            invite=self.code.invite_id,
            policy_sha256=policy_sha256(self.policy),
            session=self.session,
            session_public_key=self.session_key.public_key,
            sealing_key_id=self.sealing.key_id,
            choices={"ide": "claude"},
            locale="en",
            shown_ms=START - 900,
            decided_ms=START - 800,
            cli="0.1.0",
        )
        return dataclasses.replace(consent, **changes)

    def certificate_document(self, **changes: Any) -> Certificate:
        """The certificate, before it is signed."""
        certificate = Certificate(
            kid=self.collector.kid,
            session=self.session,
            organisation="Acme",
            invite_id=self.code.invite_id,
            session_public_key=self.session_key.public_key,
            consent_sha256=self.consent.sha256,
            policy_sha256=policy_sha256(self.policy),
            record_until=START + 90 * 60_000,
            upload_until=START + 24 * 3_600_000,
            limits=self.limits,
            continues=None,
        )
        return dataclasses.replace(certificate, **changes)

    def number(self, told: Sequence[Draft]) -> list[RecordedEvent]:
        """Give drafts their places."""
        arrivals: dict[str, int] = {}
        events: list[RecordedEvent] = []
        for seq, draft in enumerate(told):
            src_seq = arrivals.get(draft.src, 0)
            arrivals[draft.src] = src_seq + 1
            events.append(compose(draft, seq=seq, src_seq=src_seq, random=self.random))
        return events

    def seal(
        self,
        events: Sequence[RecordedEvent],
        *,
        n: int = 0,
        prev: bytes | None = None,
        plain: bytes | None = None,
        packed: bytes | None = None,
        key: SigningKey | None = None,
        **header: Any,
    ) -> bytes:
        """A batch's wire form; every part can be given instead of made."""
        if packed is None:
            packed = stored_frame(b"".join(event.frames() for event in events) if plain is None else plain)
        aad = sealing.body_aad(self.session, n)
        body = sealing.aead_seal(sealing.batch_key(self.content_key, self.session), packed, aad=aad, random=self.random)
        document = BatchHeader(
            session=self.session,
            n=n,
            first=events[0].seq,
            count=len(events),
            root=merkle.root([event.leaf for event in events]),
            prev=self.certificate.sha256 if prev is None else prev,
            ct_sha256=hashlib.sha256(body).digest(),
            len=len(body),
        )
        envelope = (key or self.session_key).sign(dataclasses.replace(document, **header))
        return join_wire(envelope.payload, envelope.signature, body)

    def wires(self, sizes: Sequence[int] = SIZES) -> list[bytes]:
        """The session's batches."""
        wires: list[bytes] = []
        first, prev = 0, self.certificate.sha256
        for n, size in enumerate(sizes):
            wires.append(self.seal(self.events[first : first + size], n=n, prev=prev))
            first, prev = first + size, parse_batch(wires[-1]).header_sha256
        return wires

    def batches(self, sizes: Sequence[int] = SIZES) -> list[tuple[WireBatch, list[RecordedEvent]]]:
        """The session's batches, taken apart, each with its events."""
        parsed = [parse_batch(wire) for wire in self.wires(sizes)]
        return [(b, self.events[b.header.first : b.header.first + b.header.count]) for b in parsed]

    def receipt(self, batch: WireBatch, *, key: SigningKey | None = None, **changes: Any) -> Envelope:
        """The receipt of a batch."""
        signer = key or self.collector
        receipt = Receipt(
            kid=signer.kid,
            session=self.session,
            n=batch.header.n,
            header_sha256=batch.header_sha256,
            received_ms=START + 20_000 + batch.header.n,
        )
        return signer.sign(dataclasses.replace(receipt, **changes))

    def check(self, batch: WireBatch, *, key: SigningKey | None = None, **changes: Any) -> Envelope:
        """The check of a batch."""
        signer = key or self.collector
        check = Check(
            kid=signer.kid,
            session=self.session,
            n=batch.header.n,
            header_sha256=batch.header_sha256,
            ok=True,
            code=None,
            discarded=0,
        )
        return signer.sign(dataclasses.replace(check, **changes))

    def close(self, batch: WireBatch, *, key: SigningKey | None = None, **changes: Any) -> Envelope:
        """The close after the last batch."""
        signer = key or self.collector
        close = Close(
            kid=signer.kid,
            session=self.session,
            outcome=CloseOutcome.SUBMITTED,
            n=batch.header.n + 1,
            events=batch.header.first + batch.header.count,
            head=batch.header_sha256,
            at_ms=START + 30_000,
        )
        return signer.sign(dataclasses.replace(close, **changes))

    def redaction(self, seq: int, field: str, *, key: SigningKey | None = None, **changes: Any) -> Envelope:
        """The first record of the collector's chain of redactions."""
        signer = key or self.collector
        record = RedactionRecord(
            kid=signer.kid,
            session=self.session,
            i=0,
            prev=self.certificate.sha256,
            seq=seq,
            field=field,
            block=None,
            reason="asked by the candidate",
            actor="owner",
            at_ms=START + 40_000,
        )
        return signer.sign(dataclasses.replace(record, **changes))

    def log_of(self, receipts: Sequence[Envelope]) -> tuple[str, tuple[LogProof, ...]]:
        """A checkpoint over the receipts, after one foreign leaf, and their proofs."""
        leaves = [merkle.leaf_hash(b"another session's receipt"), *(log_leaf(receipt) for receipt in receipts)]
        proofs = tuple(
            LogProof(n=n, index=n + 1, proof=tuple(merkle.inclusion_proof(leaves, n + 1))) for n in range(len(receipts))
        )
        note = sign_checkpoint(origin=ORIGIN, size=len(leaves), root=merkle.root(leaves), key=self.log)
        return note, proofs

    def parts(self, sizes: Sequence[int] = SIZES, *, key: SigningKey | None = None, **changes: Any) -> BundleParts:
        """A complete bundle's parts; ``changes`` replace arguments of ``parts_from_batches``.

        ``key`` signs receipts, checks and close in place of the first collector key.
        """
        batches = self.batches(sizes)
        receipts = [self.receipt(batch, key=key) for batch, _ in batches]
        checkpoint, proofs = self.log_of(receipts)
        arguments: dict[str, Any] = {
            "keys": self.keyfile,
            "certificate": self.certificate,
            "policy": self.policy,
            "consent": self.consent,
            "batches": [BundleBatch.from_wire(batch, events) for batch, events in batches],
            "receipts": receipts,
            "checks": [self.check(batch, key=key) for batch, _ in batches],
            "close": self.close(batches[-1][0], key=key),
            "checkpoint": checkpoint,
            "proofs": proofs,
        }
        return parts_from_batches(**{**arguments, **changes})


def with_block(event: RecordedEvent, name: str, *, random: Callable[[int], bytes], cut: bool = False) -> RecordedEvent:
    """The event with the value of ``name`` moved into a block, however short it is."""
    value = event.secrets[name].stored[1:]
    block = Block(random(16), value[:10] if cut else value)
    stored = bytes([BLOCK]) + block.id
    if cut:
        stored = bytes([CUT]) + block.id + struct.pack(">Q", len(value)) + hashlib.sha256(value).digest()
    return with_stored(event, name, Secret(random(16), stored), (block,))


def with_stored(event: RecordedEvent, name: str, secret: Secret, blocks: tuple[Block, ...] = ()) -> RecordedEvent:
    """The event with another stored value for ``name``, committed to."""
    document = decode(event.public)
    document["c"] |= {name: b64u_encode(commitment(secret.salt, name, secret.stored))}
    return RecordedEvent.assemble(encode(document), {**event.secrets, name: secret}, blocks)


def public_with(event: RecordedEvent, **changes: Any) -> bytes:
    """The event's public bytes with some keys replaced; ``None`` takes a key away."""
    document = {**decode(event.public), **changes}
    return encode({key: value for key, value in document.items() if value is not None})
