"""Recorders, outboxes and sealers over a disk that a test controls."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.helpers.certified import NOW_MS

from promptster.client import CollectorRefusedError, PutAnswer
from promptster.deliver.limits import SealingLimits
from promptster.deliver.outbox import Outbox
from promptster.deliver.sealer import BatchSealer
from promptster.journal.journal import Journal
from promptster.journal.limits import JournalLimits
from promptster.journal.writer import JournalWriter
from promptster.protocol.batch import WireBatch, open_body, parse_batch, verify_batch_signature
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.events import Draft, Source
from promptster.protocol.events.kinds import Kind, event_of
from promptster.protocol.receipt import Receipt
from promptster.protocol.sealing import JournalCipher
from promptster.protocol.signing import Envelope
from promptster.recorder.journal_repair import Repair, align

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.helpers.certified import Certified

    from promptster.journal.disk import Files
    from promptster.protocol.signing import SigningKey

BATCHES = Path("/batches")
JOURNAL = Path("/journal")


@dataclass
class HandClock:
    """Two clocks that only a test moves."""

    wall: int = NOW_MS
    mono: int = 1_000

    def wall_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self.wall

    def mono_ms(self) -> int:
        """Milliseconds since the start."""
        return self.mono

    def pass_by(self, milliseconds: int) -> None:
        """Let time pass on both."""
        self.wall += milliseconds
        self.mono += milliseconds


def note(text: str, *, src: str = "candidate", clock: HandClock | None = None) -> Draft:
    """A small draft."""
    clock = clock or HandClock()
    return Draft(src=Source(src), event=event_of(Kind.NOTE, {"text": text}), ms=clock.wall, mono_ms=clock.mono)


def call(number: int, output: str = "", **more: Any) -> Draft:
    """A command that an agent ran."""
    fields = {"tool_use_id": f"t{number}", "command": "ls", "output": output, **more}
    return Draft(src=Source.HOOK, event=event_of(Kind.COMMAND, fields), ms=NOW_MS, mono_ms=1, lane=1)


@dataclass
class RecorderBench:
    """Journal, recorder, outbox and sealer of one session on one disk."""

    certified: Certified
    files: Files
    clock: HandClock = field(default_factory=HandClock)
    kinds: Collection[str] = tuple(Kind)
    limits: JournalLimits = field(default_factory=JournalLimits)
    sealing: SealingLimits = field(default_factory=lambda: SealingLimits(gather_s=0.0))

    def __post_init__(self) -> None:
        """Open what is on the disk, as the recorder's process does."""
        certified = self.certified
        self.trusted = self.certified.trusted
        self.outbox = Outbox(
            files=self.files,
            folder=BATCHES,
            session=certified.session,
            genesis=certified.certificate.sha256,
            session_public_key=certified.secrets.signing_key.public_key,
            keys=self.trusted,
        )
        cipher = JournalCipher(certified.secrets.content_key, certified.session)
        self.journal = Journal(
            self.files, JOURNAL, cipher, certified.session, certified.random, file_limit=self.limits.file
        )
        self.repair: Repair = align(self.journal, self.outbox, certified.secrets.content_key, certified.random)
        self.writer = JournalWriter(
            journal=self.journal,
            clock=self.clock,
            random=certified.random,
            kinds=self.kinds,
            record_until=certified.record_until,
            limits=self.limits,
        )
        self.recovered = list(self.writer.recovered())
        self.sealer = BatchSealer(
            writer=self.writer,
            outbox=self.outbox,
            session=certified.session,
            session_key=certified.secrets.signing_key,
            content_key=certified.secrets.content_key,
            random=certified.random,
            limits=self.sealing,
        )

    def record(self, *drafts: Draft) -> list[int]:
        """Append and make durable."""
        seqs = [self.writer.append(draft) for draft in drafts]
        assert self.writer.commit()
        return seqs

    def seal(self) -> None:
        """Seal everything that is durable."""
        asyncio.run(self.sealer.seal_all())

    def public(self) -> list[bytes]:
        """The public bytes of every event on disk."""
        return [event.public for event in self.writer.events()]


