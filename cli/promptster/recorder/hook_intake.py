"""Receives hook calls from the unix socket, over HTTP, and from the spool that holds calls nobody could answer.

A call is written to the spool before its sender is answered, and the file is removed once the call's events are
durable. So an answer always means that the call is recorded or will be: a recorder that was killed in between finds the
file at its next start, and the call's times show whether the journal already holds its events. No two calls have the
same times: a file left by a hook process gets unique times, in its name, before capture sees it. The file is not synced
to the drive, because the agent is waiting for the answer; the gap that the next start records covers what a power loss
destroys. ``promptster_hooks.frame`` defines how the answer decides which side owns a call.
"""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from promptster.recorder.spool_key import write_spool_key
from promptster.recorder.unix_accept import accept_for_ever
from promptster_hooks import spool
from promptster_hooks.frame import ACK, FrameError, FrameReader

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Collection

    from promptster.clock import Clock
    from promptster.recorder.process_log import Log

_PIECE = 256 * 1024
_PATIENCE_S = 10.0
_CLAIMED = f"{spool.CLAIM}0"


class HookSocket:
    """The receiving end of ``hooks.sock``."""

    def __init__(self, sock: socket.socket, intake: HookIntake, log: Log) -> None:
        """Pass each call to ``intake``."""
        self._sock, self._intake, self._log = sock, intake, log

    async def run(self) -> None:
        """Accept connections until cancelled; the socket then stays open, as it belongs to the supervisor."""
        await accept_for_ever(self._sock, self._receive, self._log, name="hook accept")

    async def _receive(self, connection: socket.socket) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                call = await self._read(connection)
            if call is not None:
                self._answer(connection, self._intake.write_down(*call))
        except (OSError, TimeoutError, FrameError):
            pass  # the hook process keeps its call in the spool
        except Exception as error:  # noqa: BLE001 - one call's fault must not stop the next one
            self._log.fault("hook", error)
        finally:
            connection.close()

    def _answer(self, connection: socket.socket, call: HookCall) -> None:
        answered = False
        try:
            answered = connection.send(ACK) == len(ACK)
        finally:
            if answered:
                self._intake.take(call)
            else:
                self._intake.give_back(call)

    @staticmethod
    async def _read(connection: socket.socket) -> tuple[str, bytes] | None:
        loop = asyncio.get_running_loop()
        reader = FrameReader()
        while piece := await loop.sock_recv(connection, _PIECE):
            call = reader.feed(piece)
            if call is not None:
                return call
        return None


@dataclass(frozen=True, kw_only=True)
class HookCall:
    """One hook call that has been written to the spool."""

    agent: str
    payload: bytes
    times: tuple[int, int]
    """Wall and monotonic milliseconds of its arrival."""
    path: str
    """Its file; empty if the call could not, or must not, be written."""


