"""Rows for what providers send: RFC 9112, sections 2, 4, 6 and 7."""

from __future__ import annotations

from tests.proxy.wire.rules import (
    AnswerRule,
    Passed,
    Stopped,
    answer,
    chunked_answer,
    deliver,
    sized_answer,
    stop,
)

_LARGEST = 2**63 - 1
_EMPTY = b"Content-Length: 0\r\n"
_EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"


def _line(line: bytes) -> bytes:
    return answer(_EMPTY, line=line)


def _length(value: bytes) -> bytes:
    return answer(b"Content-Length: " + value + b"\r\n", b"{}")


def _coding(value: bytes, fields: bytes = b"", *, line: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return answer(b"Transfer-Encoding: " + value + b"\r\n" + fields, b"2\r\n{}\r\n0\r\n\r\n", line=line)


HEADS = (
    AnswerRule(
        "2.1",
        "layout of an answer",
        "An answer is a status line, field lines and an empty line, and perhaps a body; a request is none.",
        deliver(sized_answer(), sized_answer(bytes(range(256)), b"X-A: b\r\n"), answer(_EMPTY)),
        stop(
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"Content-Length: 0\r\nHTTP/1.1 200 OK\r\n\r\n",
            b"\r\nContent-Length: 0\r\n\r\n",
            b"{}\r\n\r\n",
        ),
    ),
    AnswerRule(
        "2.2",
        "line breaks of an answer",
        "CR LF alone ends a line of a provider's head, and no control character stands in it.",
        deliver(sized_answer(b"a\nb\rc"), sized_answer(fields="X-A: a\u2028b\r\n".encode())),
        stop(
            b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\n{}",
            sized_answer(fields=b"X-A: b\nX-B: c\r\n"),
            sized_answer(fields=b"X-A: b\rX-B: c\r\n"),
            sized_answer(fields=b"X-A: b\x00\r\n"),
            b"\r\n" + sized_answer(),
            b"HTTP/1.1 200 OK\r\n\r \n",
            b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        ),
    ),
    AnswerRule(
        "2.3",
        "an answer's version",
        "The agent gets answers of HTTP/1.x under the proxy's own version; another version is no answer.",
        (
            Passed(_line(b"HTTP/1.1 200 OK")),
            Passed(_line(b"HTTP/1.0 200 OK"), _line(b"HTTP/1.1 200 OK")),
            Passed(_line(b"HTTP/1.9 200 OK"), _line(b"HTTP/1.1 200 OK")),
            Passed(_coding(b"chunked", line=b"HTTP/1.2 200 OK"), _coding(b"chunked")),
        ),
        stop(
            _line(b"HTTP/2.0 200 OK"),
            _line(b"HTTP/2 200 OK"),
            _line(b"http/1.1 200 OK"),
            _line(b"HTTP/1.10 200 OK"),
            _line(b"HTTP/0.9 200 OK"),
            _line(b"ICY 200 OK"),
        ),
    ),
    AnswerRule(
        "4",
        "form of a status line",
        "Version, status and reason are parted by one space each; where the one behind the status lacks, it is added.",
        (
            *deliver(_line(b"HTTP/1.1 200 OK"), _line(b"HTTP/1.1 200 "), _line(b"HTTP/1.1 529 Site  is overloaded ")),
            Passed(_line(b"HTTP/1.1 200"), _line(b"HTTP/1.1 200 ")),
        ),
        stop(
            _line(b"HTTP/1.1  200 OK"),
            _line(b"HTTP/1.1\t200 OK"),
            _line(b"HTTP/1.1 200OK"),
            _line(b"HTTP/1.1 200\tOK"),
            _line(b" HTTP/1.1 200 OK"),
            _line(b"HTTP/1.1"),
            _line(b"200 OK"),
        ),
    ),
    AnswerRule(
        "4",
        "status",
        "A status is three digits; an unknown one is framed as its class is.",
        deliver(
            _line(b"HTTP/1.1 299 X"),
            _line(b"HTTP/1.1 418 X"),
            _line(b"HTTP/1.1 599 X"),
            _line(b"HTTP/1.1 999 X"),
            answer(line=b"HTTP/1.1 199 X") + sized_answer(),
        ),
        stop(
            _line(b"HTTP/1.1 20 OK"),
            _line(b"HTTP/1.1 2000 OK"),
            _line(b"HTTP/1.1 +20 OK"),
            _line(b"HTTP/1.1 0x2 OK"),
            _line(b"HTTP/1.1 2.0 OK"),
            _line(b"HTTP/1.1 OK"),
            _line(b"HTTP/1.1 099 OK"),
        ),
    ),
    AnswerRule(
        "4",
        "reason",
        "A reason is text of any kind but control characters, and decides nothing.",
        deliver(_line(b"HTTP/1.1 200 404 Not Found"), _line(b"HTTP/1.1 429 Trop de requ\xeates\t!")),
        stop(_line(b"HTTP/1.1 200 O\x00K"), _line(b"HTTP/1.1 200 O\x7fK"), _line(b"HTTP/1.1 200 OK\rX-A: b")),
    ),
)

LENGTHS = (
    AnswerRule(
        "6.1",
        "codings of an answer",
        "An answer's only transfer coding is chunked, once, in any case, and not in HTTP/1.0.",
        (
            *deliver(_coding(b"chunked"), _coding(b"Chunked")),
            Passed(_coding(b"chunked\t"), _coding(b"chunked")),
            Passed(_coding(b"\tchunked "), _coding(b"chunked")),
        ),
        stop(
            _coding(b"chunked, chunked"),
            _coding(b"chunked", b"Transfer-Encoding: chunked\r\n"),
            _coding(b"gzip, chunked"),
            _coding(b"chunked, gzip"),
            _coding(b"identity"),
            _coding(b"xchunked"),
            _coding(b""),
            _coding(b"chunked;a=b"),
            _coding(b"chunked,"),
            _coding(b"chunked", line=b"HTTP/1.0 200 OK"),
            _coding(b"chunked", b"Connection: keep-alive\r\n", line=b"HTTP/1.0 200 OK"),
            _coding(b"chunked", b"Content-Length: 12\r\n", line=b"HTTP/1.0 200 OK"),
        ),
    ),
    AnswerRule(
        "6.1",
        "length beside an answer's coding",
        "An answer with both could be split in two by its reader.",
        deliver(_coding(b"chunked"), sized_answer()),
        stop(
            _coding(b"chunked", b"Content-Length: 12\r\n"),
            answer(b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"{}"),
            _coding(b"chunked", b"Content-Length: 0\r\n"),
            _coding(b"chunked", b"Connection: Transfer-Encoding\r\n"),
            answer(b"Content-Length: 2\r\nConnection: content-length\r\n", b"{}"),
        ),
    ),
    AnswerRule(
        "6.1",
        "codings where no body is",
        "Informational answers and 204 have no transfer coding.",
        deliver(answer(line=b"HTTP/1.1 204 No Content"), answer(b"X-A: b\r\n", line=b"HTTP/1.1 204 No Content")),
        stop(
            _coding(b"chunked", line=b"HTTP/1.1 204 No Content"),
            answer(b"Transfer-Encoding: chunked\r\n", line=b"HTTP/1.1 204 No Content"),
            answer(b"Transfer-Encoding: chunked\r\n", line=b"HTTP/1.1 103 Early Hints") + sized_answer(),
        ),
    ),
    AnswerRule(
        "6.2",
        "digits of an answer's length",
        "An answer's Content-Length is one number, digits only, and stands once.",
        (*deliver(sized_answer(), _length(b"02"), answer(_EMPTY)), Passed(_length(b"\t2 \t"), _length(b"2"))),
        stop(
            _length(b"+2"),
            _length(b"-2"),
            _length(b"0x2"),
            _length(b"2 2"),
            _length(b""),
            _length(b"2, 2"),
            _length(b"2, 4"),
            sized_answer(fields=b"Content-Length: 2\r\n"),
            sized_answer(fields=b"content-length: 20\r\n"),
        ),
    ),
    AnswerRule(
        "6.2",
        "size of an answer's length",
        "An answer's Content-Length above 2^63-1 is refused.",
        deliver(sized_answer(b"x" * 100_000)),
        stop(_length(b"%d" % (_LARGEST + 1)), _length(b"%d" % (2**64 + 2)), _length(b"9" * 5000)),
    ),
    AnswerRule(
        "6.2",
        "lengths where no body is",
        "Informational answers and 204 announce no body by a length either.",
        deliver(answer(_EMPTY, line=b"HTTP/1.1 204 No Content")),
        stop(
            answer(b"Content-Length: 44\r\n", _EVIL, line=b"HTTP/1.1 204 No Content"),
            answer(b"Content-Length: 2\r\n", line=b"HTTP/1.1 204 No Content"),
            answer(b"Content-Length: 2\r\n", b"{}", line=b"HTTP/1.1 103 Early Hints") + sized_answer(),
        ),
    ),
    AnswerRule(
        "6.3",
        "answers without a body",
        "304, 204 and informational answers end with their head; what comes behind answers nobody.",
        (
            *deliver(
                answer(b"Content-Length: 99\r\n", line=b"HTTP/1.1 304 Not Modified"),
                answer(b"Transfer-Encoding: chunked\r\n", line=b"HTTP/1.1 304 Not Modified"),
                answer(b"Link: </x>\r\n", line=b"HTTP/1.1 103 Early Hints") + sized_answer(),
            ),
        ),
        (
            Stopped(
                answer(b"Content-Length: 42\r\n", _EVIL, line=b"HTTP/1.1 304 Not Modified"),
                answer(b"Content-Length: 42\r\n", line=b"HTTP/1.1 304 Not Modified"),
            ),
            Stopped(answer(b"", _EVIL, line=b"HTTP/1.1 204 No Content"), answer(line=b"HTTP/1.1 204 No Content")),
        ),
    ),
    AnswerRule(
        "6.3",
        "answers to HEAD",
        "An answer to HEAD ends with its head, whatever it says of a body.",
        deliver(answer(b"Content-Length: 99\r\n"), answer(b"Transfer-Encoding: chunked\r\n"), answer()),
        (
            Stopped(answer(b"Content-Length: 42\r\n", _EVIL), answer(b"Content-Length: 42\r\n")),
            Stopped(_coding(b"chunked"), answer(b"Transfer-Encoding: chunked\r\n")),
            *stop(_line(b"HTTP/2.0 200 OK"), answer(b"Content-Length: 2, 4\r\n"), _coding(b"gzip")),
        ),
        method=b"HEAD",
    ),
    AnswerRule(
        "6.3",
        "switched protocols",
        "No answer turns the connection into a tunnel, as CONNECT and an upgrade would.",
        deliver(sized_answer()),
        stop(
            answer(line=b"HTTP/1.1 101 Switching Protocols"),
            answer(b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"\x81\x00", line=b"HTTP/1.1 101 Go"),
        ),
    ),
    AnswerRule(
        "6.3",
        "an answer as long as said",
        "An answer that ends before its length is not whole.",
        deliver(sized_answer(b"x" * 5000)),
        stop(_length(b"3"), answer(b"Content-Length: 44\r\n"), _length(b"%d" % _LARGEST)),
        late=True,
    ),
    AnswerRule(
        "6.3",
        "an answer ended by its connection",
        "Without length and coding an answer ends with the connection, and the agent is told that before.",
        (Passed(answer(body=b"to the end"), answer(b"Connection: close\r\n", b"to the end")),),
        (
            *stop(b"HTTP/1.1 200 OK\r\nX-A: b\r\n", b"HTTP/1.1 200 OK\r\n\r", b"HTTP/1.1 2"),
            Stopped(answer(body=b"to the en"), reset=True),
            Stopped(answer(b"Connection: close\r\n", b"to the end", line=b"HTTP/1.0 200 OK"), reset=True),
        ),
        late=True,
    ),
    AnswerRule(
        "6.3",
        "behind an answer",
        "Bytes behind an answer are no answer to the next request, and nobody gets them.",
        deliver(sized_answer(), chunked_answer(b"2\r\n{}\r\n0\r\n\r\n")),
        (
            Stopped(sized_answer() + _EVIL, sized_answer()),
            Stopped(_coding(b"chunked") + _EVIL, _coding(b"chunked")),
            Stopped(answer(_EMPTY) + b"\r\n", answer(_EMPTY)),
        ),
    ),
)

CHUNKS = (
    AnswerRule(
        "7.1",
        "chunks of an answer",
        "Sizes, line endings and the last chunk of an answer are read as strictly as a request's.",
        deliver(
            chunked_answer(b"2\r\n{}\r\n0\r\n\r\n"),
            chunked_answer(b"1\r\n{\r\n0001\r\n}\r\n00\r\n\r\n"),
            chunked_answer(b"A\r\n0123456789\r\n0\r\n\r\n"),
        ),
        stop(
            *(
                chunked_answer(body)
                for body in (
                    b"8000000000000002\r\n{}\r\n0\r\n\r\n",
                    b"10000000000000002\r\n{}\r\n0\r\n\r\n",
                    b"-2\r\n{}\r\n0\r\n\r\n",
                    b"0x2\r\n{}\r\n0\r\n\r\n",
                    b"2 \r\n{}\r\n0\r\n\r\n",
                    b"2\n{}\r\n0\r\n\r\n",
                    b"2\r\n{}0\r\n\r\n",
                    b"2\r\n{}\n0\r\n\r\n",
                    b"2\r\n{}x\r\n0\r\n\r\n",
                    b"2\r\n{}\r\n",
                    b"2\r\n{}\r\n0\r\n",
                    b"\r\n2\r\n{}\r\n0\r\n\r\n",
                )
            )
        ),
        late=True,
    ),
    AnswerRule(
        "7.1.1",
        "extensions of an answer",
        "Extensions of an answer's chunks are passed on where they are well formed and within bounds.",
        deliver(chunked_answer(b'2;a;b=c;d="e"\r\n{}\r\n0;f\r\n\r\n')),
        stop(
            chunked_answer(b"2;\r\n{}\r\n0\r\n\r\n"),
            chunked_answer(b"2;a\n\r\n{}\r\n0\r\n\r\n"),
            chunked_answer(b"2;a\rb\r\n{}\r\n0\r\n\r\n"),
            chunked_answer(b"2;a=" + b"b" * 5000 + b"\r\n{}\r\n0\r\n\r\n"),
        ),
        late=True,
    ),
    AnswerRule(
        "7.1.2",
        "trailers of an answer",
        "Trailers of an answer are field lines that frame nothing; the proxy drops them.",
        (
            Passed(chunked_answer(b"2\r\n{}\r\n0\r\nX-Sum: a\r\n\r\n"), chunked_answer(b"2\r\n{}\r\n0\r\n\r\n")),
            Passed(_coding(b"chunked", b"Trailer: X-Sum\r\n"), _coding(b"chunked")),
        ),
        stop(
            chunked_answer(b"2\r\n{}\r\n0\r\n" + _EVIL),
            chunked_answer(b"2\r\n{}\r\n0\r\nX-A : b\r\n\r\n"),
            chunked_answer(b"2\r\n{}\r\n0\r\n X-A: b\r\n\r\n"),
            chunked_answer(b"2\r\n{}\r\n0\r\nContent-Length: 4\r\n\r\nevil"),
            chunked_answer(b"2\r\n{}\r\n0\r\nX-A: b\nX-B: c\r\n\r\n"),
            chunked_answer(b"2\r\n{}\r\n0\r\n" + b"X-A: b\r\n" * 101 + b"\r\n"),
        ),
        late=True,
    ),
    AnswerRule(
        "7.1.3",
        "content of chunks",
        "The content is the chunks' data in order, whole only with the last chunk; observers get exactly that.",
        deliver(
            chunked_answer(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
            chunked_answer(b"4\r\n0\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n"),
        ),
        stop(
            chunked_answer(b"3\r\nabc\r\n2\r\nd\r\n0\r\n\r\n"),
            chunked_answer(b"3\r\nabc\r\n2\r\ndef\r\n0\r\n\r\n"),
            chunked_answer(b"3\r\nabc\r\n"),
        ),
        late=True,
    ),
    AnswerRule(
        "7.2",
        "compression of an answer",
        "A compressed transfer is stopped; compressed content passes.",
        deliver(sized_answer(b"\x1f\x8b\x08", b"Content-Encoding: gzip\r\n")),
        stop(
            *(
                _coding(value)
                for value in (
                    *(b"gzip", b"x-gzip, chunked", b"deflate, chunked", b"compress, chunked", b"x-compress, chunked"),
                    *(b"gzip;level=9, chunked", b'gzip;a="b, chunked"'),
                )
            )
        ),
    ),
    AnswerRule(
        "7.4",
        "codings nobody offered",
        "The proxy offers a provider no coding but chunked, so it takes no other from it.",
        deliver(_coding(b"chunked")),
        stop(_coding(b"trailers"), _coding(b"trailers, chunked"), _coding(b"br, chunked"), _coding(b"zstd")),
    ),
)

ROWS = HEADS + LENGTHS + CHUNKS
