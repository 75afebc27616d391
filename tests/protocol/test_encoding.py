"""Base64url in its one spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.errors import EncodingError


@given(st.binary())
def test_bytes_survive(data: bytes) -> None:
    """Encoding and decoding are each other's inverse."""
    assert b64u_decode(b64u_encode(data)) == data


@given(st.text(max_size=12))
def test_no_two_texts_mean_the_same_bytes(text: str) -> None:
    """Only what encoding would write is decoded; everything else is refused by type."""
    try:
        data = b64u_decode(text)
    except EncodingError:
        return
    assert b64u_encode(data) == text


@pytest.mark.parametrize("text", ["A", "AB=", "A B", "é", "Ab_/", "AA\n", "AB"])
def test_other_spellings_are_refused(text: str) -> None:
    """Padding, white space, the other alphabet and unused bits are refused."""
    with pytest.raises(EncodingError):
        b64u_decode(text)
