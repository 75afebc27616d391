"""Below the application: raw bytes on a socket of a real collector, and its answers."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPResponse

import pytest
import uvicorn
from tests.helpers.asgi import read_and_answer
from tests.helpers.collector import RunningCollector, collector

from promptster_collector.http_connection import MAX_FIELDS, MAX_HEAD, HttpConnection

HOST = b"Host: collector\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    """One collector for all of these tests."""
    with collector(tmp_path_factory.mktemp("connections")) as made:
        yield made


def exchange(running: RunningCollector, *parts: bytes) -> tuple[HTTPResponse, bytes]:
    """Send these bytes, one part after another; returns the answer with its body."""
    with closing(socket.create_connection(("127.0.0.1", running.port), timeout=30)) as connection:
        for part in parts:
            connection.sendall(part)
        answer = HTTPResponse(connection)
        answer.begin()
        return answer, answer.read()


def refused(running: RunningCollector, status: int, code: str, *parts: bytes) -> HTTPResponse:
    """Check that the answer is this problem, closes the connection, and has the headers of every answer."""
    answer, body = exchange(running, *parts)
    problem = json.loads(body)
    assert (answer.status, problem["status"], problem["code"]) == (status, status, code)
    assert answer.getheader("content-type") == "application/problem+json"
    assert answer.getheader("x-content-type-options") == "nosniff"
    assert answer.getheader("cache-control") == "no-store"
    assert answer.getheader("connection") == "close"
    return answer


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x00\xa5 hello\r\n\r\n",
        b"gEt /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n",
        b"POST /v1/tokens HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/tokens HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        b"POST /v1/tokens HTTP/1.1\r\n" + HOST + b"Content-Length: -4\r\n\r\nabcd",
        b"POST /v1/tokens HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["tls", "method", "http2", "connect", "target", "two lengths", "lengths differ", "negative", "chunk"],
)
def test_what_is_not_http_is_a_problem_document(running: RunningCollector, sent: bytes) -> None:
    """Bytes that no parser accepts are answered with a problem document."""
    refused(running, 400, "invalid_http", sent)


def test_a_head_is_bounded_in_one_piece(running: RunningCollector) -> None:
    """One field, the target or the number of fields over the limit is refused, even if all arrives at once."""
    start = b"GET /healthz HTTP/1.1\r\n" + HOST
    refused(running, 431, "head_too_large", start + b"x: " + b"a" * MAX_HEAD + b"\r\n\r\n")
    refused(running, 431, "head_too_large", start + b"x: a\r\n" * MAX_FIELDS + b"\r\n")
    refused(running, 431, "head_too_large", b"GET /" + b"a" * MAX_HEAD + b" HTTP/1.1\r\n" + HOST + b"\r\n")


def test_a_head_without_an_end_is_refused(running: RunningCollector) -> None:
    """A head that never ends is refused when it passes the limit, and is not read any further."""
    start = b"GET /healthz HTTP/1.1\r\n" + HOST + b"x: "
    refused(running, 431, "head_too_large", start, b"a" * (MAX_HEAD // 2), b"a" * (MAX_HEAD // 2))


def test_a_large_head_within_the_limit_is_taken(running: RunningCollector) -> None:
    """The limit is as large as stated, and applies to each request of a connection separately."""
    field = b"x: " + b"a" * (MAX_HEAD - 1000) + b"\r\n"
    request = b"GET /healthz HTTP/1.1\r\nHost: collector\r\n" + field + b"\r\n"
    with closing(socket.create_connection(("127.0.0.1", running.port), timeout=30)) as connection:
        for _ in range(3):
            connection.sendall(request)
            answer = HTTPResponse(connection)
            answer.begin()
            assert (answer.status, json.loads(answer.read())["status"]) == (200, "ok")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/schema/nothing", 404, "not_found"),
        ("GET", "/schema/nothing.json", 404, "not_found"),
        ("GET", "/%ff%00", 404, "not_found"),
        ("PATCH", "/v1/me", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/me", 405, "method_not_allowed"),
        ("TRACE", "/v1/me", 405, "method_not_allowed"),
    ],
)
def test_what_no_route_takes(running: RunningCollector, method: str, path: str, status: int, code: str) -> None:
    """Unknown paths and methods get problem documents too, and a wrong method gets the allowed ones."""
    answer, body = exchange(running, f"{method} {path} HTTP/1.1\r\n".encode() + HOST + b"\r\n")
    assert answer.status == status
    assert answer.getheader("content-type") == "application/problem+json"
    if status == 405:
        assert answer.getheader("allow") == "GET"
    assert json.loads(body)["code"] == code


@pytest.mark.parametrize("opening", [b"[", b'{"a":'], ids=["arrays", "objects"])
def test_deep_nesting_is_refused(running: RunningCollector, opening: bytes) -> None:
    """Extremely nested JSON is answered as the sender's error, not as an internal one."""
    body = opening * 40_000
    head = f"POST /v1/invites/x/redeem HTTP/1.1\r\nAuthorization: Bearer AA\r\nContent-Length: {len(body)}\r\n"
    answer, found = exchange(running, head.encode() + HOST + b"\r\n" + body)
    assert (answer.status, json.loads(found)["code"]) == (400, "invalid_request")


def test_a_large_body_is_refused_before_it_is_read(running: RunningCollector) -> None:
    """A body that is announced as larger than its route accepts is refused from its head alone."""
    head = b"POST /v1/invites/x/redeem HTTP/1.1\r\nAuthorization: Bearer AA\r\nContent-Length: 9999999\r\n"
    answer, body = exchange(running, head + HOST + b"\r\n")
    assert (answer.status, json.loads(body)["code"]) == (413, "too_large")


class _Impatient(HttpConnection):
    """A connection with almost no patience."""

    patience = 0.05


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET / HTTP/1.1\r\nHost: c", b"POST / HTTP/1.1\r\nHost: c\r\nContent-Length: 9\r\n\r\nhalf"],
    ids=["nothing", "half a head", "half a body"],
)
async def test_who_stands_still_is_let_go(begun: bytes) -> None:
    """A request that begins and sends nothing more is refused, so that a connection does not keep its slot for ever."""
    config = uvicorn.Config(
        read_and_answer, http=_Impatient, ws="none", lifespan="off", log_config=None, loop="asyncio"
    )
    server = uvicorn.Server(config)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listening])
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begun)
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 408 ")
            assert json.loads(body)["code"] == "too_slow"
            writer.close()
            await writer.wait_closed()
        finally:
            await server.shutdown()
