"""The uploader ends with a receipt for every batch, whatever happens on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.helpers.certified import NOW_MS, Certified
from tests.helpers.disk import MemoryDisk
from tests.helpers.recorders import BATCHES, MemoryCollector, RecorderBench, note

from promptster.client import CollectorRefusedError, CollectorUnreachableError
from promptster.deliver.limits import SealingLimits, UploadTiming
from promptster.deliver.receipts import SessionEnding
from promptster.deliver.refused_batches import Refusals
from promptster.deliver.uploader import Ended, Halt, Pace, Uploader
from promptster.protocol.key_succession import first_key, next_key, write_keyfile
from promptster.protocol.privacy import Tombstone, TombstoneOutcome
from promptster.protocol.receipt import Close, CloseOutcome
from promptster.protocol.signing import SigningKey

SEALING_AT_ONCE = SealingLimits(gather_s=0.0)
AT_ONCE = UploadTiming(first_pause_s=0.0, between_s=0.0, poll_s=0.0)
"""Pauses are computed as usual, but have no length."""


class Delivery:
    """An uploader between a session's parts and a collector in memory."""

    def __init__(
        self,
        *,
        batches: int = 3,
        seed: int = 0,
        disk: MemoryDisk | None = None,
        sealing: SealingLimits = SEALING_AT_ONCE,
    ) -> None:
        self.certified = Certified(seed=seed)
        self.disk = disk or MemoryDisk()
        self.bench = RecorderBench(self.certified, self.disk, sealing=sealing)
        self.memory_collector = MemoryCollector(self.certified)
        self.restarts = 0
        self.showed: list[str] = []
        self.wire(self.bench)
        self.fill(batches)

    def wire(self, bench: RecorderBench) -> None:
        """Connect uploader and refusals to the session's parts."""
        self.bench = bench
        self.refusals = Refusals(
            outbox=bench.outbox,
            writer=bench.writer,
            sealer=bench.sealer,
            collector=self.memory_collector,
            session=self.certified.session,
            keys=bench.trusted,
            start_anew=self.start_anew,
            showed=self.showed.append,
        )
        self.uploader = Uploader(
            outbox=bench.outbox,
            collector=self.memory_collector,
            session=self.certified.session,
            keys=bench.trusted,
            refused=self.refusals.decide,
            stored=bench.sealer.stored,
            timing=AT_ONCE,
        )

    def halt(self) -> Halt | None:
        """Why nothing more is sent; ``None`` if sending continues."""
        return self.uploader.progress.halt

    def start_anew(self) -> None:
        """Count the requests for a new start."""
        self.restarts += 1

    def fill(self, batches: int, text: str = "") -> None:
        """Record and seal batches of one event."""
        for number in range(batches):
            self.bench.record(note(f"{text}{number}"))
            while self.bench.outbox.position.first < self.bench.writer.durable_seq:
                self.bench.sealer.seal_one()

    async def send(self) -> None:
        """Upload until nothing waits, delivery stops, a new start is requested, or the session ended."""
        task = asyncio.create_task(self.uploader.run())
        async with asyncio.timeout(20):
            while self.bench.outbox.unsent is not None and not self.restarts and not task.done():
                if self.halt() is not None:
                    break
                await asyncio.wait([task, asyncio.create_task(self.uploader.moved())], return_when="FIRST_COMPLETED")
        if task.done():
            await task
        task.cancel()

    def ended(self, outcome: TombstoneOutcome, *, key: SigningKey | None = None) -> dict[str, Any]:
        """A signed tombstone's problem document."""
        key = key or self.certified.collector_key
        tombstone = Tombstone(
            kid=key.kid,
            session=self.certified.session,
            outcome=outcome,
            at_ms=NOW_MS,
            backups_until_ms=NOW_MS,
            batches=0,
            exports=0,
        )
        return {"code": outcome.value, "tombstone": key.sign(tombstone).to_json()}


async def test_everything_is_sent_in_order() -> None:
    """Each batch is sent once, in order, and its receipt kept."""
    delivery = Delivery(batches=5)
    await delivery.send()
    assert delivery.memory_collector.calls == [(n, False) for n in range(5)]
    assert delivery.bench.outbox.received_events == 5
    assert (delivery.uploader.progress.reachable, delivery.uploader.progress.last_error) == (True, None)


