"""Work behind the requests: logging, checking, sealing as soon as there is something; expiry now and then.

What can take long for one session, sealing, runs aside: the others' batches are logged and checked meanwhile.
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

log = logging.getLogger("promptster_collector")

T = TypeVar("T")

_PAUSE = 0.05
"""Seconds between two rounds, so that one round takes several batches."""
_PATIENCE = 0.25
"""Seconds for which a round waits while requests that others wait for are under way."""
_AFTER_FAULT = 2.0
"""Seconds until work that failed is tried again."""
_AFTER_FULL = 15.0
"""The same, for work that found no room on the disk."""


class _Rounds:
    """Steps that run one after another."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], Awaitable[bool]]] = []
        self.wanted = asyncio.Event()
        self.turn = asyncio.Lock()

    async def one(self) -> bool:
        """One round through all steps; whether any of them did something."""
        async with self.turn:
            return any(await _each(self.jobs))


class Worker:
    """Runs steps in order, round after round, while there is work; each step says whether it did anything.

    Steps that run aside have rounds of their own, which begin when one of the others has ended.
    """

    def __init__(self, clock: Clock, *, sweep_seconds: float) -> None:
        """Nothing runs before the worker is entered as a context."""
        self._calm = asyncio.Event()
        self._calm.set()
        self._urgent = 0
        self._clock = clock
        self._sweep_seconds = sweep_seconds
        self._steps = _Rounds()
        self._aside = _Rounds()
        self._sweeps: list[Callable[[], Awaitable[None]]] = []
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, step: Callable[[], Awaitable[bool]], *, aside: bool = False) -> None:
        """Append a step; one that may take long runs aside."""
        (self._aside if aside else self._steps).jobs.append(step)

    def add_sweep(self, sweep: Callable[[], Awaitable[None]]) -> None:
        """Append something to be done at the start and every sweep interval."""
        self._sweeps.append(sweep)

    def wake(self) -> None:
        """There is work."""
        self._steps.wanted.set()

    @contextlib.contextmanager
    def urgent(self) -> Generator[None]:
        """While somebody waits for an answer, work behind the answers waits a moment too."""
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
        """Do everything that can be done now, here; for tests and for a quiet end."""
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
            await asyncio.sleep(_PAUSE)

    async def _run_aside(self) -> None:
        while True:
            await self._aside.wanted.wait()
            await self._rounds(self._aside)

    async def _rounds(self, rounds: _Rounds) -> None:
        """One round after another, while there is work and nobody waits for an answer."""

        async def one() -> bool:
            await _wait(self._calm, _PATIENCE)
            try:
                return await rounds.one()
            finally:
                if rounds is self._steps:  # after each round: there may be no end to them
                    self._aside.wanted.set()

        rounds.wanted.clear()
        while await self._guarded(one, rounds):  # noqa: ASYNC110 - a pause between rounds, not a wait
            await asyncio.sleep(_PAUSE)

    async def sweep(self) -> None:
        """Look at everything that time alone changes."""
        async with self._steps.turn:
            await _each(self._sweeps)

    async def work(self) -> bool:
        """One round through all steps, also those aside; whether any of them did something."""
        return any(await _each([self._steps.one, self._aside.one]))

    async def _guarded(self, job: Callable[[], Awaitable[bool | None]], rounds: _Rounds) -> bool:
        """Never end because one round failed: the log gets type and place, and it is tried again later."""
        try:
            return bool(await job())
        except Exception as error:  # noqa: BLE001 - background work must outlive any fault
            frames = traceback.extract_tb(error.__traceback__)
            place = f"{frames[-1].name}:{frames[-1].lineno}" if frames else "?"
            if isinstance(error, StorageFullError) or is_full(error):  # the reserve's own sweep says so
                await asyncio.sleep(_AFTER_FULL)
                rounds.wanted.set()
                return False
            log.error("background work failed: %s at %s", type(error).__name__, place)  # noqa: TRY400 - a traceback may show content
            await asyncio.sleep(_AFTER_FAULT)
            rounds.wanted.set()
            return False


def _allocator() -> Callable[[int], int] | None:
    """The C library's word for giving unused memory back; only glibc has one."""
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return found


TRIM = _allocator()


async def give_memory_back() -> None:
    """Return what large answers left behind to the system: an idle collector should be small again."""
    if TRIM is not None:
        await asyncio.to_thread(TRIM, 0)


async def _each(jobs: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Run all of them: a fault in one keeps none of the others waiting, and is raised at the end."""
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
    """Wait for an event, or as long as that; ``wait_for`` could lose a cancellation that comes with the event."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
