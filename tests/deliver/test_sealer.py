"""The sealer makes batches that the wire accepts, from everything durable and nothing else."""

from __future__ import annotations

import asyncio
import errno

import pytest
from tests.helpers.certified import Certified
from tests.helpers.disk import MemoryDisk
from tests.helpers.recorders import MemoryCollector, RecorderBench, call, note

from promptster.deliver.limits import SealingLimits
from promptster.journal.limits import JournalLimits
from promptster.protocol.batch import MAX_WIRE, open_body, parse_batch
from promptster.protocol.events.kinds import Closed


def batches(bench: RecorderBench) -> list[list[int]]:
    """The seqs in each sealed batch."""
    key = bench.certified.secrets.content_key
    return [
        [event.seq for event in open_body(parse_batch(bench.outbox.wire(n)), key)] for n in range(bench.outbox.sealed)
    ]


def test_only_what_is_durable_is_sealed() -> None:
    """An event that is not yet on disk is in no batch."""
    bench = RecorderBench(Certified(), MemoryDisk())
    bench.record(note("a"))
    bench.writer.append(note("b"))
    bench.seal()
    assert batches(bench) == [[0]]


def test_a_batch_ends_at_its_limits() -> None:
    """Batches have at most so many events and so many bytes; a larger event is alone in its batch."""
    bench = RecorderBench(Certified(), MemoryDisk(), sealing=SealingLimits(batch_events=3, batch_bytes=5_000))
    bench.record(*(note(str(number)) for number in range(4)), call(1, "x" * 9_000), note("z"))
    bench.seal()
    assert batches(bench) == [[0, 1, 2], [3], [4], [5]]


def test_closed_stands_alone_in_the_last_batch() -> None:
    """``closed`` names the number of batches, so no other event shares its batch."""
    bench = RecorderBench(Certified(), MemoryDisk())
    bench.record(note("a"), note("b"))
    bench.writer.append_own(Closed(totals={}, batches=2))
    bench.writer.commit()
    bench.seal()
    assert batches(bench) == [[0, 1], [2]]


def test_a_huge_incompressible_event_fits_a_batch() -> None:
    """Whatever one event holds, its batch stays within the wire's limits."""
    certified = Certified()
    bench = RecorderBench(certified, MemoryDisk())
    noise = certified.random(3 << 20).hex()
    bench.record(call(1, noise, error_output=noise))
    bench.seal()
    assert len(bench.outbox.wire(0)) <= MAX_WIRE
    MemoryCollector(certified).take(0, bench.outbox.wire(0))


def test_old_events_are_read_from_the_disk() -> None:
    """Events that are no longer in memory, or that an earlier run left unsealed, are sealed from the journal."""
    certified, disk = Certified(), MemoryDisk()
    bench = RecorderBench(certified, disk, limits=JournalLimits(recent=100))
    bench.record(note("a"), note("b"))
    bench.seal()
    bench.record(note("c"), note("d"), note("e"))
    again = RecorderBench(certified, disk)
    again.record(note("f"))
    again.seal()
    assert batches(again) == [[0], [1], [2, 3, 4, 5]]


async def test_it_seals_by_itself() -> None:
    """Durable events become a batch without a request."""
    bench = RecorderBench(Certified(), MemoryDisk())
    bench.writer.start()
    task = asyncio.create_task(bench.sealer.run())
    bench.writer.append(note("a"))
    await bench.sealer.stored.wait()
    assert batches(bench) == [[0]]
    task.cancel()
    await bench.writer.close()


async def test_a_batch_that_could_not_be_stored_is_made_again() -> None:
    """A batch that the disk refused is written again; no half batch ever has a batch's name."""
    disk = MemoryDisk()
    bench = RecorderBench(Certified(), disk, sealing=SealingLimits(gather_s=0.0, retry_s=0.0))
    bench.record(note("a"))
    refused = asyncio.Event()

    def refuse(name: str, _number: int) -> None:
        if name == "rename":
            disk.on_call = None
            refused.set()
            raise OSError(errno.ENOSPC, "full")

    disk.on_call = refuse
    bench.writer.durable_changed.set()
    task = asyncio.create_task(bench.sealer.run())
    await bench.sealer.stored.wait()
    assert refused.is_set()
    assert batches(bench) == [[0]]
    task.cancel()


async def test_a_backlog_makes_larger_batches() -> None:
    """While the collector lags, the sealer waits longer, until it is asked to hurry."""
    limits = SealingLimits(gather_s=3600.0)
    bench = RecorderBench(Certified(), MemoryDisk(), sealing=limits)
    for number in range(limits.backlog):
        bench.record(note(str(number)))
        await bench.sealer.seal_all()
    bench.sealer.stored.clear()
    bench.record(note("next"))
    bench.writer.durable_changed.set()
    task = asyncio.create_task(bench.sealer.run())
    for _ in range(5):
        await asyncio.sleep(0)
    assert bench.outbox.sealed == limits.backlog
    bench.sealer.hurry()
    await bench.sealer.stored.wait()
    assert bench.outbox.sealed == limits.backlog + 1
    task.cancel()


@pytest.mark.parametrize("steps", range(5))
async def test_a_cancellation_that_comes_with_a_hurry_is_not_lost(steps: int) -> None:
    """A sealer that is hurried and cancelled ends, however many steps are between the two."""
    bench = RecorderBench(Certified(), MemoryDisk(), sealing=SealingLimits(gather_s=3600.0))
    task = asyncio.get_running_loop().create_task(bench.sealer.run())
    bench.record(note("a"))
    bench.writer.durable_changed.set()
    for _ in range(5):
        await asyncio.sleep(0)
    bench.sealer.hurry()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    ended, _ = await asyncio.wait({task}, timeout=20)
    assert ended
    assert task.cancelled()