async def test_new_batches_are_noticed() -> None:
    """An uploader without work wakes when the sealer has stored something."""
    delivery = Delivery(batches=0)
    task = asyncio.create_task(delivery.uploader.run())
    await asyncio.sleep(0)
    delivery.fill(1)
    delivery.bench.sealer.stored.set()
    async with asyncio.timeout(10):
        while delivery.bench.outbox.unsent is not None:
            await delivery.uploader.moved()
    assert delivery.memory_collector.calls == [(0, False)]
    task.cancel()


@pytest.mark.parametrize(
    "fault",
    [
        CollectorUnreachableError("cut"),
        CollectorRefusedError(status=429, problem={"code": "busy"}, retry_after_s=0.0),
        CollectorRefusedError(status=500, problem={}),
        CollectorRefusedError(status=503, problem={}, retry_after_s=0.001),
        CollectorRefusedError(status=404, problem={}),
        CollectorRefusedError(status=413, problem={}),
        CollectorRefusedError(status=410, problem={}),
        CollectorRefusedError(status=409, problem={"code": "conflict", "header": "!", "receipt": {}}),
        CollectorRefusedError(status=409, problem={"code": "gap", "expected": 99}),
        CollectorRefusedError(status=409, problem={"code": "gap", "expected": "x"}),
    ],
    ids=lambda error: f"{error.status}-{error.code}",
)
async def test_what_cannot_be_known_or_believed_means_the_same_bytes_again(fault: Exception) -> None:
    """After network errors, lost answers and refusals without proof the same batch is sent again, unchanged."""
    delivery = Delivery(batches=2)
    wires = [delivery.bench.outbox.wire(n) for n in range(2)]
    delivery.memory_collector.faults = [fault, fault, None, fault]
    await delivery.send()
    assert [delivery.bench.outbox.wire(n) for n in range(2)] == wires
    assert delivery.bench.outbox.received == 2
    assert len(delivery.memory_collector.stored) == 2


async def test_an_answer_without_a_sound_receipt_is_none() -> None:
    """A stored batch whose receipt does not verify still counts as unsent."""
    delivery = Delivery(batches=1)
    forged = MemoryCollector(Certified(seed=4))
    genuine, delivery.memory_collector.receipt = delivery.memory_collector.receipt, forged.receipt  # type: ignore[method-assign]
    task = asyncio.create_task(delivery.uploader.run())
    await delivery.uploader.moved()
    assert str(delivery.uploader.progress.last_error).startswith("receipt_")
    assert delivery.bench.outbox.received == 0
    delivery.memory_collector.receipt = genuine  # type: ignore[method-assign]
    task.cancel()


async def test_a_restored_collector_gets_back_what_it_lost() -> None:
    """Batches that the collector once acknowledged are sent again, each with its earlier receipt, which is kept."""
    delivery = Delivery(batches=4)
    await delivery.send()
    receipts = [receipt for _, receipt in delivery.memory_collector.stored]
    del delivery.memory_collector.stored[2:]
    delivery.memory_collector.calls.clear()
    delivery.fill(1, "after the restore")
    await delivery.send()
    assert delivery.memory_collector.calls == [(4, False), (2, True), (3, True), (4, False)]
    assert [receipt for _, receipt in delivery.memory_collector.stored][:4] == receipts
    assert delivery.memory_collector.public() == delivery.bench.public()


async def test_a_lost_batch_file_is_settled_without_doubling() -> None:
    """If a disk lost a sent batch, the events are the same, so the collector's batch is adopted."""
    delivery = Delivery(batches=3)
    await delivery.send()
    for kind in ("batch", "receipt"):
        delivery.disk.unlink(BATCHES / f"00000002.{kind}")
    delivery.wire(RecorderBench(delivery.certified, delivery.disk))
    delivery.fill(1, "more")
    await delivery.send()
    assert delivery.restarts == 0
    assert delivery.bench.writer.durable_changed.is_set()
    await delivery.bench.sealer.seal_all()
    await delivery.send()
    assert delivery.memory_collector.public() == delivery.bench.public()
    assert delivery.bench.outbox.received_events == 4


