"""Rows for header fields: RFC 9112, section 5, of requests and of answers."""

from __future__ import annotations

from tests.proxy.wire.rules import (
    LINE,
    Accepted,
    AnswerRule,
    Passed,
    RequestRule,
    answer,
    deliver,
    refuse,
    request,
    sized,
    sized_answer,
    stop,
    take,
)

REQUESTS = (
    RequestRule(
        "5",
        "form of a field",
        "A field line is a name, a colon and a value.",
        take(request(b"X-A:b\r\nX-Empty:\r\nX-Colons: a:b:c\r\n"), request(b"!#$%&'*+-.^_`|~: x\r\n")),
        refuse(
            request(b"X-A\r\n"),
            request(b"X-A=b\r\n"),
            request(b": b\r\n"),
            request(b"GET /x HTTP/1.1\r\n"),
            request(b"X(A): b\r\n"),
            request(b"X A: b\r\n"),
            request(b'"X-A": b\r\n'),
            request(b"X-\xc3\x84: b\r\n"),
            request(b"X-A\x00: b\r\n"),
        ),
    ),
    RequestRule(
        "5",
        "number and size of fields",
        "A head has bounds; beyond them it is answered 431 (RFC 9110, 5.4).",
        take(request(b"X-A: b\r\n" * 99), request(b"X-A: " + b"b" * 60_000 + b"\r\n")),
        refuse(
            request(b"X-A: b\r\n" * 100),
            request(b"X-A: b\r\n" * 9000),
            request(b"X-A: " + b"b" * 70_000 + b"\r\n"),
            request(b"X" * 70_000 + b": b\r\n"),
            status=431,
        ),
    ),
    RequestRule(
        "5.1",
        "space before the colon",
        "No whitespace stands between a field's name and its colon.",
        take(request(b"X-A: b\r\n"), request(b"X-A:\t b\r\n")),
        refuse(
            request(b"X-A : b\r\n"),
            request(b"X-A\t: b\r\n"),
            request(b"Content-Length : 2\r\n", b"{}"),
            request(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
            LINE + b"\r\nHost : {host}\r\n\r\n",
        ),
    ),
    RequestRule(
        "5.1",
        "space around the value",
        "Spaces and tabs around a value are no part of it, and no other character is such a space. Not every reader"
        " knows that where the value frames the message, so that none is passed on there.",
        (
            Accepted(request(b"X-A:b\r\nX-B:  c  \r\nX-C:\td\t\r\n")),
            *(
                Accepted(
                    request(name + b":" + spaced + b"\r\n", body), (request(name + b": " + plain + b"\r\n", body),)
                )
                for name, plain, spaced, body in (
                    (b"Content-Length", b"2", b"\t 2 \t", b"{}"),
                    (b"content-length", b"2", b"2\t", b"{}"),
                    (b"Transfer-Encoding", b"chunked", b"chunked ", b"0\r\n\r\n"),
                    (b"TRANSFER-ENCODING", b"Chunked", b" Chunked\t", b"0\r\n\r\n"),
                    (b"Transfer-Encoding", b"chunked", b"\tchunked", b"0\r\n\r\n"),
                )
            ),
        ),
        refuse(
            request(b"Content-Length: \x0b2\r\n", b"{}"),
            request(b"Content-Length: 2\x0c\r\n", b"{}"),
            request(b"Content-Length: \xa02\r\n", b"{}"),
            request(b"Content-Length: 2\x00\r\n", b"{}"),
        ),
    ),
    RequestRule(
        "5.2",
        "folded lines",
        "A value does not go on behind a line break.",
        take(
            request(b"X-A: one two\r\n"),
            sized(b"GET / HTTP/1.1\r\nX-A: one\r\n two\r\n\r\n", b"Content-Type: message/http\r\n"),
        ),
        refuse(
            request(b"X-A: one\r\n two\r\n"),
            request(b"X-A: one\r\n\ttwo\r\n"),
            request(b"X-A: one\r\n \r\n"),
            request(b"Content-Length:\r\n 2\r\n", b"{}"),
            request(b"Transfer-Encoding:\r\n\tchunked\r\n", b"0\r\n\r\n"),
        ),
    ),
)


ANSWERS = (
    AnswerRule(
        "2.2",
        "space before an answer's first field",
        "Between an answer's status line and its first field there is no whitespace.",
        deliver(sized_answer(fields=b"X-A: b\r\n")),
        stop(
            answer(b" X-A: b\r\nContent-Length: 2\r\n", b"{}"),
            answer(b"\tContent-Length: 2\r\n", b"{}"),
            answer(b" \r\nContent-Length: 2\r\n", b"{}"),
            answer(b" Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", b"{}"),
        ),
    ),
    AnswerRule(
        "5",
        "form of an answer's field",
        "A provider's field line, too, is a name, a colon and a value.",
        deliver(sized_answer(fields=b"X-A:b\r\nX-Empty:\r\nX-Colons: a:b\r\nset-COOKIE: a=b\r\n")),
        stop(
            sized_answer(fields=b"X-A\r\n"),
            sized_answer(fields=b": b\r\n"),
            sized_answer(fields=b"HTTP/1.1 200 OK\r\n"),
            sized_answer(fields=b"X A: b\r\n"),
            sized_answer(fields=b"X-A: b\x00\r\n"),
            sized_answer(fields=b"X-A: b\r\n" * 100),
        ),
    ),
    AnswerRule(
        "5.1",
        "space before an answer's colon",
        "A proxy takes whitespace behind a name out of an answer and passes it on; the framing is read without it.",
        (
            Passed(sized_answer(fields=b"X-A : b : c\r\n"), sized_answer(fields=b"X-A: b : c\r\n")),
            Passed(
                answer(b"Content-Length \t: 2\r\n", b"{}"),
                answer(b"Content-Length: 2\r\n", b"{}"),
            ),
        ),
        stop(
            sized_answer(fields=b"Content-Length : 3\r\n"),
            sized_answer(fields=b"Transfer-Encoding : chunked\r\n"),
            sized_answer(fields=b"X A : b\r\n"),
            sized_answer(fields=b" : b\r\n"),
        ),
    ),
    AnswerRule(
        "5.2",
        "folded lines of an answer",
        "An answer with a folded line is replaced by 502.",
        deliver(
            sized_answer(fields=b"X-A: one two\r\n"),
            sized_answer(b"HTTP/1.1 200 OK\r\nX-A: one\r\n two\r\n\r\n", b"Content-Type: message/http\r\n"),
        ),
        stop(
            sized_answer(fields=b"X-A: one\r\n two\r\n"),
            sized_answer(fields=b"X-A: one\r\n\ttwo\r\n"),
            sized_answer(fields=b"X-A: one\r\n \r\n"),
            answer(b"Content-Length:\r\n 2\r\n", b"{}"),
            answer(b"Transfer-Encoding:\r\n\tchunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
        ),
    ),
)

ROWS = (*REQUESTS, *ANSWERS)
