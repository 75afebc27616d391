"""Background work: woken, repeated while there is some, survives faults, and lets requests go first."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import pytest
from tests.helpers.site import OwnedClock

from promptster_collector import worker as worker_module
from promptster_collector.settings import Timing
from promptster_collector.worker import Worker


@pytest.fixture
def worker() -> Worker:
    """A worker without pauses."""
    return hurried()


def hurried(for_requests: float = 0.25) -> Worker:
    """A worker without pauses that waits for requests as long as this."""
    timing = Timing(between_rounds=0.0, after_fault=0.0, for_requests=for_requests)
    return Worker(OwnedClock(), timing, sweep_seconds=3600.0)


async def test_work_goes_on_while_there_is_some(worker: Worker) -> None:
    """A step is called again until it reports that nothing is left, and again when woken."""
    left, done = 3, asyncio.Event()

    async def step() -> bool:
        nonlocal left
        if left == 0:
            done.set()
            return False
        left -= 1
        return True

    worker.add(step)
    async with worker:
        await asyncio.wait_for(done.wait(), 20)
        done.clear()
        left = 2
        worker.wake()
        await asyncio.wait_for(done.wait(), 20)
        assert left == 0


async def test_a_fault_ends_nothing(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    """A step that raises is tried again; the log names type and place, but not the message."""
    logging.getLogger("promptster_collector").propagate = True
    calls, done = 0, asyncio.Event()

    async def step() -> bool:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise ValueError("something a candidate wrote")
        done.set()
        return False

    worker.add(step)
    async with worker:
        await asyncio.wait_for(done.wait(), 20)
    assert "ValueError" in caplog.text
    assert "candidate wrote" not in caplog.text


async def test_a_fault_keeps_nothing_else_from_running(worker: Worker) -> None:
    """A step or sweep that always fails does not block the others."""

    async def faulty() -> bool:
        raise ValueError

    stepped, swept = asyncio.Event(), asyncio.Event()

    async def step() -> bool:
        stepped.set()
        return False

    async def faulty_sweep() -> None:
        raise ValueError

    async def sweep() -> None:
        swept.set()

    worker.add(faulty)
    worker.add(step)
    worker.add_sweep(faulty_sweep)
    worker.add_sweep(sweep)
    async with worker:
        await asyncio.wait_for(stepped.wait(), 20)
        await asyncio.wait_for(swept.wait(), 20)


async def test_long_work_runs_aside(worker: Worker) -> None:
    """While a step runs aside, the others continue; afterwards it is called for their work."""
    held, let, stepped, again = asyncio.Event(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def step() -> bool:
        stepped.set()
        return False

    async def long() -> bool:
        if let.is_set():
            again.set()
        held.set()
        await let.wait()
        return False

    worker.add(step)
    worker.add(long, aside=True)
    async with worker:
        await asyncio.wait_for(held.wait(), 20)
        stepped.clear()
        worker.wake()
        await asyncio.wait_for(stepped.wait(), 20)
        assert not again.is_set()
        let.set()
        await asyncio.wait_for(again.wait(), 20)


async def test_steady_work_does_not_starve_what_is_aside(worker: Worker) -> None:
    """Sessions are sealed even if there is always another batch to check."""
    long_ran = asyncio.Event()

    async def endless() -> bool:
        return True

    async def long() -> bool:
        long_ran.set()
        return False

    worker.add(endless)
    worker.add(long, aside=True)
    async with worker:
        await asyncio.wait_for(long_ran.wait(), 20)


async def test_draining_does_what_is_aside_too(worker: Worker) -> None:
    """Draining also does the work that only the step aside can do after the others."""
    done: list[str] = []

    async def step() -> bool:
        done.append("step")
        return len(done) < 3

    async def long() -> bool:
        done.append("long")
        return False

    worker.add(long, aside=True)
    worker.add(step)
    await worker.drain()
    assert done == ["step", "long", "step", "long"]


async def test_sweeps_run_at_the_start(worker: Worker) -> None:
    """Changes that only depend on time are looked for when the collector starts."""
    swept = asyncio.Event()

    async def sweep() -> None:
        swept.set()

    worker.add_sweep(sweep)
    async with worker:
        await asyncio.wait_for(swept.wait(), 20)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux how much memory is held")
async def test_memory_goes_back() -> None:
    """Memory of large answers is returned to the system, if the C library can do that."""

    def held() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1])

    blocks = [os.urandom(40_000) for _ in range(1000)]
    kept = blocks[::50]
    del blocks
    before = held()
    await worker_module.give_memory_back()
    if worker_module.TRIM is not None:
        assert held() < before
    assert len(kept) == 20
    await worker_module.give_memory_back(trim=None)


async def test_requests_come_first() -> None:
    """While a request waits for a receipt no round begins, for a limited time."""
    worker, impatient = hurried(for_requests=30.0), hurried(for_requests=0.001)
    stepped = asyncio.Event()

    async def step() -> bool:
        stepped.set()
        return False

    worker.add(step)
    impatient.add(step)
    with worker.urgent(), worker.urgent():
        async with worker:
            for _ in range(20):
                await asyncio.sleep(0)
            assert not stepped.is_set()
    async with worker:
        await asyncio.wait_for(stepped.wait(), 20)
    stepped.clear()
    with impatient.urgent():
        async with impatient:
            await asyncio.wait_for(stepped.wait(), 20)
