"""Rows for request bodies: RFC 9112, sections 6 and 7."""

from __future__ import annotations

from tests.proxy.wire.rules import Accepted, Refused, RequestRule, chunked, hang_up, refuse, request, sized, take

_GET = request(line=b"GET {path}/v1/models HTTP/1.1")
_LARGEST = 2**63 - 1


def _coding(value: bytes, fields: bytes = b"", *, line: bytes = b"POST {path}/x HTTP/1.1") -> bytes:
    return request(b"Transfer-Encoding: " + value + b"\r\n" + fields, b"2\r\n{}\r\n0\r\n\r\n", line=line)


def _length(value: bytes, body: bytes = b"{}") -> bytes:
    return request(b"Content-Length: " + value + b"\r\n", body)


LENGTHS = (
    RequestRule(
        "6",
        "presence of a body",
        "Content-Length or Transfer-Encoding announces a body, whatever the method.",
        take(
            request(b"Content-Length: 2\r\n", b"{}", line=b"GET {path}/x HTTP/1.1"),
            request(b"Transfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n", line=b"DELETE {path}/x HTTP/1.1"),
            request(b"Content-Length: 0\r\n"),
        ),
        (
            Refused(_GET + b"{}\r\n\r\n", 400, (_GET,)),
            Refused(request() + b'{"model":"m"}\r\n\r\n', 400, (request(),)),
        ),
    ),
    RequestRule(
        "6.1",
        "chunked once and last",
        "A request's transfer coding is chunked, applied once, as the last one.",
        take(_coding(b"chunked")),
        refuse(
            _coding(b"chunked, chunked"),
            _coding(b"chunked", b"Transfer-Encoding: chunked\r\n"),
            _coding(b"chunked", b"X-A: b\r\ntransfer-encoding: identity\r\n"),
            _coding(b"chunked, gzip"),
            _coding(b"chunked, identity"),
            _coding(b"gzip"),
            _coding(b",chunked"),
            _coding(b"chunked,"),
            _coding(b""),
            status=501,
        ),
    ),
    RequestRule(
        "6.1",
        "codings not understood",
        "A coding that the proxy does not understand is answered 501, however much its name looks like chunked.",
        take(_coding(b"chunked"), sized(fields=b"Content-Encoding: gzip\r\n")),
        refuse(
            _coding(b"xchunked"),
            _coding(b"chunked;q=1"),
            _coding(b'"chunked"'),
            _coding(b"chunked chunked"),
            _coding(b"identity"),
            _coding(b"gzip, chunked"),
            _coding(b"cow, chunked"),
            _coding(b"chunke\xe4"),
            status=501,
        ),
    ),
    RequestRule(
        "6.1",
        "chunks before HTTP/1.1",
        "A request of another version with a transfer coding has no framing to rely on.",
        take(_coding(b"chunked")),
        refuse(
            _coding(b"chunked", line=b"POST {path}/x HTTP/1.0"),
            _coding(b"chunked", b"Connection: keep-alive\r\n", line=b"POST {path}/x HTTP/1.0"),
            _coding(b"chunked", line=b"POST {path}/x HTTP/0.9"),
            status=505,
        ),
    ),
    RequestRule(
        "6.1",
        "length beside coding",
        "Content-Length and Transfer-Encoding together are an attempt to be read in two ways.",
        take(_coding(b"chunked"), sized()),
        refuse(
            _coding(b"chunked", b"Content-Length: 12\r\n"),
            request(b"Content-Length: 12\r\nTransfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
            _coding(b"chunked", b"Content-Length: 0\r\n"),
            _coding(b"identity", b"Content-Length: 12\r\n"),
            _coding(b"chunked", b"content-length:\r\n"),
            _coding(b"chunked", b"Connection: Transfer-Encoding\r\n"),
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
)

CHUNKS = (
    RequestRule(
        "7",
        "names of codings",
        "The name of a transfer coding may stand in any case.",
        take(_coding(b"chunked"), _coding(b"CHUNKED"), _coding(b"Chunked"), _coding(b"\tchunked ")),
        refuse(_coding(b"c hunked"), _coding(b"chunk"), _coding(b"chunked\xa0"), status=501),
    ),
    RequestRule(
        "7.1",
        "digits of a chunk's size",
        "A chunk's size is hexadecimal digits and nothing else.",
        take(
            chunked(b"2\r\n{}\r\n0\r\n\r\n"),
            chunked(b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"),
            chunked(b"0000000000000002\r\n{}\r\n0\r\n\r\n"),
        ),
        refuse(
            *(
                chunked(size + b"\r\n{}\r\n0\r\n\r\n")
                for size in (
                    *(b"", b"+2", b"-2", b"0x2", b"2h", b" 2", b"2 ", b"2\t", b"2 2", b"2,2", b"2.", b"g", b'"2"'),
                    *(b"1_0", b"\xef\xbc\x92", b"\x002", b"2\x00"),
                )
            )
        ),
        late=True,
    ),
    RequestRule(
        "7.1",
        "largest chunk",
        "A chunk's size is read without overflow: above 2^63-1, or of more than 16 digits, it is refused.",
        (
            Accepted(chunked(b"7FFFFFFFFFFFFFFF\r\n{"), whole=False),
            Accepted(chunked(b"10000\r\n" + b"x" * 0x10000 + b"\r\n0\r\n\r\n")),
        ),
        refuse(
            *(
                chunked(size + b"\r\n{}\r\n0\r\n\r\n")
                for size in (
                    b"8000000000000000",
                    b"ffffffffffffffff",
                    b"10000000000000002",
                    b"00000000000000002",
                    b"1" + b"0" * 31 + b"2",
                    b"2" * 5000,
                )
            )
        ),
        late=True,
    ),
    RequestRule(
        "7.1",
        "end of a chunk",
        "CR LF follows a chunk's size line and a chunk's data, exactly there.",
        take(chunked(b"4\r\n\r\n\r\n\r\n0\r\n\r\n"), chunked(b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n")),
        refuse(
            chunked(b"2\r\n{}0\r\n\r\n"),
            chunked(b"2\r\n{}\n0\r\n\r\n"),
            chunked(b"2\r\n{}\r0\r\n\r\n"),
            chunked(b"2\n{}\r\n0\r\n\r\n"),
            chunked(b"2\r{}\r\n0\r\n\r\n"),
            chunked(b"2\r\n{}x\r\n0\r\n\r\n"),
            chunked(b"2\r\n{\r\n0\r\n\r\n"),
            chunked(b"2\r\n{}\r\n\r\n0\r\n\r\n"),
        ),
        late=True,
    ),
    RequestRule(
        "7.1",
        "last chunk",
        "A chunk of size 0 and an empty line end the body; without them it is no whole one.",
        (
            *take(chunked(b"0\r\n\r\n"), chunked(b"2\r\n{}\r\n000\r\n\r\n")),
            Accepted(chunked(b"0\r\n\r\n") + _GET, (chunked(b"0\r\n\r\n"), _GET)),
        ),
        (
            *hang_up(chunked(b"2\r\n{}\r\n"), chunked(b"2\r\n{}\r\n0\r\n"), chunked(b"2\r\n{}\r\n0\r\n\r")),
            *refuse(
                chunked(b"2\r\n{}\r\n0\n\n"), chunked(b"2\r\n{}\r\n0\r\n\n"), chunked(b"0\r\nGET / HTTP/1.1\r\n\r\n")
            ),
        ),
        late=True,
    ),
    RequestRule(
        "7.1.1",
        "form of extensions",
        "An extension is a semicolon, a name and perhaps a value that is a token or a quoted string; it is passed on.",
        take(
            chunked(b'2;a;b=c;d="e;\\"f"\r\n{}\r\n0;last=1\r\n\r\n'),
            chunked(b"2 ; a = b\r\n{}\r\n0\r\n\r\n"),
        ),
        refuse(
            *(
                chunked(b"2" + extension + b"\r\n{}\r\n0\r\n\r\n")
                for extension in (
                    b";",
                    b";;a",
                    b";a=",
                    b";=b",
                    b';a="b',
                    b";a=b c",
                    b";a b",
                    b";a=(b)",
                    b" a=b",
                    b";a;",
                )
            )
        ),
        late=True,
    ),
    RequestRule(
        "7.1.1",
        "line breaks in extensions",
        "No control character stands in an extension, quoted or not.",
        take(chunked(b'2;a="\tb\xe4"\r\n{}\r\n0\r\n\r\n')),
        refuse(
            *(
                chunked(b"2" + extension + b"\r\n{}\r\n0\r\n\r\n")
                for extension in (
                    b";a\n",
                    b";a\nb",
                    b";a\rb",
                    b';a="\r\n"',
                    b';a="\n"',
                    b";a\x00",
                    b';a="\x7f"',
                    b";\n",
                )
            )
        ),
        late=True,
    ),
    RequestRule(
        "7.1.1",
        "length of extensions",
        "Extensions have a bound, each line and all of a body together.",
        take(chunked(b"2;a=" + b"b" * 4000 + b"\r\n{}\r\n0\r\n\r\n")),
        refuse(
            chunked(b"2;a=" + b"b" * 4200 + b"\r\n{}\r\n0\r\n\r\n"),
            chunked((b"1;a=" + b"b" * 4000 + b"\r\nx\r\n") * 20 + b"0\r\n\r\n"),
            chunked(b"1;a\r\nx\r\n" * 40_000 + b"0\r\n\r\n"),
        ),
        late=True,
    ),
    RequestRule(
        "7.1.2",
        "form of trailers",
        "Behind the last chunk stand field lines, formed as in a head, and an empty line; the proxy drops the fields.",
        (
            Accepted(chunked(b"2\r\n{}\r\n0\r\nX-Sum: a\r\nX-B:\r\n\r\n"), (chunked(b"2\r\n{}\r\n0\r\n\r\n"),)),
            Accepted(chunked(b"0;a\r\nX-Sum: a\r\n\r\n") + _GET, (chunked(b"0;a\r\n\r\n"), _GET)),
        ),
        refuse(
            *(
                chunked(b"2\r\n{}\r\n0\r\n" + trailers + b"\r\n\r\n")
                for trailers in (
                    b"GET /x HTTP/1.1\r\nHost: h",
                    b"X-A",
                    b": b",
                    b"X-A : b",
                    b" X-A: b",
                    b"X-A: b\r\n c",
                    b"X-A: b\nX-B: c",
                    b"X-A: b\rX-B: c",
                    b"X-A: \x00",
                    b"X(A): b",
                    b"2\r\n{}",
                )
            )
        ),
        late=True,
    ),
    RequestRule(
        "7.1.2",
        "fields that are no trailers",
        "What frames or routes a message stands in its head, never in its trailers.",
        (Accepted(chunked(b"0\r\nX-Content-Length: 5\r\n\r\n"), (chunked(b"0\r\n\r\n"),)),),
        refuse(
            chunked(b"0\r\nContent-Length: 5\r\n\r\n"),
            chunked(b"0\r\ntransfer-encoding: chunked\r\n\r\n"),
            chunked(b"0\r\nX-A: b\r\nHost: evil.example\r\n\r\n"),
        ),
        late=True,
    ),
    RequestRule(
        "7.1.2",
        "number and size of trailers",
        "A trailer section has bounds, as a head has.",
        (Accepted(chunked(b"0\r\n" + b"X-A: b\r\n" * 100 + b"\r\n"), (chunked(b"0\r\n\r\n"),)),),
        refuse(
            chunked(b"0\r\n" + b"X-A: b\r\n" * 101 + b"\r\n"),
            chunked(b"0\r\nX-A: " + b"b" * 5000 + b"\r\n\r\n"),
            chunked(b"0\r\n" + (b"X-A: " + b"b" * 4000 + b"\r\n") * 20 + b"\r\n"),
        ),
        late=True,
    ),
    RequestRule(
        "7.2",
        "compression",
        "A compressed transfer is refused; compressed content, which is another thing, passes.",
        take(
            sized(b"\x1f\x8b\x08\x00", b"Content-Encoding: gzip\r\n"),
            request(b"Content-Encoding: zstd\r\nTransfer-Encoding: chunked\r\n", b"1\r\nx\r\n0\r\n\r\n"),
        ),
        refuse(
            *(
                _coding(value)
                for value in (b"gzip, chunked", b"x-gzip, chunked", b"deflate, chunked", b"compress, chunked", b"br")
            ),
            status=501,
        ),
    ),
    RequestRule(
        "7.4",
        "TE and Trailer are for one hop",
        "What the agent would take of codings and trailers concerns this hop: it is not passed on, nor may it hide more.",
        (
            Accepted(request(b"TE: trailers\r\nConnection: TE\r\nX-A: b\r\n"), (request(b"X-A: b\r\n"),)),
            Accepted(request(b"Trailer: X-Sum\r\nTE: deflate;q=0.5, trailers\r\n"), (request(),)),
        ),
        refuse(
            request(b"TE: trailers\r\nConnection: TE, Host\r\n"),
            request(
                b"TE: trailers\r\nConnection: TE, Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"
            ),
            request(b"TE : trailers\r\n"),
        ),
    ),
)

ROWS = LENGTHS + CHUNKS
