"""How connections to providers are opened: directly, or by a CONNECT tunnel through a corporate proxy."""

from __future__ import annotations

import asyncio
import base64
import errno
import re
import socket
import ssl
from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from promptster.errors import ConfigurationError, PromptsterError, reason_of
from promptster.network import PROXY_PORTS, Network
from promptster.proxy.upstreams import Upstream

_P = TypeVar("_P", bound=asyncio.Protocol)
_PROXY_HEAD_LIMIT: Final = 64 * 1024
_NUMBER = re.compile(r"\[Errno (\d{1,4})\]")
_PROXY_OK = re.compile(rb"HTTP/1\.[01] 2[0-9][0-9](?: |\r)")


class ProviderUnreachableError(PromptsterError):
    """A provider could not be reached; the message is the reason.

    ``code`` is one of dns, refused, tls, timeout, proxy and network.
    """

    default_code = "network"


def tls_context(network: Network) -> ssl.SSLContext:
    """A verifying context for HTTP/1.1 providers.

    Raises:
        ProviderUnreachableError: when a file of certificate authorities cannot be read.
    """
    try:
        context = network.tls_context()
    except ConfigurationError as error:
        raise ProviderUnreachableError(error.message, code="tls") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


class _Tunnel(asyncio.Protocol):
    """Asks a corporate proxy for a tunnel and waits for its response."""

    def __init__(self, request: bytes, opened: asyncio.Future[None]) -> None:
        """Send ``request`` once connected, and resolve ``opened``."""
        self._request = request
        self._opened = opened
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0 and len(self._head) <= _PROXY_HEAD_LIMIT:
            return
        line = self._head.partition(b"\r\n")[0].decode("latin-1")
        if not _PROXY_OK.match(self._head):
            self._fail(f"the proxy answered {line[:80]!r}")
        elif end + 4 != len(self._head):
            self._fail("the proxy sent data before the tunnel was used")
        elif not self._opened.done():
            self._opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the proxy closed the connection{f': {reason_for(exc)}' if exc else ''}")

    def _fail(self, reason: str) -> None:
        if not self._opened.done():
            self._opened.set_exception(ProviderUnreachableError(reason, code="proxy"))


def _tunnel_request(upstream: Upstream, proxy: SplitResult) -> bytes:
    host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
    lines = [f"CONNECT {host}:{upstream.port} HTTP/1.1", f"Host: {host}:{upstream.port}"]
    if proxy.username is not None:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
    return "\r\n".join([*lines, "", ""]).encode()


async def _through_proxy(
    factory: Callable[[], _P], upstream: Upstream, proxy: SplitResult, context: ssl.SSLContext, network: Network
) -> _P:
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[None] = loop.create_future()
    host, port = proxy.hostname or "", proxy.port or PROXY_PORTS[proxy.scheme]
    try:
        transport, _ = await loop.create_connection(
            lambda: _Tunnel(_tunnel_request(upstream, proxy), opened),
            host,
            port,
            ssl=tls_context(network) if proxy.scheme == "https" else None,
        )
    except OSError as exc:
        raise ProviderUnreachableError(f"the proxy {host}:{port}: {explain(exc, host).message}", code="proxy") from exc
    try:
        await opened
        protocol = factory()
        secured = await loop.start_tls(transport, protocol, context, server_hostname=upstream.host)
    except BaseException:
        transport.abort()
        raise
    if secured is None:
        raise ProviderUnreachableError("the connection was lost during the TLS handshake", code="tls")
    protocol.connection_made(secured)
    return protocol


def reason_for(exc: Exception) -> str:
    """Why a connection failed or ended, without error numbers."""
    if isinstance(exc, ssl.SSLError):
        return exc.reason or "the other side broke the TLS protocol"
    if isinstance(exc, OSError) and exc.errno:
        return reason_of(exc)
    several = _NUMBER.search(str(exc))  # asyncio puts the refusals of several addresses into one text
    return reason_of(OSError(int(several[1]), "")) if several else str(exc) or type(exc).__name__


def explain(exc: Exception, host: str) -> ProviderUnreachableError:
    """Why a connection failed, for a person who knows the network."""
    if isinstance(exc, ProviderUnreachableError):
        return exc
    match exc:
        case TimeoutError():
            code, text = "timeout", f"{host} did not answer in time"
        case socket.gaierror() | UnicodeError():
            code, text = "dns", f"the name {host} cannot be resolved (DNS)"
        case ssl.SSLCertVerificationError():
            code, text = "tls", f"the TLS certificate of {host} is not trusted: {exc.verify_message}"
        case ssl.SSLError():
            code, text = "tls", f"the TLS handshake with {host} failed: {reason_for(exc)}"
        case _ if isinstance(exc, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(exc):
            code, text = "refused", f"{host} refused the connection"
        case _:
            code, text = "network", f"{host} cannot be reached: {reason_for(exc)}"
    return ProviderUnreachableError(text, code=code)


async def connect(
    factory: Callable[[], _P],
    upstream: Upstream,
    network: Network,
    *,
    context: ssl.SSLContext | None,
    timeout_s: float,
) -> _P:
    """Open a connection to the upstream and return its protocol, connected.

    Args:
        factory: makes the protocol.
        upstream: what to connect to.
        network: whether to go through a corporate proxy, and which.
        context: from `tls_context`; needed for an https upstream.
        timeout_s: seconds until the connection is ready, TLS handshake included.

    Raises:
        ProviderUnreachableError: with the reason.
    """
    try:
        async with asyncio.timeout(timeout_s):
            proxy = network.proxy_for(upstream.base_url)
            if proxy is not None and context is not None:
                return await _through_proxy(factory, upstream, urlsplit(proxy), context, network)
            loop = asyncio.get_running_loop()
            _, protocol = await loop.create_connection(
                factory,
                upstream.host,
                upstream.port,
                ssl=context if upstream.tls else None,
                happy_eyeballs_delay=0.25,
            )
            return protocol
    except ConfigurationError as error:
        raise ProviderUnreachableError(error.message, code="proxy") from error
    except (OSError, ValueError, ProviderUnreachableError) as exc:
        raise explain(exc, upstream.host) from exc
