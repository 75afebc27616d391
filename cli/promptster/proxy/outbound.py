"""How the proxy reaches providers: directly or through a corporate proxy, with which certificate authorities."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import re
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from promptster.errors import ConfigurationError, PromptsterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptster.proxy.upstreams import Upstream

_P = TypeVar("_P", bound=asyncio.Protocol)
_PROXY_HEAD_LIMIT: Final = 64 * 1024
_PROXY_PORTS: Final = {"http": 80, "https": 443}
_PROXY_OK = re.compile(rb"HTTP/1\.[01] 2[0-9][0-9](?: |\r)")


class UnreachableError(PromptsterError):
    """A provider could not be reached; the message is the reason.

    ``code`` is one of dns, refused, tls, timeout, proxy and network.
    """

    default_code = "network"


def _system_context() -> ssl.SSLContext:
    """A verifying context with the system's authorities, or with a bundled list where the system keeps none."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile or paths.capath:
        return ssl.create_default_context()
    from httpx import create_ssl_context  # noqa: PLC0415 - heavy, and hardly ever needed

    return create_ssl_context(trust_env=False)


def _no_proxy_entry(entry: str, host: str, port: int) -> bool:
    """Whether one entry of NO_PROXY covers this host."""
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        pass
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdigit() and not name.endswith(":"):
        if int(wanted) != port:
            return False
        entry = name
    entry = entry.strip("[]").removeprefix("*").removeprefix(".")
    return bool(entry) and (host == entry or host.endswith("." + entry))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, kw_only=True)
class Outbound:
    """The network settings of the candidate's machine."""

    proxy_url: str | None = field(default=None, repr=False)
    """``http://[user:password@]host[:port]`` or ``https://...`` of a proxy that understands CONNECT."""
    no_proxy: tuple[str, ...] = ()
    """Hosts reached directly: names with their subdomains, addresses, networks in CIDR form, or ``*``."""
    ca_file: Path | None = None
    """PEM file with certificate authorities that are trusted besides the system's."""
    extra_ca_file: Path | None = None
    """A second such file."""

    def proxy_for(self, upstream: Upstream) -> SplitResult | None:
        """The proxy that stands between us and this upstream; none for plain HTTP and for this machine itself."""
        if not self.proxy_url or not upstream.tls or _is_loopback(upstream.host):
            return None
        if any(_no_proxy_entry(entry, upstream.host.lower(), upstream.port) for entry in self.no_proxy):
            return None
        return urlsplit(self.proxy_url)

    def tls_context(self) -> ssl.SSLContext:
        """A verifying context for TLS 1.2 or newer.

        Raises:
            UnreachableError: when a file of certificate authorities cannot be read.
        """
        context = _system_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        for file in (self.ca_file, self.extra_ca_file):
            if file is None:
                continue
            try:
                context.load_verify_locations(file)
            except (OSError, ssl.SSLError) as exc:
                raise UnreachableError(f"the certificates in {file} cannot be read: {exc}", code="tls") from exc
        return context


def _proxy_url(text: str) -> str:
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _PROXY_PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(
            "HTTPS_PROXY names a proxy that cannot be used", hint="use http://host:port of a proxy with CONNECT"
        )
    return url


