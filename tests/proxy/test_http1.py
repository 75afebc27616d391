"""Reading, refusing and rewriting request and response heads."""

# pyright: reportPrivateUsage=false
# The property test leaves out exactly the fields that the gate itself names.

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptster.proxy import http1
from promptster.proxy.http1 import MessageRefusedError, head_end, read_request, read_response
from promptster.proxy.upstreams import Upstream

HOST = b"Host: 127.0.0.1:4321\r\n"
ANTHROPIC = Upstream("anthropic", "https://api.anthropic.com")
BASED = Upstream("openai", "https://api.openai.com:8443/v1/")


def _request(line: bytes = b"POST /x HTTP/1.1", fields: bytes = b"") -> bytes:
    return line + b"\r\n" + HOST + fields + b"\r\n"


HOSTILE_REQUESTS = {
    "length and coding": (_request(fields=b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"), 400),
    "coding and length": (_request(fields=b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"), 400),
    "comma in length": (_request(fields=b"Content-Length: 4, 4\r\n"), 400),
    "repeated equal length": (_request(fields=b"Content-Length: 4\r\nContent-Length: 4\r\n"), 400),
    "repeated other length": (_request(fields=b"Content-Length: 4\r\ncontent-length: 5\r\n"), 400),
    "signed length": (_request(fields=b"Content-Length: +4\r\n"), 400),
    "empty length": (_request(fields=b"Content-Length: \r\n"), 400),
    "folded line": (_request(fields=b"X-A: one\r\n two\r\n"), 400),
    "folded by tab": (_request(fields=b"X-A: one\r\n\ttwo\r\n"), 400),
    "fold before the first field": (b"GET /x HTTP/1.1\r\n X-A: b\r\n" + HOST + b"\r\n", 400),
    "bare line feed in fields": (_request(fields=b"X-A: one\nX-B: two\r\n"), 400),
    "bare carriage return": (_request(fields=b"X-A: one\rX-B: two\r\n"), 400),
    "carriage return at the end": (_request(fields=b"X-A: one\r\r\n"), 400),
    "NUL": (_request(fields=b"X-A: o\x00ne\r\n"), 400),
    "control character": (_request(fields=b"X-A: o\x01ne\r\n"), 400),
    "absolute-form": (_request(b"GET http://evil.example/x HTTP/1.1"), 400),
    "absolute-form https": (_request(b"POST https://api.anthropic.com/v1/messages HTTP/1.1"), 400),
    "asterisk-form": (_request(b"OPTIONS * HTTP/1.1"), 400),
    "authority-form": (_request(b"GET evil.example:443 HTTP/1.1"), 400),
    "CONNECT": (_request(b"CONNECT api.anthropic.com:443 HTTP/1.1"), 405),
    "h2 preface": (b"PRI * HTTP/2.0\r\n\r\n", 505),
    "HTTP/1.0": (_request(b"GET /x HTTP/1.0"), 505),
    "HTTP/0.9": (b"GET /x\r\n\r\n", 400),
    "HTTP/2.0 written out": (_request(b"GET /x HTTP/2.0"), 505),
    "gzip coding": (_request(fields=b"Transfer-Encoding: gzip\r\n"), 400),
    "gzip, chunked": (_request(fields=b"Transfer-Encoding: gzip, chunked\r\n"), 501),
    "two codings": (_request(fields=b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400),
    "space before colon": (_request(fields=b"X-A : one\r\n"), 400),
    "no colon": (_request(fields=b"X-A one\r\n"), 400),
    "empty name": (_request(fields=b": one\r\n"), 400),
    "two hosts": (_request(fields=HOST), 400),
    "no host": (b"GET /x HTTP/1.1\r\n\r\n", 400),
    "space in target": (_request(b"GET /x y HTTP/1.1"), 400),
    "101 fields": (_request(fields=b"X-A: b\r\n" * 100), 431),
    "Connection names the length": (_request(fields=b"Content-Length: 4\r\nConnection: content-length\r\n"), 400),
    "Connection names the host": (_request(fields=b"Connection: close, Host\r\n"), 400),
    "empty first line": (b"\r\nGET /x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
}


@pytest.mark.parametrize("name", HOSTILE_REQUESTS)
def test_hostile_request_heads_are_refused(name: str) -> None:
    """Heads that h11 would accept and two readers could understand differently are refused with their status."""
    head, status = HOSTILE_REQUESTS[name]
    with pytest.raises(MessageRefusedError) as caught:
        read_request(head)
    assert caught.value.status == status


HOSTILE_RESPONSES = {
    "length and coding": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n",
    "comma": b"HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\n",
    "fold": b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\r\nX-A: b\nX-B: c\r\n\r\n",
    "gzip": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "switch": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\n\r\n",
    "chunks in 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "101 fields": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 101 + b"\r\n",
    "Connection names the length": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: Content-Length\r\n\r\n",
}


@pytest.mark.parametrize("name", HOSTILE_RESPONSES)
def test_hostile_response_heads_become_a_bad_gateway(name: str) -> None:
    """A provider's head that cannot be passed on safely is refused as the provider's fault."""
    with pytest.raises(MessageRefusedError) as caught:
        read_response(HOSTILE_RESPONSES[name])
    assert (caught.value.status, caught.value.code) == (502, "bad_answer")


def test_a_head_of_64_kib_is_the_limit() -> None:
    """One byte more than the limit is refused, complete or not; the limit itself passes."""
    fill = http1.MAX_HEAD_BYTES - len(_request(fields=b"X-A: \r\n"))
    fits = _request(fields=b"X-A: " + b"a" * fill + b"\r\n")
    assert head_end(fits) == http1.MAX_HEAD_BYTES
    too_long = {
        431: (_request(fields=b"X-A: " + b"a" * (fill + 1) + b"\r\n"), b"\x80" * http1.MAX_HEAD_BYTES),
        414: (b"GET /" + b"a" * http1.MAX_HEAD_BYTES,),
        501: (b"a" * http1.MAX_HEAD_BYTES,),
    }
    for status, heads in too_long.items():
        for head in heads:
            with pytest.raises(MessageRefusedError) as caught:
                head_end(head)
            assert caught.value.status == status


@given(cuts=st.lists(st.integers(1, 60), max_size=8))
def test_the_end_of_a_head_is_found_at_any_cut(cuts: list[int]) -> None:
    """However a head arrives, its end is found once, after its empty line."""
    whole = _request(fields=b"X-A: b\r\n")
    data, searched = whole + b"body", 0
    for cut in sorted(set(cuts)):
        end = head_end(data[:cut], searched)
        assert end == (len(whole) if cut >= len(whole) else 0)
        searched = 0 if end else cut
    assert head_end(data, searched) == len(whole)


@pytest.mark.parametrize(
    "start", [b"GET /x HTTP/1.1\n", b"GET /x HTTP/1.1\r\nA: b\n", b"GET\rx", b"\n", b"\x16\x03\x01\n"]
)
def test_a_bare_line_break_is_refused_before_the_head_is_whole(start: bytes) -> None:
    """A wrong head is refused without waiting for its rest."""
    with pytest.raises(MessageRefusedError, match="CR LF"):
        head_end(start, len(start) - 1)


def test_a_carriage_return_may_be_the_last_byte_so_far() -> None:
    """A cut between CR and LF is no bare CR."""
    assert head_end(b"GET /x HTTP/1.1\r") == 0
    assert head_end(b"GET /x HTTP/1.1\r\n\r", 16) == 0


def test_a_forwarded_request_keeps_order_case_and_values() -> None:
    """Only the request line, Host, hop-by-hop fields and the token's field change on the way to the provider."""
    head = read_request(
        b"POST /openai/r?x=1 HTTP/1.1\r\nX-First:  spaced \r\nhOsT: 127.0.0.1:4321\r\n"
        b"Connection: keep-alive, X-Mine\r\nX-mine: gone\r\nKeep-Alive: 5\r\nTE: trailers\r\nTrailer: x\r\n"
        b"Proxy-Authorization: Basic eA==\r\n"
        b"x-PROMPTSTER-token: t\r\nAuthorization: Bearer k\r\naccept:*/*\r\nX-First: again\r\ncontent-LENGTH: 04\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    assert http1.request_bytes(head, b"/r?x=1", BASED) == (
        b"POST /v1/r?x=1 HTTP/1.1\r\nX-First:  spaced \r\nhOsT: api.openai.com:8443\r\nAuthorization: Bearer k\r\n"
        b"accept:*/*\r\nX-First: again\r\ncontent-LENGTH: 04\r\nExpect: 100-continue\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("upstream", "target", "line"),
    [
        (ANTHROPIC, b"", b"POST / HTTP/1.1"),
        (ANTHROPIC, b"?a=1", b"POST /?a=1 HTTP/1.1"),
        (ANTHROPIC, b"/v1", b"POST /v1 HTTP/1.1"),
        (BASED, b"", b"POST /v1 HTTP/1.1"),
        (BASED, b"/", b"POST /v1/ HTTP/1.1"),
        (BASED, b"?a", b"POST /v1?a HTTP/1.1"),
    ],
)
def test_the_base_url_stands_before_the_target(upstream: Upstream, target: bytes, line: bytes) -> None:
    """A base URL's path is a prefix, and a target is never empty."""
    assert http1.request_bytes(read_request(_request()), target, upstream).split(b"\r\n")[0] == line


def test_a_forwarded_response_keeps_status_reason_order_and_values() -> None:
    """Reason phrase, odd spacing and repeated fields survive; hop-by-hop fields do not."""
    head = read_response(
        b"HTTP/1.1 429 Slow  Down \r\nRetry-After: 3\r\nConnection: keep-alive\r\nset-COOKIE: a=b\r\n"
        b"Set-Cookie:  c=d\r\nKeep-Alive: timeout=5\r\nTransfer-Encoding: Chunked\r\n\r\n"
    )
    assert head.status == 429
    assert http1.response_bytes(head, close=False) == (
        b"HTTP/1.1 429 Slow  Down \r\nRetry-After: 3\r\nset-COOKIE: a=b\r\nSet-Cookie:  c=d\r\n"
        b"Transfer-Encoding: Chunked\r\n\r\n"
    )
    assert http1.response_bytes(head, close=True).endswith(b"Chunked\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize(
    ("head", "close"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", False),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", False),
    ],
)
def test_whether_a_providers_connection_goes_on(head: bytes, *, close: bool) -> None:
    """Version and Connection decide, and an answer of HTTP/1.0 goes to the agent as HTTP/1.1."""
    read = read_response(head)
    assert read.close is close
    assert read.status_line.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("method", "status", "body"),
    [(b"GET", 200, True), (b"HEAD", 200, False), (b"HEAD", 404, False), (b"GET", 304, False)],
)
def test_which_responses_have_a_body(method: bytes, status: int, *, body: bool) -> None:
    """HEAD and 304 have none, whatever their length says; 204 has none and must not say otherwise."""
    assert not read_response(b"HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n").has_body(b"GET")
    assert read_response(b"HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\n" % status).has_body(method) is body


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    """No head, however broken, raises anything but a refusal."""
    for head in (data, b"GET /x HTTP/1.1\r\n" + HOST + data + b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n"):
        for read in (read_request, read_response):
            with contextlib.suppress(MessageRefusedError):
                end = head_end(head)
                if end:
                    read(head[:end])


NAMES = st.from_regex(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}", fullmatch=True).filter(
    lambda name: (
        name.lower()
        not in {*http1._HOP_BY_HOP, b"host", b"content-length", b"transfer-encoding", http1.TOKEN_HEADER, b"upgrade"}
    )
)
VALUES = st.from_regex(rb"[\x21-\x7e\x80-\xff]([ \t]?[\x21-\x7e\x80-\xff]){0,30}", fullmatch=True)


@given(st.lists(st.tuples(NAMES, st.sampled_from([b":", b": ", b":  ", b":\t"]), VALUES), max_size=20))
def test_any_end_to_end_field_survives_both_ways(fields: list[tuple[bytes, bytes, bytes]]) -> None:
    """Names, values, spacing and order of ordinary fields are the same bytes on both sides of the proxy."""
    block = b"".join(name + colon + value + b"\r\n" for name, colon, value in fields)
    request = read_request(b"POST /x HTTP/1.1\r\n" + HOST + block + b"\r\n")
    assert http1.request_bytes(request, b"/x", ANTHROPIC) == (
        b"POST /x HTTP/1.1\r\nHost: api.anthropic.com\r\n" + block + b"\r\n"
    )
    response = b"HTTP/1.1 200 OK\r\n" + block + b"\r\n"
    assert http1.response_bytes(read_response(response), close=False) == response


def test_this_module_reads_no_sockets() -> None:
    """The module does no input or output."""
    source = Path(http1.__file__).read_text()
    assert "import socket" not in source
    assert "asyncio" not in source
