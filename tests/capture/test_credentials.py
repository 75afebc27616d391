"""Credentials are removed from values of every form, and nothing else is changed."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from promptster.capture.credentials import REMOVED, Credentials

KEY = "sk-ant-0123456789abcdef"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just(f"<{KEY}>"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just(KEY), inner),
    max_leaves=20,
)


def knowing(*values: bytes) -> Credentials:
    """A filter that has seen these credentials."""
    credentials = Credentials()
    credentials.add(values)
    return credentials


def _without(value: Any) -> Any:
    match value:
        case str():
            return value.replace(KEY, REMOVED)
        case list():
            return [_without(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        case dict():
            return {_without(key): _without(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value


@given(JSON)
def test_any_value_loses_them_and_nothing_else(value: Any) -> None:
    """Texts and names at any depth lose them; a value without one is returned unchanged."""
    got = knowing(KEY.encode()).removed_from(value)
    assert got == _without(value)
    assert got is value or KEY in repr(value)


def test_bytes_lose_them_too() -> None:
    """A body that could not be read is filtered as bytes."""
    assert knowing(KEY.encode()).removed_from(b"\xff" + KEY.encode()) == b"\xff" + REMOVED.encode()


def test_a_value_too_deep_to_be_rewritten_is_left_out() -> None:
    """A hostile nesting cannot keep a credential in the value."""
    value: Any = KEY
    for _ in range(100_000):
        value = [value]
    assert knowing(KEY.encode()).removed_from(value) == REMOVED


def test_only_the_latest_are_kept() -> None:
    """Tokens that change with every request do not accumulate, and one that is seen again is kept."""
    credentials = knowing(KEY.encode())
    for number in range(1000):
        credentials.add([b"token-of-a-request-%08d" % number, KEY.encode()])
    assert credentials.removed_from(f"{KEY} token-of-a-request-00000001") == f"{REMOVED} token-of-a-request-00000001"
