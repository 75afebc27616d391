"""The confirmation code: what candidate and hiring team read to each other to know that they mean one session."""

from __future__ import annotations

import hashlib
from typing import Final

_CONTEXT = b"promptster/code/1\x00"
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no letter that is taken for a digit or for another letter, on paper or on the phone."""
_BITS = 30
_BITS_OF_A_SIGN = 5
_GROUP = 3


def confirmation_code(session_public_key: bytes) -> str:
    """The code of the session that this key signs, such as ``QK4-7MP``.

    Two sessions have the same code once in a thousand million: enough for a person who compares it with one session,
    and too little for a program to tell sessions apart by.
    """
    digest = hashlib.sha256(_CONTEXT + session_public_key).digest()
    number = int.from_bytes(digest[:4]) >> (32 - _BITS)
    shifts = range(_BITS - _BITS_OF_A_SIGN, -1, -_BITS_OF_A_SIGN)
    signs = "".join(_ALPHABET[(number >> shift) & 31] for shift in shifts)
    return f"{signs[:_GROUP]}-{signs[_GROUP:]}"