async def test_a_machine_put_back_in_time_enters_its_events_anew() -> None:
    """With other bytes under known numbers both are kept, ours after the collector's head, each exactly once."""
    disk = MemoryDisk()
    delivery = Delivery(batches=2, disk=disk)
    await delivery.send()
    snapshot = {path: disk.read(path) for path in disk.paths()}
    delivery.fill(3, "future ")
    await delivery.send()
    future = delivery.memory_collector.public()
    old = MemoryDisk()
    for path, data in snapshot.items():
        handle = old.open_append(path, create=True)
        old.write(handle, data)
        old.sync(handle)
    delivery.disk = old
    delivery.wire(RecorderBench(delivery.certified, old))
    delivery.fill(2, "present ")
    delivery.memory_collector.checkpoint = "the log's note"
    await delivery.send()
    assert delivery.restarts == 1
    assert delivery.showed == ["the log's note"]
    delivery.wire(RecorderBench(delivery.certified, old))
    delivery.restarts = 0
    assert (delivery.bench.repair.moved, delivery.bench.repair.skipped) == (2, 3)
    delivery.fill(1, "later ")
    await delivery.send()
    texts = [event.open().fields["text"] for event in delivery.bench.writer.events()]
    assert texts == ["0", "1", "present 0", "present 1", "later 0"]
    received = delivery.memory_collector.public()
    assert received[: len(future)] == future
    assert received[len(future) :] == delivery.bench.public()[2:]
    assert delivery.bench.outbox.received_events == delivery.bench.writer.next_seq == 8
    assert len([path for path in old.paths() if path.name.endswith(".batch.0.aside")]) == 2


async def test_a_batch_that_is_too_large_is_made_smaller() -> None:
    """413 means that nothing was stored, so the same events are sent in smaller parts."""
    delivery = Delivery(batches=0, sealing=SealingLimits(batch_bytes=399_000, gather_s=0.0))
    delivery.bench.record(*(note("x" * 90_000) for _ in range(4)))
    await delivery.bench.sealer.seal_all()
    assert delivery.bench.outbox.sealed == 1
    delivery.memory_collector.faults = [CollectorRefusedError(status=413, problem={"code": "body_size"})]
    sealing = asyncio.create_task(delivery.bench.sealer.run())
    task = asyncio.create_task(delivery.uploader.run())
    async with asyncio.timeout(20):
        while delivery.memory_collector.events < 4:
            await delivery.uploader.moved()
    assert len(delivery.memory_collector.stored) == 2
    sealing.cancel()
    task.cancel()


@pytest.mark.parametrize("outcome", TombstoneOutcome)
async def test_a_signed_tombstone_ends_the_upload(outcome: TombstoneOutcome) -> None:
    """What the collector signed ends the session; an unsigned answer does not."""
    delivery = Delivery(batches=1)
    delivery.memory_collector.ended = delivery.ended(outcome)
    with pytest.raises(Ended) as ended:
        await delivery.send()
    assert ended.value.ending.value == outcome.value


async def test_a_lapsed_session_is_told_by_its_close() -> None:
    """``close`` with outcome lapsed, signed by the collector, ends the upload too."""
    delivery = Delivery(batches=1)
    key = delivery.certified.collector_key
    close = Close(
        kid=key.kid,
        session=delivery.certified.session,
        outcome=CloseOutcome.LAPSED,
        n=0,
        events=0,
        head=bytes(32),
        at_ms=NOW_MS,
    )
    delivery.memory_collector.ended = {"code": "closed", "close": key.sign(close).to_json()}
    with pytest.raises(Ended) as ended:
        await delivery.send()
    assert ended.value.ending is SessionEnding.LAPSED


@pytest.mark.parametrize("signed", [True, False])
async def test_a_stranger_s_tombstone_ends_nothing(*, signed: bool) -> None:
    """With another key's tombstone, or none, the session continues, and what was refused is sent on request."""
    delivery, stranger = Delivery(batches=1), Delivery(batches=0, seed=8)
    problem = stranger.ended(TombstoneOutcome.WITHDRAWN) if signed else {"code": "withdrawn", "tombstone": None}
    delivery.memory_collector.faults.append(CollectorRefusedError(status=410, problem=problem))
    await delivery.send()
    assert delivery.halt() is not None
    delivery.uploader.try_again()
    await delivery.send()
    assert delivery.bench.outbox.received == 1


