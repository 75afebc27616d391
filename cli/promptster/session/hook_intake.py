"""Takes hook calls over: from the unix socket, and from the spool where they waited while nobody answered.

A hook process is answered before its payload is looked at, and the payload is taken only if the answer could be
written: ``promptster_hooks.frame`` says why that makes it exactly once. A spool file is removed only when what it told
is durable; should the recorder die in between, the times in the file tell that its events are in the journal already.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from promptster.session.accepting import accept_for_ever
from promptster_hooks import spool
from promptster_hooks.frame import ACK, FrameError, FrameReader

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from promptster.session.log import Log

_PIECE = 256 * 1024
_PATIENCE_S = 10.0


class HookSocket:
    """The receiving end of ``hooks.sock``."""

    def __init__(self, sock: socket.socket, take: Callable[[str, bytes], None], log: Log) -> None:
        """Hand each call to ``take`` as (agent, payload)."""
        self._sock, self._take, self._log = sock, take, log

    async def run(self) -> None:
        """Accept for ever. The socket stays open when this ends: it belongs to the supervisor."""
        await accept_for_ever(self._sock, self._receive, self._log, name="hook accept")

    async def _receive(self, connection: socket.socket) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                call = await self._read(connection)
            if call is not None and connection.send(ACK) == len(ACK):
                self._take(*call)
        except (OSError, TimeoutError, FrameError):
            pass  # the hook process keeps its call in the spool
        except Exception as error:  # noqa: BLE001 - one call's fault must not stop the next one
            self._log.fault("hook", error)
        finally:
            connection.close()

    @staticmethod
    async def _read(connection: socket.socket) -> tuple[str, bytes] | None:
        loop = asyncio.get_running_loop()
        reader = FrameReader()
        while piece := await loop.sock_recv(connection, _PIECE):
            call = reader.feed(piece)
            if call is not None:
                return call
        return None


class SpoolDrain:
    """Empties the spool folder."""

    def __init__(
        self,
        folder: Path,
        key: bytes,
        take: Callable[[str, bytes, tuple[int, int]], None],
        unreadable: Callable[[], None],
        *,
        recorded: frozenset[tuple[int, int]] = frozenset(),
    ) -> None:
        """Prepare the folder.

        Args:
            folder: the session's spool.
            key: under which its files are sealed; it is put into the folder for the hook processes.
            take: takes (agent, payload, (wall ms, monotonic ms)).
            unreadable: hears of files that cannot be read.
            recorded: times of hook events that the journal held at the start.
        """
        self._folder, self._key, self._take, self._unreadable = folder, key, take, unreadable
        self._recorded = recorded
        self._taken: list[str] = []
        self._prepared = self._prepare()

    @property
    def taken(self) -> bool:
        """Whether files wait for ``remove_taken``."""
        return bool(self._taken)

    def drain(self) -> int:
        """Take what waits, oldest first; how many calls that were."""
        self._prepared = self._prepared or self._prepare()
        count = 0
        for path in spool.waiting(str(self._folder)):
            if path in self._taken:
                continue
            self._taken.append(path)
            try:
                call = spool.read(path, self._key)
            except (OSError, spool.SpoolError):
                self._unreadable()
                continue
            times = (call.wall_ms, call.mono_ms)
            if times not in self._recorded:
                self._take(call.agent, call.payload, times)
                count += 1
        return count

    def remove_taken(self) -> None:
        """Remove the files whose events are durable by now."""
        for path in self._taken:
            Path(path).unlink(missing_ok=True)
        self._taken.clear()

    def _prepare(self) -> bool:
        """Make folder and key; a disk that refuses costs what hooks cannot leave there, never the recorder."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            spool.write_key(str(self._folder), self._key)
        except OSError:
            return False
        return True
