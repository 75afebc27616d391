"""How a connection is closed, over real loopback connections."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from tests.proxy.rig import until

from promptster.proxy.closing import all_sent, reset_on_close

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@asynccontextmanager
async def _connected() -> AsyncGenerator[tuple[asyncio.Transport, socket.socket]]:
    """One side as a transport, the other as a blocking socket: two ends of one connection."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as ours:
        ours.connect(server.getsockname())
        ours.setblocking(False)
        theirs, _ = server.accept()
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        with theirs:
            yield transport, theirs
        if not transport.is_closing():
            transport.abort()
        await until(lambda: ours.fileno() == -1)


def _read_all(sock: socket.socket) -> int:
    count = 0
    while part := sock.recv(65536):
        count += len(part)
    return count


async def test_a_reset_is_no_proper_end() -> None:
    """After a reset was chosen the other side sees one, and not the end of the stream."""
    async with _connected() as (transport, theirs):
        reset_on_close(transport, on=True)
        transport.close()
        with pytest.raises(ConnectionResetError):
            await asyncio.to_thread(theirs.recv, 1)


async def test_a_reset_can_be_taken_back() -> None:
    """After the opposite choice the connection is closed properly, and everything arrives."""
    async with _connected() as (transport, theirs):
        reset_on_close(transport, on=True)
        reset_on_close(transport, on=False)
        transport.write(b"x" * 100_000)
        transport.close()
        assert await asyncio.to_thread(_read_all, theirs) == 100_000


async def test_everything_is_sent_once_the_other_side_has_read() -> None:
    """Bytes in the proxy's buffer or in the system's do not count as sent."""
    async with _connected() as (transport, theirs):
        assert all_sent(transport)
        transport.write(b"x" * 16_000_000)
        assert not all_sent(transport)
        transport.write_eof()
        assert await asyncio.to_thread(_read_all, theirs) == 16_000_000
        await until(lambda: all_sent(transport))
