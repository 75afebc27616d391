"""The hook frame is read whole or refused, at any cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptster_hooks import frame


@given(agent=st.sampled_from(["claude", "codex", "cursor"]), payload=st.binary(max_size=300), data=st.data())
def test_a_frame_survives_any_cut(agent: str, payload: bytes, data: st.DataObject) -> None:
    """A frame fed in arbitrary pieces gives its agent and payload once, with the last byte."""
    whole = frame.encode(agent, payload)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=6)))
    reader = frame.FrameReader()
    results = [reader.feed(whole[a:b]) for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert results[-1] == (agent, payload)
    assert results[:-1] == [None] * len(cuts)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1",
        b"PSH2",
        b"PSH1\x01\xff\x00\x00\x00\x00",
        b"PSH1\x01c\xff\xff\xff\xff",
        frame.encode("claude", b"x") + b"y",
    ],
    ids=["another protocol", "another version", "name not ASCII", "too long", "bytes behind it"],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    """Bytes that cannot become a frame raise the typed error."""
    with pytest.raises(frame.FrameError):
        frame.FrameReader().feed(data)


def test_a_payload_over_the_limit_is_cut() -> None:
    """A frame never carries more than the limit that its reader accepts."""
    whole = frame.encode("codex", bytes(frame.PAYLOAD_LIMIT + 1))
    result = frame.FrameReader().feed(whole)
    assert result is not None
    assert len(result[1]) == frame.PAYLOAD_LIMIT
