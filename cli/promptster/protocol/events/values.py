"""A field's value as bytes, in both directions: text is UTF-8, everything else has one spelling or is refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn, cast

from promptster.protocol.documents import MAX_INTEGER, structure
from promptster.protocol.errors import EventError
from promptster.protocol.events.base import FieldType

MAX_JSON_NESTING: Final = 128
"""Levels of objects and arrays inside a JSON value."""

MAX_JSON_ENTRIES: Final = 500_000
"""Commas between entries of a JSON value: what bounds the memory that reading it takes."""

_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,15}")
_TOO_DEEP: Final = f"[nested deeper than {MAX_JSON_NESTING} levels]"
_MAX_DIGITS = 4000


def _tame_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _tame(value: object, level: int = 1) -> Any:
    """The nearest JSON value: agents and providers send what strict JSON cannot hold."""
    match value:
        case str():
            tamed: Any = _tame_text(value)
        case None | bool():
            tamed = value
        case int():
            tamed = value if abs(value) < 10**_MAX_DIGITS else "[number too long]"
        case float():
            tamed = value if math.isfinite(value) else str(value)
        case Mapping() | list() | tuple() if level > MAX_JSON_NESTING:
            tamed = _TOO_DEEP
        case Mapping():
            items = cast("Mapping[object, object]", value).items()
            tamed = {_tame_text(str(key)): _tame(item, level + 1) for key, item in items}
        case list() | tuple():
            tamed = [_tame(item, level + 1) for item in cast("list[object]", value)]
        case _:
            name = type(value).__name__
            raise EventError(f"a JSON field cannot hold a {name}", code="field_type", fault="local")
    return tamed


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _encode_json(value: object) -> bytes:
    try:
        data = _dump(value)
        depth, commas = structure(data)
    except (ValueError, TypeError, RecursionError):
        depth, commas, data = MAX_JSON_NESTING + 1, 0, b""
    if depth > MAX_JSON_NESTING:
        data = _dump(_tame(value))
        _, commas = structure(data)
    return data if commas <= MAX_JSON_ENTRIES else _dump(data.decode())


def encode_value(field_type: FieldType, value: object) -> bytes:
    """The bytes of a field's value.

    Text with lone surrogates gets U+FFFD in their place; JSON loses what JSON cannot hold (NaN and infinities become
    text, levels below ``MAX_JSON_NESTING`` a marker); JSON of more than ``MAX_JSON_ENTRIES`` becomes a JSON string that
    holds its text.

    Raises:
        EventError: when the value is not of the field's type.
    """
    match field_type, value:
        case "text", str():
            data = _tame_text(value).encode()
        case "bool", bool():
            data = b"true" if value else b"false"
        case "int", int() if not isinstance(value, bool) and abs(value) <= MAX_INTEGER:
            data = b"%d" % value
        case "bytes", bytes():
            data = value
        case "bytes", str():
            data = _tame_text(value).encode()
        case "json", _:
            data = _encode_json(value)
        case _:
            name = type(value).__name__
            raise EventError(f"a field of type {field_type} cannot hold this {name}", code="field_type", fault="local")
    return data


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _decode_json(data: bytes) -> Any:
    text = data.decode()
    depth, commas = structure(data)
    if depth > MAX_JSON_NESTING or commas > MAX_JSON_ENTRIES:
        raise ValueError(_TOO_DEEP)
    value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    if "\\u" in text:
        _dump(value)  # refuses lone surrogates, which a later writer would stumble over
    return value


def decode_value(field_type: FieldType, data: bytes) -> Any:
    """The value that a field's bytes encode.

    Raises:
        EventError: when the bytes are not of the field's type.
    """
    try:
        match field_type:
            case "text":
                return data.decode()
            case "json":
                return _decode_json(data)
            case "int" if _INTEGER.fullmatch(data) and abs(int(data)) <= MAX_INTEGER:
                return int(data)
            case "bool" if data in {b"true", b"false"}:
                return data == b"true"
            case "bytes":
                return data
            case _:
                pass
    except ValueError:
        pass
    raise EventError(f"a value is not of type {field_type}", code="field_value")
