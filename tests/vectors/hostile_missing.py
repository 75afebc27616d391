"""Bundles from which something was taken, or to which something was added."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from tests.vectors.common import ALTERED, INCOMPLETE, Named, parts_vector
from tests.vectors.world import START, World, drafts, with_block

from promptster.protocol.batch import BatchHeader, WireBatch
from promptster.protocol.bundle import BundleParts
from promptster.protocol.events import Source
from promptster.protocol.events.kinds import Closed
from promptster.protocol.privacy import Tombstone, TombstoneOutcome
from promptster.protocol.receipt import CloseOutcome
from promptster.protocol.signing import Envelope, SigningKey


def vectors() -> Iterator[Named]:
    """All of them."""
    yield from _missing()
    yield from _custody()


def _missing() -> Iterator[Named]:
    world = World()
    parts = world.parts()
    first = parts.events
    shorter = {seq: secrets for seq, secrets in parts.values.items() if seq < 9}
    cut = dataclasses.replace(
        parts,
        headers=parts.headers[:2],
        events=first[:9],
        values=shorter,
        receipts=parts.receipts[:2],
        checks=parts.checks[:2],
        proofs=parts.proofs[:2],
    )
    yield parts_vector(
        "truncated",
        "the last batch taken away, the close left",
        world,
        cut,
        findings=("truncated", "value_missing"),
        verdict=INCOMPLETE,
        events=9,
        shown=22,
        withheld=1,
    )
    open_ended = dataclasses.replace(cut, close=None)
    yield parts_vector(
        "truncated-open",
        "the last batch and the close taken away",
        world,
        open_ended,
        findings=("open_ended", "value_missing"),
        verdict=INCOMPLETE,
        events=9,
        shown=22,
        withheld=1,
    )
    receipts_left = dataclasses.replace(open_ended, receipts=parts.receipts, proofs=parts.proofs)
    yield parts_vector(
        "truncated-receipt",
        "the last batch taken away, its receipt left",
        world,
        receipts_left,
        findings=("open_ended", "truncated", "value_missing"),
        verdict=INCOMPLETE,
        events=9,
        shown=22,
        withheld=1,
    )
    no_tail = dataclasses.replace(parts, events=first[:-1])
    yield parts_vector(
        "truncated-events",
        "the last event taken away",
        world,
        no_tail,
        findings=("truncated", "value_missing"),
        verdict=INCOMPLETE,
        events=9,
        shown=22,
        withheld=1,
    )
    no_batch = dataclasses.replace(parts, events=first[:9], values=shorter)
    yield parts_vector(
        "truncated-batch",
        "all events of the last batch taken away",
        world,
        no_batch,
        findings=("truncated", "value_missing"),
        verdict=INCOMPLETE,
        events=9,
        shown=22,
        withheld=1,
    )
    hole = dataclasses.replace(parts, events=(*first[:6], *first[7:]))
    yield parts_vector(
        "gap-event",
        "an event in the middle taken away",
        world,
        hole,
        findings=("gap",),
        verdict=INCOMPLETE,
        events=11,
        shown=27,
        withheld=0,
    )
    no_middle = dataclasses.replace(parts, events=(*first[:5], *first[9:]))
    yield parts_vector(
        "gap-batch-events",
        "the middle batch's events taken away",
        world,
        no_middle,
        findings=("gap",),
        verdict=INCOMPLETE,
        events=11,
        shown=27,
        withheld=0,
    )
    values = {seq: secrets for seq, secrets in parts.values.items() if not 5 <= seq < 9}
    headless = dataclasses.replace(no_middle, headers=(parts.headers[0], parts.headers[2]), values=values)
    yield parts_vector(
        "gap-batch",
        "the middle batch taken away",
        world,
        headless,
        findings=("gap",),
        verdict=INCOMPLETE,
        events=11,
        shown=27,
        withheld=0,
    )
    kept = {seq: {n: s for n, s in secrets.items() if (seq, n) != (1, "text")} for seq, secrets in parts.values.items()}
    unsaid = dataclasses.replace(parts, values=kept)
    yield parts_vector(
        "value-missing",
        "a value missing without a record",
        world,
        unsaid,
        findings=("value_missing",),
        verdict=INCOMPLETE,
        shown=31,
        withheld=2,
    )
    world = World()
    world.events[1] = with_block(world.events[1], "text", random=world.random)
    no_block = dataclasses.replace(world.parts(), blocks={})
    yield parts_vector(
        "block-missing",
        "a block missing without a record",
        world,
        no_block,
        findings=("value_missing",),
        verdict=INCOMPLETE,
        shown=31,
        withheld=2,
    )


def _custody() -> Iterator[Named]:
    world = World()
    plain = world.parts(checkpoint=None, proofs=())
    quiet = ("not_in_log",)
    stranger = SigningKey.generate(world.random)
    heads = [_bare(envelope) for envelope in plain.headers]
    yield parts_vector(
        "receipt-missing",
        "a batch without a receipt",
        world,
        dataclasses.replace(plain, receipts=plain.receipts[:2]),
        findings=("receipt_missing", *quiet),
        verdict=INCOMPLETE,
    )
    yield parts_vector(
        "check-missing",
        "a batch without a check",
        world,
        dataclasses.replace(plain, checks=plain.checks[1:]),
        findings=("check_missing", *quiet),
        verdict=INCOMPLETE,
    )
    bad = world.receipt(heads[2], key=stranger)
    yield parts_vector(
        "receipt-foreign",
        "a receipt of a stranger",
        world,
        dataclasses.replace(plain, receipts=(*plain.receipts[:2], bad)),
        findings=("foreign_signer", "receipt_missing", *quiet),
    )
    forged = Envelope(plain.receipts[2].payload, plain.receipts[1].signature)
    yield parts_vector(
        "receipt-signature",
        "a receipt with another signature",
        world,
        dataclasses.replace(plain, receipts=(*plain.receipts[:2], forged)),
        findings=("receipt_signature", "receipt_missing", *quiet),
    )
    other = world.receipt(heads[2], session=World("stranger").session)
    yield parts_vector(
        "receipt-session",
        "a receipt of another session",
        world,
        dataclasses.replace(plain, receipts=(*plain.receipts[:2], other)),
        findings=("foreign_session", "receipt_missing", *quiet),
    )
    rival = world.receipt(heads[2], header_sha256=bytes(32))
    yield parts_vector(
        "receipt-conflict",
        "a receipt for other bytes of the same number",
        world,
        dataclasses.replace(plain, receipts=(*plain.receipts[:2], rival)),
        findings=("conflict", "receipt_missing", *quiet),
    )
    second = world.receipt(heads[2], received_ms=START)
    yield parts_vector(
        "receipt-second",
        "two receipts of one batch",
        world,
        dataclasses.replace(plain, receipts=(*plain.receipts, second)),
        findings=("conflict", *quiet),
    )
    yield parts_vector(
        "receipt-duplicate",
        "a receipt twice",
        world,
        dataclasses.replace(plain, receipts=(*plain.receipts, plain.receipts[2])),
        findings=("duplicate", *quiet),
    )
    yield parts_vector(
        "checks-reordered",
        "checks out of order",
        world,
        dataclasses.replace(plain, checks=plain.checks[::-1]),
        findings=("reordered", *quiet),
    )
    failed = world.check(heads[1], ok=False, code="commitment")
    unread = dataclasses.replace(
        plain,
        checks=(plain.checks[0], failed, plain.checks[2]),
        events=(*plain.events[:5], *plain.events[9:]),
        values={seq: secrets for seq, secrets in plain.values.items() if not 5 <= seq < 9},
    )
    yield parts_vector(
        "unreadable-span",
        "a batch that the collector could not read",
        world,
        unread,
        findings=("unreadable_span", *quiet),
        verdict=INCOMPLETE,
        events=11,
        shown=27,
        withheld=0,
    )
    yield from _ends(world, plain, heads[2])


def _bare(envelope: Envelope) -> WireBatch:
    """A header as the batch that receipts name; its body is not needed."""
    header = BatchHeader.parse(envelope.payload)
    return WireBatch(header=header, header_bytes=envelope.payload, signature=envelope.signature, body=b"")


def _ends(world: World, plain: BundleParts, last: WireBatch) -> Iterator[Named]:
    quiet = ("not_in_log",)
    cases: tuple[tuple[str, str, dict[str, Any], str, tuple[str, int]], ...] = (
        ("head", "another last header", {"head": bytes(32)}, "close_mismatch", ALTERED),
        ("events", "another number of events", {"events": 16}, "close_mismatch", ALTERED),
        ("fewer", "fewer batches than are here", {"n": 2}, "close_mismatch", ALTERED),
        ("more", "more batches than are here", {"n": 4}, "truncated", INCOMPLETE),
        ("lapsed", "a session that was never closed", {"outcome": CloseOutcome.LAPSED}, "lapsed", INCOMPLETE),
        ("session", "another session", {"session": World("stranger").session}, "foreign_session", ALTERED),
    )
    for name, what, changes, finding, verdict in cases:
        closed = dataclasses.replace(plain, close=world.close(last, **changes))
        yield parts_vector(
            f"close-{name}", f"a close that names {what}", world, closed, findings=(finding, *quiet), verdict=verdict
        )
    forged = Envelope(world.close(last).payload, bytes([1] * 64))
    yield parts_vector(
        "close-signature",
        "a close that nobody signed",
        world,
        dataclasses.replace(plain, close=forged),
        findings=("close_signature", *quiet),
    )
    tombstone = world.collector.sign(
        Tombstone(
            kid=world.collector.kid,
            session=world.session,
            outcome=TombstoneOutcome.ERASED,
            at_ms=START,
            backups_until_ms=START,
            batches=3,
            exports=0,
        )
    )
    buried = dataclasses.replace(plain, tombstone=tombstone)
    yield parts_vector(
        "tombstone", "a session that was erased", world, buried, findings=("tombstone", *quiet), verdict=INCOMPLETE
    )
    told = drafts()[:-1]
    world = World(told=told)
    parts = world.parts((5, 9), checkpoint=None, proofs=())
    yield parts_vector(
        "close-missing",
        "submitted, and the last event does not say so",
        world,
        parts,
        findings=("close_missing", *quiet),
        verdict=INCOMPLETE,
        events=14,
        shown=30,
        withheld=1,
    )
    for source in ("hook", "candidate"):
        world = World(told=[*told, dataclasses.replace(drafts()[-1], src=Source(source), event=Closed(batches=3))])
        yield parts_vector(
            f"close-missing-{source}",
            f"submitted, and what closes is the word of the source {source}",
            world,
            world.parts(checkpoint=None, proofs=()),
            findings=("close_missing", *quiet),
            verdict=INCOMPLETE,
            shown=31,
        )
    last_draft = dataclasses.replace(drafts()[-1], event=Closed(totals={"proxy": 99}, batches=3))
    world = World(told=[*told, last_draft])
    parts = world.parts(checkpoint=None, proofs=())
    yield parts_vector(
        "totals",
        "a closing event that counts other events",
        world,
        parts,
        findings=("totals", *quiet),
        verdict=INCOMPLETE,
    )
