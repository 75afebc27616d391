"""Accepts connections on a unix socket that the supervisor keeps open, and serves each in its own task."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from promptster.private import peer_uid

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

    from promptster.recorder.process_log import Log

_PAUSE_S = 0.1


async def accept_for_ever(
    sock: socket.socket, serve: Callable[[socket.socket], Coroutine[None, None, None]], log: Log, *, name: str
) -> None:
    """Run ``serve`` for every connection, each in its own task, until cancelled.

    The socket stays open afterwards, because it belongs to the supervisor. If accepting fails, the fault is logged
    under ``name`` and accepting resumes a moment later. Connections of other users are closed at once.
    """
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    running: set[asyncio.Task[None]] = set()
    while True:
        try:
            connection, _ = await loop.sock_accept(sock)
        except OSError as error:
            log.fault(name, error)
            await asyncio.sleep(_PAUSE_S)
            continue
        if peer_uid(connection) != os.geteuid():
            log.write("stranger", at=name)
            connection.close()
            continue
        connection.setblocking(False)
        task = asyncio.create_task(serve(connection))
        running.add(task)
        task.add_done_callback(running.discard)
