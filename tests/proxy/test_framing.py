"""Where bodies end."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptster.proxy.framing import Body, ChunkedBody, CloseDelimitedBody, FramingError, SizedBody

CHUNKS = st.lists(
    st.tuples(st.binary(min_size=1, max_size=40), st.sampled_from([b"", b";a=b", b' ;q="x y"', b"; a = b ;c"]))
)
CUTS = st.lists(st.integers(0, 400), max_size=20)


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({cut for cut in cuts if cut < len(data)}), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def _run(body: Body, pieces: list[bytes]) -> tuple[bytes, bytes, bytes]:
    wire, payload, rest = b"", b"", b""
    for piece in pieces:
        if body.done:
            rest += piece
            continue
        forward, content, extra = body.feed(piece)
        wire, payload, rest = wire + forward, payload + content, rest + extra
    return wire, payload, rest


@given(
    chunks=CHUNKS,
    cuts=CUTS,
    trailer=st.sampled_from([b"", b"X-T: v\r\n", b"A: b\r\nC: d\r\n"]),
    rest=st.binary(max_size=9),
)
def test_chunked_bytes_pass_unchanged_at_any_cut(
    chunks: list[tuple[bytes, bytes]], cuts: list[int], trailer: bytes, rest: bytes
) -> None:
    """Sizes, extensions and data are forwarded as they are; the payload is the data; trailers are left out."""
    body = b"".join(b"%X%s\r\n%s\r\n" % (len(data), ext, data) for data, ext in chunks) + b"0\r\n"
    tracker = ChunkedBody()
    wire, payload, extra = _run(tracker, _cut(body + trailer + b"\r\n" + rest, cuts))
    assert tracker.done
    assert tracker.ends_at_eof()
    assert wire == body + b"\r\n"
    assert payload == b"".join(data for data, _ in chunks)
    assert extra == rest


@given(data=st.binary(max_size=60), rest=st.binary(max_size=9), cuts=CUTS)
def test_a_sized_body_ends_at_its_length(data: bytes, rest: bytes, cuts: list[int]) -> None:
    """Exactly that many bytes are the body's."""
    tracker = SizedBody(len(data))
    wire, payload, extra = _run(tracker, _cut(data + rest, cuts))
    assert (wire, payload, extra) == (data, data, rest)
    assert tracker.done


def test_a_body_cut_short_is_not_done() -> None:
    """The end of the connection ends neither a sized nor a chunked body early; an open body ends with it."""
    for tracker, data in ((SizedBody(5), b"four"), (ChunkedBody(), b"4\r\nfour\r\n"), (ChunkedBody(), b"0\r\n")):
        tracker.feed(data)
        assert not tracker.ends_at_eof()
    opened = CloseDelimitedBody()
    assert opened.feed(b"any") == (b"any", b"any", b"")
    assert opened.ends_at_eof()


def test_the_last_chunk_is_forwarded_when_it_arrives() -> None:
    """An agent that ends at the empty chunk does not wait for trailers that are dropped anyway."""
    tracker = ChunkedBody()
    assert tracker.feed(b"3\r\nabc\r\n0\r\n")[0] == b"3\r\nabc\r\n0\r\n"
    assert tracker.feed(b"X: y\r\n")[0] == b""
    assert tracker.feed(b"\r")[0] == b""
    assert tracker.feed(b"\nGET")[0] == b"\r\n"


def test_a_requests_last_chunk_waits_for_its_trailers() -> None:
    """Until the trailers are read they may prove broken, so the provider must not yet see the request as complete."""
    tracker = ChunkedBody(hold_last=True)
    assert tracker.feed(b"3\r\nabc\r\n0;a=b\r\n")[0] == b"3\r\nabc\r\n"
    assert tracker.feed(b"X: y\r\n\r")[0] == b""
    assert tracker.feed(b"\nGET")[0] == b"0;a=b\r\n\r\n"
    assert tracker.done


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"x\r\n",
        b"5\nhello",
        b"5\r\nhelloX\r\n",
        b"5\r\nhello\n",
        b"-5\r\n",
        b"0x5\r\n",
        b"5;a\x00\r\n",
        b"5;a\rb\r\n",
        b" 5\r\n",
        b"5 5\r\n",
        b"FFFFFFFFFFFFFFFF\r\n",
        b"5" * 5000,
        b"0\r\nX: y\nZ: a\r\n\r\n",
        b"0\r\n" + b"X: " + b"y" * 4000 + b"\r\n" + (b"X: " + b"y" * 4000 + b"\r\n") * 20,
    ],
)
def test_broken_chunks_are_an_error(data: bytes) -> None:
    """Bytes that two readers could frame differently are refused."""
    with pytest.raises(FramingError):
        ChunkedBody().feed(data)
    with pytest.raises(FramingError):
        _run(ChunkedBody(), [bytes([byte]) for byte in data])


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_arbitrary_bytes_never_raise_anything_else(pieces: list[bytes]) -> None:
    """A chunked body is followed or refused."""
    tracker = ChunkedBody()
    try:
        _run(tracker, pieces)
    except FramingError:
        assert not tracker.done
