"""The way to a provider: environment, TLS, corporate proxies."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.helpers.certificates import make_server
from tests.proxy.rig import Talk, provider, proxied

from promptster.network import Network
from promptster.proxy.connecting import ProviderUnreachableError, explain
from promptster.proxy.reachability import check_reachability
from promptster.proxy.upstreams import Upstream


async def _serve(talk: Talk) -> None:
    while True:
        head, body = await talk.request()
        await talk.answer(head.split(b"\r\n")[1] + b" " + body)


async def test_a_provider_behind_tls(tmp_path: Path) -> None:
    """With the authority's file the exchange works, is streamed, and its connection is used again."""
    ca_file, tls = make_server(tmp_path, "provider.test")
    network = Network(ca_files=(ca_file,))
    async with provider(_serve, tls=tls) as there, proxied(there.upstream(scheme="https"), network=network) as here:
        agent = await here.connect()
        for _ in range(3):
            await agent.ask(body=b"x" * 300_000)
            assert (await agent.answer())[1] == b"Host: 127.0.0.1:%d " % there.port + b"x" * 300_000
        assert there.connections == 1


@pytest.mark.parametrize("reset", [False, True])
async def test_a_stream_behind_tls_is_cut_as_such(tmp_path: Path, *, reset: bool) -> None:
    """A TLS connection that ends in the middle does not count as a proper end."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await told.wait()
        if reset:
            talk.reset()
        else:
            talk.close()

    told = asyncio.Event()
    ca_file, tls = make_server(tmp_path, "provider.test")
    network = Network(ca_files=(ca_file,))
    async with provider(script, tls=tls) as there, proxied(there.upstream(scheme="https"), network=network) as here:
        agent = await here.connect()
        await agent.ask()
        await agent.reader.readuntil(b"half\r\n")
        told.set()
        with contextlib.suppress(ConnectionResetError):
            assert await agent.rest() == b""
        assert (await here.settled()).outcome == "cut_by_provider"


async def test_an_unknown_authority_is_named(tmp_path: Path) -> None:
    """Without the authority's file the provider cannot be reached, and the reason is the certificate."""
    _, tls = make_server(tmp_path, "provider.test")
    async with provider(_serve, tls=tls) as there:
        check = await check_reachability(there.upstream(scheme="https"))
        assert not check.ok
        assert "the TLS certificate of 127.0.0.1 is not trusted" in check.reason


async def test_a_provider_that_speaks_no_tls_is_named() -> None:
    """A failed handshake has its own reason."""

    async def script(talk: Talk) -> None:
        await talk.reader.read(1)
        await talk.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with provider(script) as there:
        check = await check_reachability(there.upstream(scheme="https"))
        assert not check.ok
        assert "TLS handshake" in check.reason


async def test_an_unreadable_certificate_file_is_named(tmp_path: Path) -> None:
    """A setting that cannot work is reported when it is used."""
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing")
    for file in (broken, tmp_path / "absent.pem"):
        check = await check_reachability(Upstream("anthropic", "https://127.0.0.1:1"), Network(ca_files=(file,)))
        assert str(file) in check.reason


ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
Script = Callable[[Talk], Awaitable[None]]


def _proxy(port: int, asked: list[bytes], answer: bytes = ESTABLISHED) -> Script:
    """A script for a proxy with CONNECT that leads every tunnel to ``port``."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():  # TLS has no half-closed connections
            writer.write_eof()

    async def script(talk: Talk) -> None:
        asked.append(await talk.head())
        await talk.send(answer)
        if b" 200 " not in answer:
            return
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            with contextlib.suppress(OSError):
                await asyncio.gather(pump(talk.reader, writer), pump(reader, talk.writer))
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    return script


@pytest.mark.parametrize("secured", [False, True])
async def test_a_provider_behind_a_corporate_proxy(tmp_path: Path, *, secured: bool) -> None:
    """The proxy is asked for a tunnel with its credentials, and cannot read the TLS inside. It may use TLS too."""
    asked: list[bytes] = []
    ca_file, tls = make_server(tmp_path, "provider.test")
    between_tls = tls if secured else None
    async with provider(_serve, tls=tls) as there, provider(_proxy(there.port, asked), tls=between_tls) as between:
        url = f"http{'s' * secured}://us%40er:p%3Ass@127.0.0.1:{between.port}"
        network = Network(proxy_url=url, ca_files=(ca_file,))
        upstream = Upstream("anthropic", "https://provider.test/base")
        async with proxied(upstream, network=network) as here:
            agent = await here.connect()
            for _ in range(3):
                await agent.ask(body=b"x" * 100_000)
                assert (await agent.answer())[1] == b"Host: provider.test " + b"x" * 100_000
            credentials = base64.b64encode(b"us@er:p:ss")
            assert asked == [
                b"CONNECT provider.test:443 HTTP/1.1\r\nHost: provider.test:443\r\n"
                b"Proxy-Authorization: Basic %s\r\n\r\n" % credentials
            ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "407 Proxy Authentication"),
        (b"nonsense\r\n\r\n", "nonsense"),
        (b"HTTP/1.1 200 OK\r\n\r\nearly", "sent data before"),
        (b"HTTP/1.1 200 OK\r\n", "closed the connection"),
        (b"x" * 70_000, "the proxy answered"),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_is_named(answer: bytes, reason: str) -> None:
    """The proxy's own words are the reason that the agent and the path check get."""

    async def script(talk: Talk) -> None:
        await talk.head()
        await talk.send(answer)

    async with provider(script) as between:
        network = Network(proxy_url=f"http://127.0.0.1:{between.port}")
        check = await check_reachability(Upstream("anthropic", "https://provider.test"), network)
        assert not check.ok
        assert reason in check.reason