@dataclass
class MemoryCollector:
    """A collector in memory that keeps the ingest rules of the wire; the client's side is tested against it."""

    certified: Certified
    stored: list[tuple[WireBatch, bytes]] = field(default_factory=list[tuple[WireBatch, bytes]])
    """Batches with the receipts that were given."""
    calls: list[tuple[int, bool]] = field(default_factory=list[tuple[int, bool]])
    """(n, whether an earlier receipt came with it) of every call."""
    faults: list[Exception | None] = field(default_factory=list[Exception | None])
    """What happens to the next answers: an error instead of the answer, or ``None``."""
    checked: int = -1
    ended: dict[str, Any] | None = None
    """A problem document with which everything is refused."""
    signer: SigningKey | None = None
    """The key that signs receipts; the key that the invite pinned if it is not set."""
    keyfile: bytes = b""
    """The key file that is served; the session's own if it is empty."""
    asked_for_keys: int = 0
    checkpoint: str | None = None
    """The log's note that comes with what was signed."""

    async def put_batch(self, session: str, n: int, wire: bytes, *, earlier_receipt: bytes | None = None) -> PutAnswer:
        """Store one batch, or refuse it, or lose the answer."""
        assert session == self.certified.session
        self.calls.append((n, earlier_receipt is not None))
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, CollectorRefusedError):
            raise fault
        receipt = self.take(n, wire, earlier_receipt)
        if fault is not None:
            raise fault
        return PutAnswer(receipt=receipt, checked=self.checked if self.checked >= 0 else None)

    def take(self, n: int, wire: bytes, earlier: bytes | None = None) -> bytes:
        """Apply the ingest rules to one batch."""
        batch = parse_batch(wire)
        verify_batch_signature(batch, self.certified.secrets.signing_key.public_key)
        if self.ended is not None:
            raise CollectorRefusedError(status=410, problem=self.ended)
        if n < len(self.stored):
            known, receipt = self.stored[n]
            if known.header_bytes == batch.header_bytes:
                return receipt
            problem = {
                "code": "conflict",
                "header": b64u_encode(known.header_bytes),
                "receipt": Envelope.decode(receipt).to_json(),
            }
            raise CollectorRefusedError(status=409, problem=problem)
        if n > len(self.stored):
            raise CollectorRefusedError(status=409, problem={"code": "gap", "expected": len(self.stored)})
        prev = self.stored[-1][0].header_sha256 if self.stored else self.certified.certificate.sha256
        first = self.events
        if (batch.header.prev, batch.header.first) != (prev, first):
            raise CollectorRefusedError(status=422, problem={"code": "prev_mismatch"})
        receipt = earlier or self.receipt(batch)
        self.stored.append((batch, receipt))
        return receipt

    def receipt(self, batch: WireBatch) -> bytes:
        """A fresh receipt."""
        key = self.signer or self.certified.collector_key
        return key.sign(
            Receipt(
                kid=key.kid,
                session=self.certified.session,
                n=batch.header.n,
                header_sha256=batch.header_sha256,
                received_ms=NOW_MS,
            )
        ).encode()

    @property
    def events(self) -> int:
        """How many events were received."""
        return sum(batch.header.count for batch, _ in self.stored)

    def public(self) -> list[bytes]:
        """The public bytes of every received event."""
        key = self.certified.secrets.content_key
        return [event.public for batch, _ in self.stored for event in open_body(batch, key)]

    async def keys(self) -> bytes:
        """The key file."""
        self.asked_for_keys += 1
        return self.keyfile or self.certified.keyfile

    async def head(self, session: str) -> dict[str, Any]:
        """State and counts."""
        assert session == self.certified.session
        return {"state": "open", "next": len(self.stored), "events": self.events, "checked": self.checked}

    async def evidence(self, session: str) -> dict[str, Any]:
        """The signed evidence."""
        assert session == self.certified.session
        receipts = [Envelope.decode(receipt).to_json() for _, receipt in self.stored]
        return {"receipts": receipts, "checkpoint": self.checkpoint}
