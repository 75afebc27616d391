"""Accepting connections on a unix socket that a supervisor keeps open, one task for each."""

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
    """Hand every connection to ``serve``, in a task of its own; ends only by being cancelled.

    The socket stays open then: it belongs to the supervisor. A fault of accepting is logged under ``name``, and
    accepting goes on a moment later. Whoever is not this user is cut off without a word.
    """
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    under_way: set[asyncio.Task[None]] = set()
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
        under_way.add(task)
        task.add_done_callback(under_way.discard)
