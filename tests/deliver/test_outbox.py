"""The outbox knows from its files alone what was sealed and what was received."""

from __future__ import annotations

import pytest
from tests.helpers.certified import Certified
from tests.helpers.disk import MemoryDisk
from tests.helpers.recorders import BATCHES, MemoryCollector, RecorderBench, note

from promptster.deliver.outbox import Adoption
from promptster.protocol.errors import BatchError, ProtocolError, SignatureError


def sealed(certified: Certified, disk: MemoryDisk, count: int) -> RecorderBench:
    """The parts of one session with this many batches of one event."""
    bench = RecorderBench(certified, disk)
    for number in range(count):
        bench.record(note(str(number)))
        bench.seal()
    return bench


def test_position_follows_from_the_files() -> None:
    """A new outbox over the same files knows the same chain, without any other record."""
    certified, disk = Certified(), MemoryDisk()
    bench = sealed(certified, disk, 3)
    memory_collector = MemoryCollector(certified)
    for n in range(2):
        bench.outbox.accept(n, memory_collector.take(n, bench.outbox.wire(n)))
    again = RecorderBench(certified, disk).outbox
    assert again.position == bench.outbox.position
    assert (again.sealed, again.received, again.received_events, again.backlog) == (3, 2, 2, 1)
    assert again.unsent is not None
    assert again.unsent.n == 2
    assert again.events_until(1) == 2
    assert again.events_until(-1) == 0
    names = {path.name for path in disk.paths() if path.parent == BATCHES}
    assert names == {f"{n:08d}.batch" for n in range(3)} | {f"{n:08d}.receipt" for n in range(2)}


def test_a_receipt_is_believed_only_from_the_pinned_collector() -> None:
    """Another key's receipt, one for another session, number or header is refused, and nothing is kept."""
    certified, disk = Certified(), MemoryDisk()
    bench = sealed(certified, disk, 2)
    memory_collector = MemoryCollector(certified)
    first = memory_collector.take(0, bench.outbox.wire(0))
    second = memory_collector.take(1, bench.outbox.wire(1))
    stranger = MemoryCollector(Certified(seed=9))
    other = sealed(Certified(seed=9), MemoryDisk(), 1)
    for wrong in (second, stranger.take(0, other.outbox.wire(0)), first[:-9] + b'AAAAAAA"}', b"{}", b""):
        with pytest.raises(ProtocolError):
            bench.outbox.accept(0, wrong)
    assert bench.outbox.received == 0
    with pytest.raises(BatchError):
        bench.outbox.accept(1, second)
    bench.outbox.accept(0, first)
    assert bench.outbox.receipt(0) == first
    assert bench.outbox.receipt(1) is None


def test_a_damaged_batch_and_all_after_it_are_kept_aside() -> None:
    """A flipped bit ends the chain there; the bytes are kept, and the journal's events are sealed again."""
    certified, disk = Certified(), MemoryDisk()
    recorded = sealed(certified, disk, 4).public()
    disk.flip(BATCHES / "00000002.batch", 30, 1)
    again = RecorderBench(certified, disk)
    assert again.outbox.sealed == 2
    aside = [path.name for path in disk.paths() if path.name.endswith(".aside")]
    assert aside == ["00000002.batch.0.aside", "00000003.batch.0.aside"]
    again.seal()
    assert again.outbox.position.first == 4
    assert again.public() == recorded


def test_a_damaged_receipt_is_asked_for_again() -> None:
    """A receipt that does not verify counts as missing; the batch is sent again and gets the same one."""
    certified, disk = Certified(), MemoryDisk()
    bench = sealed(certified, disk, 1)
    memory_collector = MemoryCollector(certified)
    bench.outbox.accept(0, memory_collector.take(0, bench.outbox.wire(0)))
    disk.flip(BATCHES / "00000000.receipt", 40, 2)
    again = RecorderBench(certified, disk)
    assert again.outbox.received == 0
    again.outbox.accept(0, memory_collector.take(0, again.outbox.wire(0)))
    assert again.outbox.received == 1


def test_a_batch_must_continue_the_chain() -> None:
    """What was sealed elsewhere, or twice, is never stored."""
    certified = Certified()
    bench = sealed(certified, MemoryDisk(), 2)
    with pytest.raises(BatchError):
        bench.outbox.store(bench.outbox.wire(0))
    with pytest.raises(SignatureError):
        sealed(Certified(seed=5), MemoryDisk(), 0).outbox.store(bench.outbox.wire(0))


def test_adopted_batches_take_their_place() -> None:
    """After an adoption the next batch continues after the collector's head, also for a later start."""
    certified, disk = Certified(), MemoryDisk()
    bench = sealed(certified, disk, 3)
    adoption = Adoption(n=1, last=5, header_sha256=b"h" * 32, next_seq=40, base=1)
    bench.outbox.adopt(adoption, {5: b"receipt"})
    for outbox in (bench.outbox, RecorderBench(certified, disk).outbox):
        assert outbox.position.n == 6
        assert outbox.position.first == 40
        assert outbox.position.prev == b"h" * 32
        assert outbox.last_adoption == adoption
    disk.flip(BATCHES / "00000001.adopted", 3, 0)
    assert RecorderBench(certified, disk).outbox.sealed == 1