async def test_a_proxy_that_is_not_there_is_named() -> None:
    """The proxy's address is part of the reason, so that nobody suspects the provider."""
    async with provider(_serve) as gone:
        port = gone.port
    check = await check_reachability(
        Upstream("anthropic", "https://provider.test"), Network(proxy_url=f"http://u:p@127.0.0.1:{port}")
    )
    assert f"the proxy 127.0.0.1:{port}: 127.0.0.1 refused the connection" in check.reason


async def test_a_certificate_for_another_name_is_refused_through_a_tunnel(tmp_path: Path) -> None:
    """A proxy cannot connect us to another host."""
    ca_file, tls = make_server(tmp_path, "other.test")
    async with provider(_serve, tls=tls) as there, provider(_proxy(there.port, [])) as between:
        network = Network(proxy_url=f"http://127.0.0.1:{between.port}", ca_files=(ca_file,))
        check = await check_reachability(Upstream("anthropic", "https://provider.test"), network)
        assert "the TLS certificate of provider.test is not trusted" in check.reason


@pytest.mark.parametrize(
    ("exc", "code", "text"),
    [
        (socket.gaierror(-2, "Name or service not known"), "dns", "the name h.example cannot be resolved"),
        (UnicodeError("label too long"), "dns", "the name h.example cannot be resolved"),
        (TimeoutError(), "timeout", "did not answer in time"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "refused", "refused the connection"),
        (
            OSError(f"Multiple exceptions: [Errno {errno.ECONNREFUSED}] Connect call failed ('::1', 1), ..."),
            "refused",
            "refused",
        ),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "network", "no network"),
        (OSError(errno.ETIMEDOUT, "Connect call failed ('192.0.2.1', 1)"), "timeout", "did not answer in time"),
        (
            OSError(f"Multiple exceptions: [Errno {errno.ENETUNREACH}] x, [Errno {errno.EHOSTUNREACH}] y"),
            "network",
            "no network",
        ),
        (OSError(), "network", "OSError"),
        (ProviderUnreachableError("x", code="proxy"), "proxy", "x"),
    ],
)
def test_reasons_are_words(exc: Exception, code: str, text: str) -> None:
    """Each kind of failure has a code for scripts and a text for people."""
    explained = explain(exc, "h.example")
    assert explained.code == code
    assert text in explained.message
    assert "Errno" not in explained.message


async def test_a_provider_that_never_finishes_its_handshake_times_out() -> None:
    """Reaching a provider takes a limited time."""

    async def script(talk: Talk) -> None:
        await talk.reader.read()

    async with provider(script) as there:
        check = await check_reachability(there.upstream(scheme="https"), timeout_s=0.2)
        assert "did not answer in time" in check.reason


@pytest.mark.parametrize("told", [False, True])
async def test_an_open_answer_behind_tls_ends_with_the_word_for_it(tmp_path: Path, *, told: bool) -> None:
    """An answer that ends with its connection is complete only if TLS says that it ended (RFC 9112, 8 and 9.8).

    Anyone on the way can close a connection; the agent then must not get the end that means a whole answer.
    """

    async def script(talk: Talk) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 200 OK\r\n\r\nto the end")
        await passed.wait()
        if not told:
            talk.writer.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        talk.close()

    passed = asyncio.Event()
    ca_file, tls = make_server(tmp_path, "provider.test")
    network = Network(ca_files=(ca_file,))
    async with provider(script, tls=tls) as there, proxied(there.upstream(scheme="https"), network=network) as here:
        agent = await here.connect()
        await agent.ask(method=b"GET")
        await agent.reader.readuntil(b"to the end")
        passed.set()
        if told:
            assert await agent.rest() == b""
        else:
            with pytest.raises(ConnectionResetError):
                await agent.rest()
        assert (await here.settled()).outcome == ("complete" if told else "cut_by_provider")


async def test_a_proxy_that_cannot_be_used_is_a_reason() -> None:
    """An agent whose provider would have to be reached through it gets a message that names it."""
    network = Network(proxy_fault="ALL_PROXY names a SOCKS proxy")
    upstream = Upstream("anthropic", "https://provider.test")
    check = await check_reachability(upstream, network)
    assert not check.ok
    assert check.reason.endswith("ALL_PROXY names a SOCKS proxy, and provider.test is reached through it")
