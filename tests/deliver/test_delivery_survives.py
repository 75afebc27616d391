"""Recorder, sealer and uploader together under power loss, process death and lost answers.

The disk forgets what was not synced; the collector never does. After every life the collector must have exactly a
prefix of what this machine recorded, each event once, in order, and nothing promised as durable may be gone.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from tests.helpers.certified import Certified
from tests.helpers.disk import MemoryDisk, PowerLossError, seeded
from tests.helpers.recorders import MemoryCollector, RecorderBench, note

from promptster.client import CollectorRefusedError
from promptster.deliver.limits import SealingLimits
from promptster.journal.journal import JournalLostError
from promptster.journal.limits import JournalLimits

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL_FILES = JournalLimits(file=4000)
SMALL_BATCHES = SealingLimits(batch_bytes=2000, gather_s=0.0)


class Machine:
    """One session on a machine that fails again and again."""

    def __init__(self, seed: int) -> None:
        self.chance = seeded(seed)
        self.certified = Certified(seed=seed)
        self.disk = MemoryDisk()
        self.memory_collector = MemoryCollector(self.certified)
        self.promised = 0
        self.known: list[bytes] = []
        self.texts = 0
        self.deaths = 0

    def live(self) -> None:
        """One life: recover, check, work until something ends it."""
        self.disk.on_call = self.disturbance()
        try:
            bench = RecorderBench(self.certified, self.disk, limits=SMALL_FILES, sealing=SMALL_BATCHES)
            self.check(bench)
            while True:
                self.work(bench)
        except PowerLossError:
            self.deaths += 1
        except (OSError, JournalLostError):
            pass
        self.disk.on_call = None
        if self.chance.random() < 0.5:
            self.disk = self.disk.crash(self.chance)

    def disturbance(self) -> Callable[[str, int], None]:
        """When this life ends, and how often the disk refuses meanwhile."""
        stop_at = self.disk.calls + self.chance.randint(1, 60)
        fails = self.chance.random() < 0.3

        def disturb(_name: str, number: int) -> None:
            if number >= stop_at:
                raise PowerLossError
            if fails and self.chance.random() < 0.05:
                raise OSError(self.chance.choice([errno.EIO, errno.ENOSPC]), "refused")

        return disturb

    def work(self, bench: RecorderBench) -> None:
        """One step of recording, sealing or sending."""
        step = self.chance.random()
        if step < 0.5:
            for _ in range(self.chance.randint(1, 5)):
                bench.writer.append(note(f"{self.texts}"))
                self.texts += 1
            if bench.writer.commit():
                self.promised = bench.writer.durable_seq
        elif step < 0.75:
            if bench.outbox.position.first < bench.writer.durable_seq:
                bench.sealer.seal_one()
        elif (entry := bench.outbox.unsent) is not None:
            receipt = self.memory_collector.take(entry.n, bench.outbox.wire(entry.n))
            if self.chance.random() < 0.7:  # else the answer is lost
                bench.outbox.accept(entry.n, receipt)

    def check(self, bench: RecorderBench) -> None:
        """Check what must hold whenever the recorder starts."""
        found = [event.public for event in bench.recovered]
        assert [event.seq for event in bench.recovered] == list(range(len(found)))
        assert found[: len(self.known)] == self.known
        assert len(found) >= self.promised
        texts = [event.open().fields["text"] for event in bench.recovered if event.kind == "note"]
        assert len(set(texts)) == len(texts)
        received = self.memory_collector.public()
        assert received == found[: len(received)]
        assert bench.outbox.received_events <= self.memory_collector.events
        self.known, self.promised = found, len(found)


@pytest.mark.parametrize("seed", range(20))
def test_no_event_is_lost_doubled_or_reordered(seed: int) -> None:
    """Whatever call a life ends at, the next one continues the same chain, and the collector never contradicts it."""
    machine = Machine(seed)
    for _ in range(30):
        machine.live()
    bench = RecorderBench(machine.certified, machine.disk, limits=SMALL_FILES, sealing=SMALL_BATCHES)
    machine.check(bench)
    bench.seal()
    while (entry := bench.outbox.unsent) is not None:
        bench.outbox.accept(entry.n, machine.memory_collector.take(entry.n, bench.outbox.wire(entry.n)))
    assert machine.memory_collector.public() == bench.public()
    assert machine.deaths > 15


def test_the_collector_in_memory_refuses_what_a_collector_refuses() -> None:
    """The double keeps the collector's rules: gaps and second bytes for a number are refused."""
    certified = Certified()
    bench = RecorderBench(certified, MemoryDisk())
    bench.record(note("a"))
    bench.seal()
    memory_collector = MemoryCollector(certified)
    with pytest.raises(CollectorRefusedError):
        MemoryCollector(certified).take(3, bench.outbox.wire(0))
    memory_collector.take(0, bench.outbox.wire(0))
    other = RecorderBench(certified, MemoryDisk())
    other.record(note("b"))
    other.seal()
    with pytest.raises(CollectorRefusedError) as refused:
        memory_collector.take(0, other.outbox.wire(0))
    assert refused.value.code == "conflict"