def outbound_from_environment(env: Mapping[str, str]) -> Outbound:
    """Read HTTPS_PROXY, ALL_PROXY, NO_PROXY (lower case first), SSL_CERT_FILE and NODE_EXTRA_CA_CERTS.

    Raises:
        ConfigurationError: when the proxy's URL cannot be used.
    """

    def first(*names: str) -> str:
        return next((env[name].strip() for name in names if env.get(name, "").strip()), "")

    proxy = first("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    entries = re.split(r"[,\s]+", first("no_proxy", "NO_PROXY").lower())
    ca, extra = first("SSL_CERT_FILE"), first("NODE_EXTRA_CA_CERTS")
    return Outbound(
        proxy_url=_proxy_url(proxy) if proxy else None,
        no_proxy=tuple(entry for entry in entries if entry),
        ca_file=Path(ca) if ca else None,
        extra_ca_file=Path(extra) if extra else None,
    )


class _Tunnel(asyncio.Protocol):
    """Asks a proxy for a tunnel and waits for its word."""

    def __init__(self, ask: bytes, opened: asyncio.Future[None]) -> None:
        """Send ``ask`` once connected; settle ``opened``."""
        self._ask = ask
        self._opened = opened
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(self._ask)

    def data_received(self, data: bytes) -> None:
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0 and len(self._head) <= _PROXY_HEAD_LIMIT:
            return
        line = self._head.partition(b"\r\n")[0].decode("latin-1")
        if not _PROXY_OK.match(self._head):
            self._fail(f"the proxy answered {line[:80]!r}")
        elif end + 4 != len(self._head):
            self._fail("the proxy spoke before the tunnel was used")
        elif not self._opened.done():
            self._opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the proxy closed the connection{f': {exc}' if exc else ''}")

    def _fail(self, reason: str) -> None:
        if not self._opened.done():
            self._opened.set_exception(UnreachableError(reason, code="proxy"))


def _tunnel_request(upstream: Upstream, proxy: SplitResult) -> bytes:
    host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
    lines = [f"CONNECT {host}:{upstream.port} HTTP/1.1", f"Host: {host}:{upstream.port}"]
    if proxy.username is not None:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
    return "\r\n".join([*lines, "", ""]).encode()


async def _through_proxy(
    factory: Callable[[], _P], upstream: Upstream, proxy: SplitResult, context: ssl.SSLContext, outbound: Outbound
) -> _P:
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[None] = loop.create_future()
    host, port = proxy.hostname or "", proxy.port or _PROXY_PORTS[proxy.scheme]
    try:
        transport, _ = await loop.create_connection(
            lambda: _Tunnel(_tunnel_request(upstream, proxy), opened),
            host,
            port,
            ssl=outbound.tls_context() if proxy.scheme == "https" else None,
        )
    except OSError as exc:
        raise UnreachableError(f"the proxy {host}:{port}: {explain(exc, host).message}", code="proxy") from exc
    try:
        await opened
        protocol = factory()
        secured = await loop.start_tls(transport, protocol, context, server_hostname=upstream.host)
    except BaseException:
        transport.abort()
        raise
    if secured is None:
        raise UnreachableError("the connection was lost during the TLS handshake", code="tls")
    protocol.connection_made(secured)
    return protocol


def explain(exc: Exception, host: str) -> UnreachableError:
    """The reason of a failed connection in words, for people who know their network."""
    if isinstance(exc, UnreachableError):
        return exc
    match exc:
        case TimeoutError():
            code, text = "timeout", f"{host} did not answer in time"
        case socket.gaierror() | UnicodeError():
            code, text = "dns", f"the name {host} cannot be resolved (DNS)"
        case ssl.SSLCertVerificationError():
            code, text = "tls", f"the TLS certificate of {host} is not trusted: {exc.verify_message}"
        case ssl.SSLError():
            code, text = "tls", f"the TLS handshake with {host} failed: {exc.reason or exc}"
        case _ if isinstance(exc, ConnectionRefusedError) or "Connect call failed" in str(exc):
            code, text = "refused", f"{host} refused the connection"
        case _:
            code, text = "network", f"{host} cannot be reached: {str(exc) or type(exc).__name__}"
    return UnreachableError(text, code=code)


async def dial(
    factory: Callable[[], _P],
    upstream: Upstream,
    outbound: Outbound,
    *,
    context: ssl.SSLContext | None,
    timeout_s: float,
) -> _P:
    """Open a connection to the upstream and return its protocol, connected.

    Args:
        factory: makes the protocol.
        upstream: where to.
        outbound: which way.
        context: the outbound's TLS context; needed for an https upstream.
        timeout_s: seconds for everything up to the end of the TLS handshake.

    Raises:
        UnreachableError: with the reason.
    """
    try:
        async with asyncio.timeout(timeout_s):
            proxy = outbound.proxy_for(upstream)
            if proxy is not None and context is not None:
                return await _through_proxy(factory, upstream, proxy, context, outbound)
            loop = asyncio.get_running_loop()
            _, protocol = await loop.create_connection(
                factory,
                upstream.host,
                upstream.port,
                ssl=context if upstream.tls else None,
                happy_eyeballs_delay=0.25,
            )
            return protocol
    except (OSError, ValueError, UnreachableError) as exc:
        raise explain(exc, upstream.host) from exc
