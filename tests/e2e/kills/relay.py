"""Stands between recorder and collector and loses answers: the work is done, and the recorder never hears."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


class Relay:
    """Forwards to one port; a part of the answers is dropped with its connection."""

    def __init__(self, target: int, *, lose: float, seed: int) -> None:
        """``lose``: the part of all answers that is dropped."""
        self.port = 0
        self.lost = 0
        self.passed = 0
        self._target = target
        self._lose = lose
        self._random = random.Random(seed)  # noqa: S311 - a fault's dice, repeatable by its seed

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        """Listen until told to stop."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        forth = asyncio.create_task(_pump(reader, back))
        try:
            while data := await there.read(65536):
                if data.startswith(b"HTTP/1.1 ") and self._random.random() < self._lose:
                    self.lost += 1
                    break
                self.passed += 1
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            forth.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await forth
            writer.close()
            back.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.contextmanager
def relaying(target: int, *, lose: float, seed: int) -> Generator[Relay]:
    """A relay on a thread of its own."""
    relay, ready, loops = Relay(target, lose=lose, seed=seed), threading.Event(), list[asyncio.AbstractEventLoop]()
    stop = asyncio.Event()

    async def live() -> None:
        loops.append(asyncio.get_running_loop())
        await relay.serve(ready, stop)

    thread = threading.Thread(target=asyncio.run, args=(live(),), name="relay")
    thread.start()
    ready.wait()
    try:
        yield relay
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()
