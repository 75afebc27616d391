"""Values of fields as bytes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptster.protocol.documents import MAX_INTEGER, structure
from promptster.protocol.errors import EventError
from promptster.protocol.events.base import FieldType
from promptster.protocol.events.values import MAX_JSON_ENTRIES, MAX_JSON_NESTING, decode_value, encode_value

_TYPES: tuple[FieldType, ...] = ("text", "json", "int", "bool", "bytes")
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
_ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(_JSON)
def test_json_survives(value: Any) -> None:
    """Strict JSON is read as it was written."""
    assert decode_value("json", encode_value("json", value)) == value


@given(st.text(), st.integers(-MAX_INTEGER, MAX_INTEGER), st.booleans(), st.binary())
def test_plain_values_survive(text: str, number: int, truth: bool, data: bytes) -> None:  # noqa: FBT001 - drawn
    """Text, numbers, truth and bytes are read as they were written."""
    assert decode_value("text", encode_value("text", text)) == text
    assert decode_value("int", encode_value("int", number)) == number
    assert decode_value("bool", encode_value("bool", truth)) is truth
    assert decode_value("bytes", encode_value("bytes", data)) == data
    assert decode_value("bytes", encode_value("bytes", text)) == text.encode()


@given(st.sampled_from(_TYPES), st.binary(max_size=40))
def test_any_bytes_are_read_or_refused_by_type(field_type: FieldType, data: bytes) -> None:
    """No stored value raises anything but an event error."""
    try:
        value = decode_value(field_type, data)
    except EventError:
        return
    json.dumps(value if field_type != "bytes" else "", allow_nan=False).encode()


@given(_ANY_TEXT)
@example("a\ud800b")
def test_lone_surrogates_are_replaced(text: str) -> None:
    """Agents send them, but the stored value is valid text."""
    stored = decode_value("text", encode_value("text", text))
    assert stored.encode().decode() == stored
    nested = decode_value("json", encode_value("json", {text: [text]}))
    assert nested == {stored: [stored]}


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (math.nan, "nan"),
        ([math.inf, -math.inf, 1.5], ["inf", "-inf", 1.5]),
        ({"a": (1, None, True)}, {"a": [1, None, True]}),
        ([math.nan, (1, None, True, {2: 3})], ["nan", [1, None, True, {"2": 3}]]),
        pytest.param([math.nan, 10**4000], ["nan", "[number too long]"], id="long"),
        pytest.param(10**5000, "[number too long]", id="very long"),
    ],
)
def test_json_loses_only_what_json_cannot_hold(value: object, stored: object) -> None:
    """What strict JSON cannot express becomes text; the rest stays."""
    assert decode_value("json", encode_value("json", value)) == stored


@pytest.mark.parametrize("levels", [MAX_JSON_NESTING + 1, 900, 5000])
def test_deep_json_is_pruned(levels: int) -> None:
    """However deep an agent's JSON is, it is stored within the limit."""
    deep: Any = "core"
    for _ in range(levels):
        deep = [deep]
    data = encode_value("json", deep)
    assert structure(data)[0] == MAX_JSON_NESTING
    assert b"nested deeper" in data
    decode_value("json", data)


@pytest.mark.parametrize("extra", [1, 2])
def test_json_of_very_many_entries_is_kept_as_text(extra: int) -> None:
    """JSON that would take much of a reader's memory is kept as one string; commas inside strings do not count."""
    value = ["a,b"] * (MAX_JSON_ENTRIES + extra)
    read = decode_value("json", encode_value("json", value))
    assert (read if extra == 1 else json.loads(read)) == value
    with pytest.raises(EventError):
        decode_value("json", b"[" + b"1," * (MAX_JSON_ENTRIES + 1) + b"1]")


def test_json_at_the_bound_is_kept() -> None:
    """128 levels survive."""
    deep: Any = "core"
    for _ in range(MAX_JSON_NESTING):
        deep = {"a": deep}
    assert decode_value("json", encode_value("json", deep)) == deep


@pytest.mark.parametrize(
    ("field_type", "value"),
    [
        ("text", 1),
        ("text", b"x"),
        ("int", True),
        ("int", 1.0),
        ("int", 2**53),
        ("bool", 1),
        ("bytes", 1),
        ("json", {1, 2}),
        ("json", b"x"),
    ],
)
def test_values_of_other_types_are_the_callers_fault(field_type: FieldType, value: object) -> None:
    """They are refused before anything is recorded."""
    with pytest.raises(EventError) as caught:
        encode_value(field_type, value)
    assert (caught.value.code, caught.value.fault) == ("field_type", "local")


def test_a_pair_of_surrogates_written_as_escapes_is_one_character() -> None:
    """Only lone ones are refused."""
    assert decode_value("json", b'"\\ud83d\\ude00"') == "😀"
