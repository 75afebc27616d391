"""A company's proxy that opens TLS and plays the internet: it serves a scripted provider under a provider's own name.

Programs that honour HTTPS_PROXY and a custom certificate authority then reach a provider at its usual address, and
nothing leaves this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.helpers.certificates import make_server

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_PIECE = 65536


class CorporateProxy:
    """Answers CONNECT for one host name; every other host is refused."""

    def __init__(self, folder: Path, host: str, target: str) -> None:
        """Make a certificate authority.

        Args:
            folder: where the authority's file is put.
            host: the name that is served, at port 443.
            target: ``http://127.0.0.1:PORT`` of the server that answers for it.
        """
        self._served = f"{host}:443"
        self._target = urlsplit(target)
        self.ca_file, self._context = make_server(folder, host)
        self.refused: list[str] = []
        """``host:port`` of everything else that was asked for."""
        self.url = ""
        """What HTTPS_PROXY says."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of a machine that uses this proxy."""
        return {"HTTPS_PROXY": self.url, "NODE_EXTRA_CA_CERTS": str(self.ca_file), "NO_PROXY": "127.0.0.1"}

    @contextlib.contextmanager
    def running(self) -> Generator[CorporateProxy]:
        """Serve from a thread of its own until the block ends."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="corporate-proxy")
        thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), loop).result()
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(_end(server), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _serve(self, client: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await client.readuntil(b"\r\n\r\n")
            wanted = head.split(b" ")[1].decode()
            if not head.startswith(b"CONNECT ") or wanted != self._served:
                self.refused.append(wanted)
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
            else:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await writer.start_tls(self._context)
                server, to_server = await asyncio.open_connection(self._target.hostname, self._target.port)
                with contextlib.closing(to_server):
                    await asyncio.gather(_copy(client, to_server), _copy(server, writer))
        writer.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Copy bytes until the stream ends, and end the other stream too."""
    with contextlib.suppress(OSError):
        while data := await source.read(_PIECE):
            sink.write(data)
            await sink.drain()
    sink.close()


async def _end(server: asyncio.Server) -> None:
    """Close everything and wait until every connection's task is over."""
    server.close()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
