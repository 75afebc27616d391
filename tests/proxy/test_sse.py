"""Server-sent events at any cut."""

# pyright: reportPrivateUsage=false
# What a parser holds shows only inside it.

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from promptster.proxy.sse import ServerSentEvent, SseParser


def _parse(data: bytes, *cuts: int) -> list[tuple[str, str]]:
    parser = SseParser()
    edges = [0, *sorted(cuts), len(data)]
    events = [event for a, b in itertools.pairwise(edges) for event in parser.feed(data[a:b])]
    return [(event.event, event.data) for event in events]


STREAM = (
    '\ufeffevent: message_start\r\ndata: {"a":1}\r\n\r\n: comment\rdata: två\rdata\rdata:  spaced\r\r'
    "event: only\n\nid: 7\nretry: 250\ndata: x\nunknown: y\ndata\n\nevent: cut\ndata: lost\n"
).encode()
EXPECTED = [("message_start", '{"a":1}'), ("message", "två\n\n spaced"), ("message", "x\n")]


def test_every_cut_gives_the_same_events() -> None:
    """Two pieces cut anywhere, and single bytes, parse as the whole does."""
    assert _parse(STREAM) == EXPECTED
    for cut in range(len(STREAM)):
        assert _parse(STREAM, cut) == EXPECTED
    assert _parse(STREAM, *range(1, len(STREAM))) == EXPECTED


def test_an_unfinished_event_is_none() -> None:
    """A stream that stops in the middle of an event has not sent it."""
    parser = SseParser()
    assert parser.feed(b"event: a\ndata: x") == []
    assert parser.feed(b"\n") == []
    assert parser.feed(b"\n") == [ServerSentEvent(event="a", data="x")]


def test_the_byte_order_mark_counts_once_and_at_the_start_only() -> None:
    """A second mark belongs to the field's name, which is then unknown."""
    assert _parse(b"\xef\xbb\xbfdata: x\n\n") == [("message", "x")]
    assert _parse(b"\xef\xbb\xbf\xef\xbb\xbfdata: x\n\n") == []
    assert _parse(b"\xef\xbbdata: x\n\n") == []


def test_broken_utf8_is_replaced() -> None:
    """Bytes that are not text become the replacement character."""
    assert _parse(b"data: a\xff\xfeb\n\n") == [("message", "a\ufffd\ufffdb")]


def test_an_oversized_event_is_given_up_and_the_next_one_is_good() -> None:
    """One long line and many short ones use limited memory; comments do not count."""
    for long in (b"data: " + b"x" * 100, b"data: xxxx\n" * 20):
        parser = SseParser(limit=64)
        assert parser.feed(long + b"\n\n") == []
        assert parser.oversized == 1
        assert [event.data for event in parser.feed(b"data: y\n\n")] == ["y"]
    patient = SseParser(limit=64)
    assert [event.data for event in patient.feed(b": keep-alive\n" * 50 + b"data: z\n\n")] == ["z"]


def test_an_endless_line_is_not_kept() -> None:
    """The memory for an overlong line does not grow with it."""
    parser = SseParser(limit=1000)
    for _ in range(1000):
        parser.feed(b"x" * 1000)
    assert sum(map(len, parser._line)) <= 1000


LINES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)


@given(
    events=st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=5),
    ends=st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=1, max_size=5),
    cuts=st.lists(st.integers(0, 200), max_size=12),
)
def test_what_was_sent_is_what_is_parsed(events: list[list[str]], ends: list[str], cuts: list[int]) -> None:
    """For any data, line endings and cuts, the data lines are returned joined by line feeds."""
    end = ends[0]
    text = "".join("".join(f"data: {line}{end}" for line in lines) + end for lines in events)
    data = text.encode()
    inside = [cut for cut in cuts if cut <= len(data)]
    assert _parse(data, *inside) == [("message", "\n".join(lines)) for lines in events]


@given(st.lists(st.binary(max_size=20), max_size=10))
def test_arbitrary_bytes_never_raise(pieces: list[bytes]) -> None:
    """Every byte string is a stream, and cutting it differently changes nothing."""
    parser = SseParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    assert events == SseParser().feed(b"".join(pieces))
