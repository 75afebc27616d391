"""Background work: logging, checking and sealing as soon as there is something; sweeps at intervals.

Sealing, which can take long for one session, runs aside: other sessions are logged and checked meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import traceback
from typing import TYPE_CHECKING, Self, TypeVar

from promptster_collector.store.disk_reserve import StorageFullError, is_full

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Sequence

    from promptster_collector.clock import Clock
    from promptster_collector.settings import Timing

log = logging.getLogger("promptster_collector")

T = TypeVar("T")


class _Rounds:
    """Steps that run one after another."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], Awaitable[bool]]] = []
        self.wanted = asyncio.Event()
        self.turn = asyncio.Lock()

    async def one(self) -> bool:
        """Run every step once; returns whether any of them did something."""
        async with self.turn:
            return any(await _each(self.jobs))


class Worker:
    """Runs steps in order, round after round, while there is work; each step returns whether it did anything.

    Steps that run aside have their own rounds, which start after a round of the others.
    """

    def __init__(self, clock: Clock, timing: Timing, *, sweep_seconds: float) -> None:
        self._calm = asyncio.Event()
        self._calm.set()
        self._urgent = 0
        self._clock = clock
        self._timing = timing
        self._sweep_seconds = sweep_seconds
        self._steps = _Rounds()
        self._aside = _Rounds()
        self._sweeps: list[Callable[[], Awaitable[None]]] = []
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, step: Callable[[], Awaitable[bool]], *, aside: bool = False) -> None:
        """Append a step; one that may take long runs aside."""
        (self._aside if aside else self._steps).jobs.append(step)

    def add_sweep(self, sweep: Callable[[], Awaitable[None]]) -> None:
        """Add work for the start and for every sweep interval."""
        self._sweeps.append(sweep)

    def wake(self) -> None:
        """Start a round: there is work."""
        self._steps.wanted.set()

    @contextlib.contextmanager
    def urgent(self) -> Generator[None]:
        """Hold background work back for a moment while a client waits for an answer."""
        self._urgent += 1
        self._calm.clear()
        try:
            yield
        finally:
            self._urgent -= 1
            if not self._urgent:
                self._calm.set()

    async def __aenter__(self) -> Self:
        """Start."""
        self.wake()
        self._tasks = [
            asyncio.create_task(self._run(), name="worker"),
            asyncio.create_task(self._run_aside(), name="worker-aside"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop what is running."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def drain(self) -> None:
        """Do all work that there is now; for tests."""
        await self.sweep()
        while await self.work():
            pass

    async def _run(self) -> None:
        next_sweep = self._clock.monotonic()
        while True:
            if self._clock.monotonic() >= next_sweep:
                next_sweep = self._clock.monotonic() + self._sweep_seconds
                await self._guarded(self.sweep, self._steps)
            await self._rounds(self._steps)
            await _wait(self._steps.wanted, max(next_sweep - self._clock.monotonic(), 0.01))
            await asyncio.sleep(self._timing.between_rounds)

    async def _run_aside(self) -> None:
        while True:
            await self._aside.wanted.wait()
            await self._rounds(self._aside)

    async def _rounds(self, rounds: _Rounds) -> None:
        """Run rounds while there is work, and let requests go first."""

        async def one() -> bool:
            await _wait(self._calm, self._timing.for_requests)
            try:
                return await rounds.one()
            finally:
                if rounds is self._steps:  # after each round, because they may never end
                    self._aside.wanted.set()

        rounds.wanted.clear()
        while await self._guarded(one, rounds):  # noqa: ASYNC110 - a pause between rounds, not a wait
            await asyncio.sleep(self._timing.between_rounds)

    async def sweep(self) -> None:
        """Run all sweeps."""
        async with self._steps.turn:
            await _each(self._sweeps)

    async def work(self) -> bool:
        """Run one round of all steps, also those aside; returns whether any of them did something."""
        return any(await _each([self._steps.one, self._aside.one]))

    async def _guarded(self, job: Callable[[], Awaitable[bool | None]], rounds: _Rounds) -> bool:
        """Survive a failed round: the log gets type and place, and the round is repeated later."""
        try:
            return bool(await job())
        except Exception as error:  # noqa: BLE001 - background work must outlive any fault
            frames = traceback.extract_tb(error.__traceback__)
            place = f"{frames[-1].name}:{frames[-1].lineno}" if frames else "?"
            if isinstance(error, StorageFullError) or is_full(error):  # the disk reserve's sweep logs it
                await asyncio.sleep(self._timing.after_full_disk)
                rounds.wanted.set()
                return False
            log.error("background work failed: %s at %s", type(error).__name__, place)  # noqa: TRY400 - a traceback may show content
            await asyncio.sleep(self._timing.after_fault)
            rounds.wanted.set()
            return False


def _allocator() -> Callable[[int], int] | None:
    """The C library's function that returns unused memory; only glibc has one."""
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return found


TRIM = _allocator()


async def give_memory_back(trim: Callable[[int], int] | None = TRIM) -> None:
    """Return memory that large answers left behind to the system: an idle collector should be small again."""
    if trim is not None:
        await asyncio.to_thread(trim, 0)


async def _each(jobs: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Run all of them: a fault in one does not stop the others, and is raised at the end."""
    answers: list[T] = []
    faults: list[Exception] = []
    for job in jobs:
        try:
            answers.append(await job())
        except Exception as error:  # noqa: BLE001 - raised below
            faults.append(error)
    if faults:
        raise faults[0]
    return answers


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most so long; ``wait_for`` could lose a cancellation that comes with the event."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
