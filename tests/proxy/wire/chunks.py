"""Rows for request bodies in chunks: RFC 9112, section 7."""

from __future__ import annotations

from tests.proxy.wire.rules import Accepted, RequestRule, chunked, coded, hang_up, refuse, request, sized, take

_GET = request(line=b"GET {path}/v1/models HTTP/1.1")

ROWS = (
    RequestRule(
        "7",
        "names of codings",
        "The name of a transfer coding may stand in any case.",
        take(coded(b"chunked"), coded(b"CHUNKED"), coded(b"Chunked")),
        (
            *refuse(coded(b"c hunked"), coded(b"chunk"), coded(b"chunked\xa0"), coded(b"CHUNKED, chunked")),
            *refuse(coded(b"GZIP, Chunked"), status=501),
        ),
    ),
    RequestRule(
        "7.1",
        "parameters of chunked",
        "Chunked has no parameters; with one it is refused.",
        take(coded(b"chunked")),
        refuse(coded(b"chunked;q=1"), coded(b"chunked ; a=b"), coded(b'chunked;a="b"'), coded(b"chunked;a")),
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
                coded(value)
                for value in (
                    *(b"gzip, chunked", b"x-gzip, chunked", b"deflate, chunked", b"compress, chunked"),
                    *(b"x-compress, chunked", b"br, chunked", b"gzip;level=9, chunked", b'deflate;a="b", chunked'),
                )
            ),
            status=501,
        ),
    ),
    RequestRule(
        "7.4",
        "TE and Trailer are for one hop",
        "What the agent would take of codings and trailers concerns this hop: it is not passed on, and hides nothing.",
        (
            Accepted(request(b"TE: trailers\r\nConnection: TE\r\nX-A: b\r\n"), (request(b"X-A: b\r\n"),)),
            Accepted(request(b"Trailer: X-Sum\r\nTE: deflate;q=0.5, trailers\r\n"), (request(),)),
            Accepted(request(b"te: chunked\r\nConnection: keep-alive, te\r\nTE:\r\n"), (request(),)),
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