class HookIntake:
    """Passes every hook call to capture, and keeps it in the spool folder until its events are durable."""

    def __init__(
        self,
        folder: Path,
        key: bytes,
        take: Callable[[str, bytes, tuple[int, int]], None],
        unreadable: Callable[[], None],
        *,
        clock: Clock,
        wanted: Callable[[], bool] = lambda: True,
        recorded: frozenset[tuple[int, int]] = frozenset(),
    ) -> None:
        """Prepare the folder.

        Args:
            folder: the session's spool.
            key: seals the spool's files; it is written into the folder for the hook processes.
            take: receives (agent, payload, (wall ms, monotonic ms)).
            unreadable: called for each file that cannot be read.
            clock: timestamps arriving calls.
            wanted: whether agents are being recorded now; other calls are never written to disk.
            recorded: times of the hook events that the journal held at the start.
        """
        self._folder, self._key, self._take, self._unreadable = folder, key, take, unreadable
        self._clock, self._wanted = clock, wanted
        self._recorded = recorded
        self._used = set(recorded)
        """Times that are already assigned to a call."""
        self._taken: dict[str, tuple[int, int]] = {}
        """Files whose calls were passed to capture, with their times."""
        self._written: set[str] = set()
        """Files of calls whose senders have not been answered yet."""
        self._due: tuple[int, list[str]] = (0, [])
        """Files to remove, and the number of events that must be durable before that."""
        self._last_mono = 0
        self._prepared = self._prepare()

    def receive(self, agent: str, payload: bytes) -> None:
        """Write a call to the spool and pass it to capture; after that its sender may be answered."""
        self.take(self.write_down(agent, payload))

    def write_down(self, agent: str, payload: bytes) -> HookCall:
        """Write a call that just arrived to the spool; ``take`` or ``give_back`` must follow.

        If the disk fails, the call is held in memory as events are, and the status and the recording show that.
        """
        times = self._unused(self._clock.wall_ms(), max(self._clock.mono_ms(), self._last_mono + 1))
        self._last_mono = times[1]
        path = ""
        if self._wanted():
            with suppress(OSError):
                path = spool.write(str(self._folder), self._key, agent, payload, times, mark=_CLAIMED)
                self._written.add(path)
        return HookCall(agent=agent, payload=payload, times=times, path=path)

    def take(self, call: HookCall) -> None:
        """Pass a call to capture; its sender was answered, or certainly will be."""
        self._written.discard(call.path)
        if call.path:
            self._taken[call.path] = call.times
        self._take(call.agent, call.payload, call.times)

    def give_back(self, call: HookCall) -> None:
        """Drop a call whose sender could not be answered; the sender keeps it."""
        self._written.discard(call.path)
        if call.path:
            Path(call.path).unlink(missing_ok=True)

    def drain(self) -> int:
        """Take the calls in the spool and return how many: first those that an earlier run claimed, then by age."""
        self._prepared = self._prepared or self._prepare()
        count = 0
        for path in sorted(spool.waiting(str(self._folder)), key=lambda path: spool.claimed(path) is None):
            if path in self._taken or path in self._written:
                continue
            try:
                call = spool.read(path, self._key)
            except (OSError, spool.SpoolError):
                self._taken[path] = (0, 0)
                self._unreadable()
                continue
            count += self._take_spooled(path, call)
        return count

    def _take_spooled(self, path: str, call: spool.Spooled) -> bool:
        """Take one call from the spool unless the journal holds it; return whether it was taken."""
        later = spool.claimed(path)
        if later is None:
            times = self._unused(call.wall_ms, call.mono_ms)
            try:
                path = spool.claim(path, times[1] - call.mono_ms)
            except OSError:  # it stays in the spool
                self._used.discard(times)
                return False
        else:
            times = call.wall_ms, call.mono_ms + later
            self._used.add(times)
        self._taken[path] = times
        if later is not None and times in self._recorded:
            return False
        self._take(call.agent, call.payload, times)
        return True

    def _unused(self, wall_ms: int, mono_ms: int) -> tuple[int, int]:
        """Reserve and return these times, or the next ones that no call has."""
        while (wall_ms, mono_ms) in self._used:
            mono_ms += 1
        self._used.add((wall_ms, mono_ms))
        return wall_ms, mono_ms

    def settle(self, waiting: Collection[tuple[int, int]], *, recorded: int, durable: int) -> None:
        """Remove files whose events have become durable. Call it regularly: it does not wait for the disk.

        Args:
            waiting: times of the calls that capture still holds.
            recorded: the number of events so far.
            durable: how many of them are durable.
        """
        needed, paths = self._due
        if durable >= needed:
            self.remove(paths)
            self._due = recorded, self.captured_files(waiting)

    def captured_files(self, waiting: Collection[tuple[int, int]] = ()) -> list[str]:
        """The files of the calls that were passed to capture, except those with the ``waiting`` times."""
        return [path for path, times in self._taken.items() if times not in waiting]

    def remove(self, paths: Collection[str]) -> None:
        """Remove files whose events are durable."""
        for path in paths:
            Path(path).unlink(missing_ok=True)
            self._taken.pop(path, None)

    def end(self) -> None:
        """Delete the folder after the session, so that hooks of agents that still run leave no calls in it."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _prepare(self) -> bool:
        """Create the folder and the key; return whether that worked. The recorder also works without the spool."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_spool_key(self._folder, self._key)
        except OSError:
            return False
        return True
