"""Why no answer came: a person reads plain words, never a library's text with numbers in it."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.helpers.certificates import make_server

from promptster.client import AsyncCollectorClient, CollectorClient, CollectorUnreachableError
from promptster.client.reasons import why_unreachable
from promptster.errors import PromptsterError, reason_of
from promptster.network import Network

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

JARGON = re.compile(r"Errno|\[|_ssl|0x|Error\b")


def said_by(url: str, network: Network | None = None) -> tuple[str, str]:
    """What a command prints about an address without an answer, and the hint."""
    client = CollectorClient(url, network=network, timeout=httpx.Timeout(0.2))
    with client, pytest.raises(CollectorUnreachableError) as caught:
        client.keys()
    assert caught.value.code == "collector_unreachable"
    assert not JARGON.search(f"{caught.value.message} {caught.value.hint}")
    return caught.value.message, caught.value.hint or ""


@contextmanager
def listening(context: ssl.SSLContext | None = None) -> Generator[int]:
    """A port that accepts; with a context it speaks TLS, without one it is silent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def serve() -> None:
            try:
                while True:
                    connection, _ = server.accept()
                    held.append(connection)
                    if context is not None:
                        try:
                            held.append(context.wrap_socket(connection, server_side=True))
                        except (ssl.SSLError, OSError):
                            connection.close()
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


def test_a_closed_port_is_a_refused_connection() -> None:
    """The message adds that nothing is lost."""
    message, hint = said_by("http://127.0.0.1:9")
    assert message == "cannot reach http://127.0.0.1:9: connection refused"
    assert "Nothing is lost" in hint


def test_the_recorder_says_the_same() -> None:
    """Its library tries several addresses at once and wraps every refusal."""

    async def ask() -> str:
        client = AsyncCollectorClient("http://127.0.0.1:9")
        try:
            with pytest.raises(CollectorUnreachableError) as caught:
                await client.keys()
        finally:
            await client.aclose()
        return caught.value.message

    assert asyncio.run(ask()) == "cannot reach http://127.0.0.1:9: connection refused"


def test_a_silent_server_times_out() -> None:
    """The connection succeeds, but no answer comes."""
    with listening() as port:
        assert said_by(f"http://127.0.0.1:{port}")[0].endswith(": timed out")


def test_an_unknown_authority_is_named_as_what_it_may_be(tmp_path: Path) -> None:
    """The message says how to name a company's own certificates; even if trusted, the name must match."""
    authority, context = make_server(tmp_path, "collector.example")
    with listening(context) as port:
        message, hint = said_by(f"https://127.0.0.1:{port}")
        assert "its certificate " in message
        assert "Someone may be intercepting" in hint
        assert "PROMPTSTER_CA_FILE" in hint
        trusting = Network(ca_files=(authority,))
        assert said_by(f"https://localhost:{port}", trusting)[0].endswith(
            ": its certificate is for a different host name"
        )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "name not found"),
        (httpx.ConnectTimeout("t"), "timed out"),
        (httpx.ProxyError("407 Proxy Authentication Required"), "the proxy refused the connection: 407 Proxy Authen"),
        (httpx.InvalidURL("x"), "the address is not valid"),
        (
            ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"),
            "a secure connection could not be established",
        ),
        (OSError(113, "No route to host"), "host unreachable"),
        (ConnectionResetError(104, "Connection reset by peer"), "the connection was cut"),
        (httpx.RemoteProtocolError("Server disconnected"), "the connection was cut"),
        (httpx.DecodingError("x"), "the server does not speak HTTP"),
        (RuntimeError("x"), "no answer"),
    ],
)
def test_every_kind_has_words(error: Exception, words: str) -> None:
    """This holds however deep the cause is wrapped."""
    told, hint = why_unreachable(error)
    assert told.startswith(words)
    assert hint.endswith(".")
    outer = httpx.ConnectError("[Errno 1] all attempts failed")
    outer.__cause__ = ExceptionGroup("several", [error])
    if isinstance(error, OSError):
        assert why_unreachable(outer)[0] == told
    assert not JARGON.search(told)


def test_a_system_error_has_a_reason_without_a_number() -> None:
    """This holds for files and sockets; our own errors have their own messages."""
    assert reason_of(PermissionError(13, "Permission denied")) == "permission denied"
    assert reason_of(OSError(28, "x")) == "disk full"
    assert reason_of(OSError("no number")) == "the system gave no reason"
    assert reason_of(PromptsterError("words of ours")) == "words of ours"
