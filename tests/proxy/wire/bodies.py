"""Rows for request bodies: RFC 9112, section 6."""

from __future__ import annotations

from tests.proxy.wire.rules import Accepted, Refused, RequestRule, coded, hang_up, refuse, request, sized, take

_GET = request(line=b"GET {path}/v1/models HTTP/1.1")
_HEAD = request(line=b"HEAD {path}/v1/models HTTP/1.1")
_LARGEST = 2**63 - 1


def _length(value: bytes, body: bytes = b"{}") -> bytes:
    return request(b"Content-Length: " + value + b"\r\n", body)


ROWS = (
    RequestRule(
        "6",
        "presence of a body",
        "Content-Length or Transfer-Encoding announces a body, whatever the method.",
        take(
            request(b"Content-Length: 2\r\n", b"{}", line=b"GET {path}/x HTTP/1.1"),
            request(b"Transfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n", line=b"DELETE {path}/x HTTP/1.1"),
            request(b"Content-Length: 0\r\n"),
            sized(bytes(range(256))),
        ),
        (
            Refused(_GET + b"{}\r\n\r\n", 400, (_GET,)),
            Refused(request() + b'{"model":"m"}\r\n\r\n', 400, (request(),)),
        ),
    ),
    RequestRule(
        "6.1",
        "chunked once and last",
        "Whatever a request's transfer codings, chunked is the last of them, once; otherwise its end is unknown (6.3).",
        take(coded(b"chunked")),
        refuse(
            coded(b"chunked, chunked"),
            coded(b"chunked", b"Transfer-Encoding: chunked\r\n"),
            coded(b"chunked", b"X-A: b\r\ntransfer-encoding: identity\r\n"),
            coded(b"chunked", b"Transfer-Encoding: gzip, chunked\r\n"),
            coded(b"chunked, gzip"),
            coded(b"chunked, identity"),
            coded(b"chunked, gzip, chunked"),
            coded(b"gzip, chunked;a=b"),
            coded(b"gzip"),
            coded(b"identity"),
            coded(b",chunked"),
            coded(b"chunked,"),
            coded(b"gzip,,chunked"),
            coded(b""),
        ),
    ),
    RequestRule(
        "6.1",
        "codings not understood",
        "A coding that the proxy does not understand is answered 501 where chunked is the last one.",
        take(coded(b"chunked"), sized(fields=b"Content-Encoding: gzip\r\n")),
        refuse(
            coded(b"gzip, chunked"),
            coded(b"cow, chunked"),
            coded(b"identity, chunked"),
            coded(b"xchunked , Chunked"),
            coded(b'a;b="c, chunked";d=e,\tf, CHUNKED'),
            coded(b"cow", b"Transfer-Encoding: chunked\r\n"),
            status=501,
        ),
    ),
    RequestRule(
        "6.1",
        "form of a coding",
        "The field is a list of names, each with or without parameters; what only looks like chunked is not chunked.",
        take(coded(b"chunked")),
        refuse(
            coded(b"xchunked"),
            coded(b'"chunked"'),
            coded(b"chunked chunked"),
            coded(b"gzip chunked"),
            coded(b"chunke\xe4"),
            coded(b"chunked;"),
            coded(b"chunked\x0b"),
            coded(b"gzip;a, chunked"),
            coded(b'gzip;a="b, chunked'),
        ),
    ),
    RequestRule(
        "6.1",
        "chunks before HTTP/1.1",
        "A request of another version with a transfer coding has no framing to rely on.",
        take(coded(b"chunked")),
        refuse(
            coded(b"chunked", line=b"POST {path}/x HTTP/1.0"),
            coded(b"chunked", b"Connection: keep-alive\r\n", line=b"POST {path}/x HTTP/1.0"),
            coded(b"chunked", line=b"POST {path}/x HTTP/0.9"),
            status=505,
        ),
    ),
    RequestRule(
        "6.1",
        "length beside coding",
        "Content-Length and Transfer-Encoding together are an attempt to be read in two ways.",
        take(coded(b"chunked"), sized()),
        refuse(
            coded(b"chunked", b"Content-Length: 12\r\n"),
            request(b"Content-Length: 12\r\nTransfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
            coded(b"chunked", b"Content-Length: 0\r\n"),
            coded(b"identity", b"Content-Length: 12\r\n"),
            coded(b"chunked", b"content-length:\r\n"),
            coded(b"chunked", b"Connection: Transfer-Encoding\r\n"),
            request(b"Content-Length: 2\r\nConnection: Content-Length\r\n", b"{}"),
        ),
    ),
    RequestRule(
        "6.2",
        "digits of the length",
        "Content-Length is decimal digits and nothing else.",
        take(_length(b"2"), _length(b"02"), _length(b"0", b""), _length(b"10", b"0123456789")),
        refuse(
            *(
                _length(value)
                for value in (
                    *(b"+2", b"-2", b"-0", b"0x2", b"2.0", b"2e0", b"2;", b"2 2", b"1_0", b"", b"two", b'"2"', b"2a"),
                    *(b"\xb2", b"\xef\xbc\x92", b"NaN", b"0b10"),
                )
            )
        ),
    ),
    RequestRule(
        "6.2",
        "size of the length",
        "There is no largest Content-Length by grammar: one above 2^63-1 is refused before a reader overflows.",
        (
            Accepted(_length(b"%d" % _LARGEST, b"{"), whole=False),
            Accepted(_length(b"%020d" % 2)),
        ),
        (
            *refuse(
                _length(b"%d" % (_LARGEST + 1)),
                _length(b"%d" % (2**64 - 1)),
                _length(b"%d" % (2**64 + 2)),
                _length(b"18446744073709551673", b'{"model":"m","max_tokens":1,"messages":[]}'),
                _length(b"9" * 5000),
                status=413,
            ),
            *refuse(_length(b"0" * 30 + b"2"), _length(b"0" * 5000 + b"2")),
        ),
    ),
    RequestRule(
        "6.2",
        "one length",
        "Content-Length stands once and holds one number; repeated ones are refused even where they agree.",
        take(sized()),
        refuse(
            _length(b"2, 2"),
            _length(b"2,2"),
            _length(b"2, 3"),
            _length(b"2,"),
            request(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"{}"),
            request(b"Content-Length: 2\r\ncontent-length: 3\r\n", b"{}"),
            request(b"Content-Length: 2\r\nX-A: b\r\nCONTENT-LENGTH: 02\r\n", b"{}"),
        ),
    ),
    RequestRule(
        "6.3",
        "a body as long as said",
        "A body of known length is whole with its last byte: fewer bytes are no request, more begin the next one.",
        (
            *take(sized(b"x" * 40_000)),
            Accepted(sized() + sized(b"[]"), (sized(), sized(b"[]"))),
        ),
        hang_up(_length(b"3"), _length(b"40000", b"x" * 39_999), _length(b"1", b"")),
        late=True,
    ),
    RequestRule(
        "6.3",
        "a body never announced",
        "A request without Content-Length and Transfer-Encoding has no body: what follows is a request or refused.",
        (
            *take(request()),
            Accepted(request() + sized(), (request(), sized())),
        ),
        (
            Refused(request() + b"{}\r\n\r\n", 400, (request(),)),
            Refused(request() + b"2\r\n{}\r\n0\r\n\r\n", 400, (request(),)),
        ),
    ),
    RequestRule(
        "6.3",
        "the proxy's own answer to HEAD",
        "The proxy's own answer has the body that it announces, and none to HEAD, whatever the request before it was.",
        (
            *take(_HEAD),
            Accepted(_HEAD + _GET, (_HEAD, _GET)),
        ),
        (
            *refuse(
                request(line=b"HEAD {path}/x HTTP/1.1", host=b""),
                request(b"X-A : b\r\n", line=b"HEAD {path}/x HTTP/1.1"),
                request(line=b"HEAD {path}/#x HTTP/1.1"),
            ),
            Refused(_HEAD + request(b"X-A : b\r\n"), 400, (_HEAD,)),
            Refused(_HEAD + b"G(T / HTTP/1.1\r\n\r\n", 400, (_HEAD,)),
            Refused(_HEAD + request(b"X-A: " + b"b" * 70_000), 431, (_HEAD,)),
            Refused(_GET + request(b"X-A : b\r\n", line=b"HEAD {path}/x HTTP/1.1"), 400, (_GET,)),
        ),
    ),
)
