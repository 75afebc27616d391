"""The confirmation code, read a second time from docs/protocol.md alone."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptster.protocol.confirmation import confirmation_code

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def second_reading(public_key: bytes) -> str:
    """The first thirty bits as text, in six groups of five."""
    digest = hashlib.sha256(b"promptster/code/1" + bytes([0]) + public_key).digest()
    bits = "".join(f"{byte:08b}" for byte in digest)
    signs = [ALPHABET[int(bits[start : start + 5], 2)] for start in range(0, 30, 5)]
    return "".join(signs[:3]) + "-" + "".join(signs[3:])


@given(st.binary(min_size=32, max_size=32))
def test_both_readings_agree(public_key: bytes) -> None:
    """They agree on every key, and the code can be read out."""
    code = confirmation_code(public_key)
    assert code == second_reading(public_key)
    assert re.fullmatch(f"[{ALPHABET}]{{3}}-[{ALPHABET}]{{3}}", code)


@pytest.mark.parametrize(
    ("public_key", "code"),
    [(bytes(32), "7XJ-FNV"), (bytes(range(32)), "Q5M-Y8S"), (b"\xff" * 32, "AED-768")],
)
def test_codes_do_not_change(public_key: bytes, code: str) -> None:
    """Every version shows the same codes."""
    assert confirmation_code(public_key) == code
