"""Canonical documents: one form in both directions, and nothing else."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from tests.vectors.good import documents
from tests.vectors.world import World

from promptster.protocol.consent import Consent
from promptster.protocol.documents import (
    MAX_INTEGER,
    MAX_NESTING,
    DocumentType,
    Form,
    decode,
    encode,
    structure,
)
from promptster.protocol.errors import DocumentError, ProtocolError
from promptster.protocol.receipt import Check, Receipt

_KEYS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=64)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(_KEYS, inner), max_leaves=20)


@given(st.dictionaries(_KEYS, _VALUES))
def test_what_is_written_is_read_back(document: dict[str, Any]) -> None:
    """Every document survives, and its bytes are the RFC 8785 form."""
    data = encode(document)
    assert data == rfc8785.dumps(document)
    assert decode(data) == document


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_by_type(data: bytes) -> None:
    """Only a protocol error is ever raised, and what is read is canonical."""
    try:
        document = decode(data)
    except DocumentError:
        return
    assert encode(document) == data


@given(st.dictionaries(_KEYS, _VALUES, min_size=1), st.data())
def test_one_changed_byte_is_another_document_or_none(document: dict[str, Any], data: st.DataObject) -> None:
    """No two byte strings mean the same document."""
    encoded = bytearray(encode(document))
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))
    try:
        read = decode(bytes(encoded))
    except DocumentError:
        return
    assert json.dumps(read, sort_keys=True) != json.dumps(document, sort_keys=True)


@given(st.binary(max_size=60))
def test_structure_counts_what_a_parser_sees(data: bytes) -> None:
    """Brackets inside strings do not count."""
    try:
        value = json.loads(data)
    except ValueError:
        return
    assert structure(data)[0] == _depth(value)


def _depth(value: Any) -> int:
    if type(value) not in {dict, list}:
        return 0
    items: list[Any] = [*value.values()] if hasattr(value, "values") else [*value]
    return 1 + max(map(_depth, items), default=0)


@pytest.mark.parametrize("text", ['"[[["', '["\\"]",[{"a":"}"}]]', '{"a":[[1],[2]]}', '["\\\\",["]"]]'])
def test_structure_of_tricky_strings(text: str) -> None:
    """Escaped quotes and brackets in strings do not count as structure."""
    assert structure(text.encode())[0] == _depth(json.loads(text))


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"a": 1.5}, "value"),
        ({"a": b"x"}, "value"),
        ({"a": {1}}, "value"),
        ({"A": 1}, "key"),
        ({1: 1}, "key"),
        ({"a": 2**53}, "integer"),
        ({"a": "\ud800"}, "surrogate"),
        ({"a": ("x", ["y"])}, None),
    ],
)
def test_a_writer_refuses_what_a_reader_would(document: Any, code: str | None) -> None:
    """The refusal is the writer's own error; tuples are arrays."""
    if code is None:
        assert decode(encode(document)) == {"a": ["x", ["y"]]}
        return
    with pytest.raises(DocumentError) as caught:
        encode(document)
    assert (caught.value.code, caught.value.fault) == (code, "local")


def test_nesting_is_bounded_at_its_figure() -> None:
    """A document may have 32 levels, but not 33."""
    deep: Any = 1
    for _ in range(MAX_NESTING - 1):
        deep = [deep]
    assert decode(encode({"a": deep})) == {"a": deep}
    with pytest.raises(DocumentError, match="nests"):
        encode({"a": [deep]})


@pytest.mark.parametrize(
    "text", ["[" * 500_000, '{"a":' * 33, '{"a":[' * 20_000 + "]}" * 20_000, '{"a":"[[[","b":' * 40]
)
def test_depth_is_refused_before_anything_is_parsed(text: str) -> None:
    """It has one name at any depth, closed or not, whatever this Python's parser would do with it."""
    with pytest.raises(DocumentError) as caught:
        decode(text.encode())
    assert caught.value.code == "nesting"


def test_brackets_beside_each_other_or_in_text_are_no_depth() -> None:
    """A document may have many brackets next to each other or inside text."""
    document: dict[str, Any] = {"a": [[], {}] * 100, "b": '["' * 100}
    assert decode(encode(document)) == document


@pytest.mark.parametrize("name", sorted(DocumentType))
def test_every_type_has_its_own_payload_type(name: DocumentType) -> None:
    """The DSSE type names the document and the version."""
    assert name.media_type == f"application/vnd.promptster.{name}.v1+json"
    document = documents(World())[name]
    assert document.TYPE is name
    assert type(document).parse(document.payload()) == document


_ODD: list[Any] = [[], {"x": []}, -1, "\n", True, "x" * 70_000]


@pytest.mark.parametrize("name", sorted(DocumentType))
def test_every_key_of_a_document_is_needed(name: str) -> None:
    """Leaving out or changing the type of any key is refused with a typed error."""
    document = documents(World())[name]
    values = json.loads(document.payload())
    for key in values:
        rest = {other: value for other, value in values.items() if other != key}
        with pytest.raises(DocumentError) as caught:
            type(document).parse(encode(rest))
        assert caught.value.code == "keys"
        for odd in _ODD:
            if odd is True and key == "ok":
                continue
            with pytest.raises(DocumentError):
                type(document).parse(encode({**values, key: odd}))


def test_a_record_refuses_to_be_written_with_a_wrong_value() -> None:
    """Writing runs the same checks as reading."""
    receipt = Receipt.parse(documents(World())["receipt"].payload())
    cases: list[dict[str, Any]] = [
        {"n": -1},
        {"n": "0"},
        {"header_sha256": b"x"},
        {"header_sha256": "x"},
        {"session": "x=="},
        {"session": 3},
    ]
    for changes in cases:
        with pytest.raises(DocumentError) as caught:
            dataclasses.replace(receipt, **changes).payload()
        assert (caught.value.code, caught.value.fault) == ("field", "local")


def test_a_record_refuses_to_be_written_too_large() -> None:
    """A type's own limit applies when writing too."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Small(Check):
        LIMIT = 10

    check = Check.parse(documents(World())["check"].payload())
    small = Small(**{field.name: getattr(check, field.name) for field in dataclasses.fields(check)})
    with pytest.raises(DocumentError) as caught:
        small.payload()
    assert (caught.value.code, caught.value.fault) == ("document_size", "local")


@pytest.mark.parametrize(
    "choices", [{}, {"ide": ""}, {"ide": "claude,cursor", "hooks": True, "limit": -1, "note": "größer\u200d 😀"}]
)
def test_choices_are_flags_integers_and_printable_text(choices: dict[str, Any]) -> None:
    """The choices are read as they were written."""
    consent = World().consent_document(choices=choices)
    assert Consent.parse(consent.payload()) == consent


def test_null_is_a_form_of_its_own() -> None:
    """A field that may be null passes null through in both directions."""
    form = Form(write=int, read=str, null=True)
    assert (form.to_json(None), form.from_json(None), form.to_json("3"), form.from_json(3)) == (None, None, 3, "3")


def test_an_error_says_whose_fault_it_is() -> None:
    """By default it is the other side's; text, code and hint are kept."""
    error = ProtocolError("something is off", hint="look again")
    assert (error.code, error.fault, error.hint, str(error)) == ("protocol", "remote", "look again", "something is off")