@pytest.mark.parametrize(
    "refusal",
    [
        CollectorRefusedError(status=413, problem={"code": "session_full", "detail": "The session is full."}),
        CollectorRefusedError(status=413, problem={"code": "body_size"}),
        CollectorRefusedError(status=404, problem={"code": "unknown_session"}),
        CollectorRefusedError(status=422, problem={"code": "prev_mismatch"}),
        CollectorRefusedError(status=410, problem={"code": "closed", "close": None}),
    ],
    ids=lambda error: f"{error.status}-{error.code}",
)
async def test_after_a_refusal_for_good_nothing_more_is_sent_until_asked(refusal: CollectorRefusedError) -> None:
    """The batch is asked about once; everything stays here, and one request sends it all."""
    delivery = Delivery(batches=2)
    wires = [delivery.bench.outbox.wire(n) for n in range(2)]
    delivery.memory_collector.faults = [None, refusal]
    task = asyncio.create_task(delivery.uploader.run())
    async with asyncio.timeout(20):
        while delivery.halt() is None:
            await delivery.uploader.moved()
    assert delivery.halt() == Halt(code=refusal.code, message=refusal.message)
    delivery.fill(1, "more")
    delivery.bench.sealer.stored.set()
    delivery.uploader.hurry()
    for _ in range(50):
        await asyncio.sleep(0)
    assert [n for n, _ in delivery.memory_collector.calls] == [0, 1]
    assert [delivery.bench.outbox.wire(n) for n in range(2)] == wires
    delivery.uploader.try_again()
    async with asyncio.timeout(20):
        while delivery.bench.outbox.unsent is not None:
            await delivery.uploader.moved()
    assert delivery.halt() is None
    assert delivery.memory_collector.public() == delivery.bench.public()
    task.cancel()


async def test_a_successor_of_the_pinned_key_is_believed_once_its_signature_was_checked() -> None:
    """If the collector moves to a new key during the session, its key file is fetched, checked, kept, and then used."""
    delivery = Delivery(batches=3)
    fresh = SigningKey.generate(delivery.certified.named("fresh"))
    records = [first_key(delivery.certified.collector_key, created_ms=NOW_MS)]
    records.append(next_key(delivery.certified.collector_key, fresh.public_key, created_ms=NOW_MS))
    delivery.memory_collector.keyfile = write_keyfile(records)
    delivery.memory_collector.signer = fresh
    await delivery.send()
    assert delivery.bench.outbox.received == 3
    assert delivery.memory_collector.asked_for_keys == 1
    assert delivery.bench.trusted.keyfile == delivery.memory_collector.keyfile


async def test_a_successor_may_also_sign_the_end() -> None:
    """A tombstone by the new key ends the upload as one by the old key does."""
    delivery = Delivery(batches=1)
    fresh = SigningKey.generate(delivery.certified.named("fresh"))
    records = [first_key(delivery.certified.collector_key, created_ms=NOW_MS)]
    records.append(next_key(delivery.certified.collector_key, fresh.public_key, created_ms=NOW_MS))
    delivery.memory_collector.keyfile = write_keyfile(records)
    delivery.memory_collector.ended = delivery.ended(TombstoneOutcome.ERASED, key=fresh)
    with pytest.raises(Ended):
        await delivery.send()


async def test_a_key_that_does_not_descend_from_the_pinned_one_is_never_believed() -> None:
    """Another collector's key, or one that names the pinned key as its successor, is refused with its receipts."""
    delivery = Delivery(batches=1)
    forger = SigningKey.generate(delivery.certified.named("forger"))
    pinned = delivery.certified.collector_key
    own = write_keyfile([first_key(forger, created_ms=NOW_MS)])
    in_front = write_keyfile(
        [first_key(forger, created_ms=NOW_MS), next_key(forger, pinned.public_key, created_ms=NOW_MS)]
    )
    delivery.memory_collector.signer = forger
    for keyfile in (own, in_front):
        delivery.memory_collector.keyfile = keyfile
        task = asyncio.create_task(delivery.uploader.run())
        async with asyncio.timeout(20):
            await delivery.uploader.moved()
        task.cancel()
        assert delivery.uploader.progress.last_error == "receipt_unknown_signer"
    assert delivery.memory_collector.asked_for_keys >= 2
    assert delivery.bench.outbox.received == 0
    assert delivery.bench.trusted.keyfile == delivery.certified.keyfile


async def test_checks_are_watched_to_the_end() -> None:
    """The number of the last checked batch is asked for until it is the last received one."""
    delivery = Delivery(batches=3)
    delivery.memory_collector.checked = 0
    await delivery.send()
    assert delivery.uploader.progress.checked == 0
    delivery.memory_collector.checked = 2
    async with asyncio.timeout(10):
        await delivery.uploader.watch_checks()
    assert delivery.uploader.progress.checked == 2


def test_pauses_grow_with_full_jitter_and_honour_retry_after() -> None:
    """Pauses are between zero and a doubling limit from half a second to a minute, and never below Retry-After."""
    highest = Pace(spread=lambda _low, high: high)
    assert [highest.pause() for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    highest.succeeded()
    assert highest.pause() == 0.5
    lowest = Pace(spread=lambda low, _high: low)
    assert [lowest.pause(), lowest.pause(7.0), lowest.pause(10_000.0)] == [0.0, 7.0, 300.0]
