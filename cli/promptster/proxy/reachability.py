"""Whether a provider can be reached through the proxy: one request, before a session starts."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from dataclasses import dataclass
from typing import assert_never

from promptster.network import Network
from promptster.proxy.limits import Timing
from promptster.proxy.observation import (
    DataMissed,
    ExchangeEnd,
    Observation,
    RequestData,
    RequestEnd,
    ResponseData,
    ResponseStart,
)
from promptster.proxy.reverse_proxy import LOOPBACK, ReverseProxy
from promptster.proxy.upstreams import Upstream


@dataclass(frozen=True, kw_only=True)
class Reachability:
    """Whether a provider can be reached through the proxy."""

    ok: bool
    """Whether the provider sent any HTTP response."""
    status: int | None
    """The status of that response."""
    reason: str
    """Why there was none, for people; empty if there was one."""


class _StatusObserver:
    """Keeps the outcome of the one request."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.reason = ""

    def observe(self, observation: Observation) -> None:
        match observation:
            case ResponseStart(status):
                self.status = status
            case ExchangeEnd(outcome, reason):
                self.reason = self.reason or (reason if outcome != "complete" else "")
            case RequestData() | RequestEnd() | ResponseData() | DataMissed():
                pass
            case _:
                assert_never(observation)


async def check_reachability(
    upstream: Upstream, network: Network | None = None, *, timeout_s: float = 20.0
) -> Reachability:
    """Send one request without credentials through a proxy of its own; any status proves that it was forwarded."""
    token = secrets.token_urlsafe(32)
    observer = _StatusObserver()
    proxy = ReverseProxy(
        token=token,
        upstreams={upstream.name: upstream},
        open_observer=lambda _info: observer,
        on_hook=lambda _agent, _payload: None,
        network=network,
        timing=Timing(connect_s=timeout_s * 0.75),
    )
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind((LOOPBACK, 0))
        port = sock.getsockname()[1]
        await proxy.serve(sock)
        try:
            async with asyncio.timeout(timeout_s):
                await _request(port, f"/{token}/{upstream.name}/")
        except TimeoutError:
            observer.reason = f"{upstream.host} did not answer in time"
        finally:
            await proxy.aclose()
    status = observer.status
    return Reachability(ok=status is not None, status=status, reason="" if status else observer.reason)


async def _request(port: int, target: str) -> None:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    head = f"GET {target} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nAccept: */*\r\nUser-Agent: promptster\r\n\r\n"
    try:
        writer.write(head.encode())
        await reader.readline()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
