"""Canonical documents: JSON whose bytes equal their RFC 8785 form, with exactly the keys of their type.

A document type is a frozen keyword-only dataclass below ``Record``; the functions ``text``, ``integer``, ``binary``
and so on declare a field's form. What is refused when reading is refused when writing too, by the same code. ``v``
is in every document and is not a field of the dataclass. Signing is not done here.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn, Self, cast

import rfc8785

from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.errors import DocumentError, EncodingError, Fault

VERSION = 1
"""The version of the wire. It fixes every algorithm; of documents only the policy has a second one."""

MAX_INTEGER = 2**53 - 1
"""Integers of documents stay within what every JSON reader holds exactly."""

MAX_NESTING = 32
"""Levels of objects and arrays in a document, the document itself being the first."""

MAX_DOCUMENT = 1 << 20
"""Bytes of a document for which no smaller limit is given."""

_KEY = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A JSON string, or all the rest after a quote that nothing closes. Possessive: one pass, no memory, for any input."""
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_JOINERS = "\u200c\u200d"
"""Format characters that some scripts need inside words."""
_MAX_DIGITS = len(str(MAX_INTEGER)) + 1
_WRITER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
"""Writes RFC 8785 for what ``_check`` lets through, where names are ASCII and numbers whole: readers compare with it,
because it is several times faster than the library that writes documents."""


class DocumentType(enum.StrEnum):
    """The types that a signature may cover; each has its own DSSE payload type."""

    INVITE = "invite"
    CONSENT = "consent"
    REDEEM = "redeem"
    CERTIFICATE = "certificate"
    BATCH = "batch"
    RECEIPT = "receipt"
    CHECK = "check"
    REDACTION = "redaction"
    WITHDRAWAL = "withdrawal"
    TOMBSTONE = "tombstone"
    CLOSE = "close"
    KEY = "key"

    @property
    def media_type(self) -> str:
        """The DSSE payload type."""
        return f"application/vnd.promptster.{self.value}.v1+json"


def structure(data: bytes) -> tuple[int, int]:
    """How deep the objects and arrays of JSON ``data`` go, and how many commas separate their entries.

    Cheap before parsing, and true for valid JSON; the content of strings does not count.
    """
    brackets, commas = data.count(b"[") + data.count(b"{"), data.count(b",")
    if brackets <= 1 and not commas:
        return brackets, commas
    bare = _STRINGS.sub(b"", data)
    depth = deepest = 0
    for byte in bare.translate(None, _NOT_BRACKETS):
        depth += 1 if byte in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest, bare.count(b",")


def _check(value: object, level: int, fault: Fault) -> None:  # noqa: C901 - one case per JSON type
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise DocumentError("text holds a lone surrogate", code="surrogate", fault=fault) from None
        return
    if isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise DocumentError("an integer exceeds 2^53-1", code="integer", fault=fault)
        return
    if level >= MAX_NESTING and isinstance(value, (Mapping, list, tuple)):
        raise DocumentError(f"a document nests deeper than {MAX_NESTING} levels", code="nesting", fault=fault)
    if isinstance(value, Mapping):
        for key, item in cast("Mapping[object, object]", value).items():
            if not isinstance(key, str) or _KEY.fullmatch(key) is None:
                raise DocumentError("a key is not of the form [a-z0-9_]{1,64}", code="key", fault=fault)
            _check(item, level + 1, fault)
        return
    if isinstance(value, (list, tuple)):
        for item in cast("list[object]", value):
            _check(item, level + 1, fault)
        return
    raise DocumentError(f"a document cannot hold a {type(value).__name__}", code="value", fault=fault)


def encode(document: Mapping[str, Any]) -> bytes:
    """The canonical bytes of a document.

    Raises:
        DocumentError: when the document holds what documents cannot hold.
    """
    _check(document, 0, "local")
    return rfc8785.dumps(cast("dict[str, Any]", document))


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise DocumentError("one object has the same key twice", code="duplicate_key")
    return result


def _refuse_float(text: str) -> NoReturn:
    raise DocumentError(f"a document cannot hold the number {text[:32]}", code="float")


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise DocumentError("an integer exceeds 2^53-1", code="integer")
    return int(text)


def decode(data: bytes, *, limit: int = MAX_DOCUMENT) -> dict[str, Any]:
    """Read a document and demand its canonical form.

    Args:
        data: the document's exact bytes.
        limit: bytes that this kind of document may have.

    Raises:
        DocumentError: when the bytes are too many, not JSON, not an object, or not canonical.
    """
    if len(data) > limit:
        raise DocumentError(f"a document is larger than {limit} bytes", code="document_size")
    if data.count(b"[") + data.count(b"{") > MAX_NESTING and structure(data)[0] > MAX_NESTING:
        raise DocumentError(f"a document nests deeper than {MAX_NESTING} levels", code="nesting")
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=_pairs,
            parse_float=_refuse_float,
            parse_int=_integer,
            parse_constant=_refuse_float,
        )
    except ValueError:
        raise DocumentError("bytes are not JSON in UTF-8", code="json") from None
    if not isinstance(value, dict):
        raise DocumentError("a document is not a JSON object", code="json")
    document = cast("dict[str, Any]", value)
    _check(document, 0, "remote")
    if _WRITER.encode(document).encode() != data:
        raise DocumentError("a document is not in its RFC 8785 form", code="not_canonical")
    return document


@dataclass(frozen=True)
class Form:
    """How one field is written in a document: both directions refuse with ``ValueError`` or ``TypeError``."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    null: bool = False

    def to_json(self, value: Any) -> Any:
        """The JSON value of a field's Python value."""
        return None if self.null and value is None else self.write(value)

    def from_json(self, value: Any) -> Any:
        """The Python value of a field's JSON value."""
        return None if self.null and value is None else self.read(value)


def _declare(form: Form) -> Any:
    return dataclasses.field(metadata={"form": form})


def _same(check: Callable[[Any], None], *, null: bool = False) -> Form:
    def pass_through(value: Any) -> Any:
        check(value)
        return value

    return Form(write=pass_through, read=pass_through, null=null)


def _refuse(condition: bool, message: str) -> None:  # noqa: FBT001 - reads as an assertion
    if condition:
        raise ValueError(message)


def is_printable(value: str, extra: str = "") -> bool:
    """Whether text can be shown as it is: no control or format character but joiners and the ones in ``extra``."""
    return value.translate(dict.fromkeys(map(ord, _JOINERS + extra))).isprintable()


def _is_text(value: Any, limit: int, extra: str) -> None:
    _refuse(not isinstance(value, str), "is not text")
    _refuse(not 1 <= len(value) <= limit, f"does not have 1 to {limit} characters")
    _refuse(not is_printable(value, extra), "holds a control character")


def text(limit: int = 200, *, lines: bool = False, null: bool = False) -> Any:
    """A field of printable text with at most ``limit`` characters, so that no name can pose as a line of its own."""
    return _declare(_same(lambda value: _is_text(value, limit, "\n" if lines else ""), null=null))


def choice(words: type[enum.StrEnum]) -> Any:
    """A field that is one of ``words``."""
    form = _same(lambda value: _refuse(value not in list(words), f"is not one of {', '.join(words)}"))
    return _declare(Form(write=form.write, read=lambda value: words(form.read(value))))


def _is_integer(value: Any, minimum: int, maximum: int) -> None:
    _refuse(not isinstance(value, int) or isinstance(value, bool), "is not an integer")
    _refuse(not minimum <= value <= maximum, f"is not within {minimum} and {maximum}")


def integer(minimum: int = 0, maximum: int = MAX_INTEGER, *, null: bool = False) -> Any:
    """A field with a whole number."""
    return _declare(_same(lambda value: _is_integer(value, minimum, maximum), null=null))


def flag() -> Any:
    """A field that is true or false."""
    return _declare(_same(lambda value: _refuse(not isinstance(value, bool), "is not true or false")))


def _read_binary(value: Any, size: int) -> bytes:
    _refuse(not isinstance(value, str), "is not base64url text")
    data = b64u_decode(value)
    _refuse(len(data) != size, f"does not have {size} bytes")
    return data


def _write_binary(value: Any, size: int) -> str:
    _refuse(not isinstance(value, bytes) or len(value) != size, f"does not have {size} bytes")
    return b64u_encode(value)


def binary(size: int = 32, *, null: bool = False) -> Any:
    """A field of ``size`` bytes: ``bytes`` in Python, base64url in the document."""
    form = Form(write=lambda value: _write_binary(value, size), read=lambda value: _read_binary(value, size), null=null)
    return _declare(form)


def identifier(size: int = 16, *, null: bool = False) -> Any:
    """A field naming something by ``size`` bytes: base64url text in Python and in the document."""
    form = _same(lambda value: _refuse(len(_read_binary(value, size)) != size, "has the wrong length"))
    return _declare(dataclasses.replace(form, null=null))


def hex_digest() -> Any:
    """A SHA-256 that people compare: 64 lower-case hexadecimal digits in Python and in the document."""

    def check(value: Any) -> None:
        _refuse(not isinstance(value, str), "is not text")
        _refuse(re.fullmatch(r"[0-9a-f]{64}", value, re.ASCII) is None, "is not 64 hexadecimal digits")

    return _declare(_same(check))


def _items(value: Any, limit: int) -> list[Any]:
    _refuse(not isinstance(value, (list, tuple)), "is not a list")
    items = list(cast("list[Any]", value))
    _refuse(len(items) > limit, f"has more than {limit} entries")
    return items


def hashes(limit: int) -> Any:
    """A field with a list of at most ``limit`` SHA-256 hashes: a tuple of ``bytes`` in Python."""

    def read(value: Any) -> tuple[bytes, ...]:
        return tuple(_read_binary(item, 32) for item in _items(value, limit))

    def write(value: Any) -> list[str]:
        return [_write_binary(item, 32) for item in _items(value, limit)]

    return _declare(Form(write=write, read=read))


def words(allowed: re.Pattern[str], limit: int, *, least: int = 0) -> Any:
    """A field with a sorted list of ``least`` to ``limit`` distinct words: a tuple in Python."""

    def read(value: Any) -> tuple[str, ...]:
        items = _items(value, limit)
        _refuse(len(items) < least, f"has fewer than {least} entries")
        _refuse(
            any(not isinstance(item, str) or allowed.fullmatch(item) is None for item in items), "has an unknown value"
        )
        _refuse(items != sorted(set(items)), "is not sorted and free of repetition")
        return tuple(items)

    return _declare(Form(write=lambda value: list(read(value)), read=read))


def table(check_item: Callable[[object], bool], limit: int = 32) -> Any:
    """A field with an object of at most ``limit`` scalar values, each accepted by ``check_item``."""

    def read(value: Any) -> dict[str, Any]:
        _refuse(not isinstance(value, Mapping), "is not an object")
        entries = dict(cast("Mapping[str, Any]", value))
        _refuse(len(entries) > limit, f"has more than {limit} entries")
        _refuse(not all(check_item(item) for item in entries.values()), "has a value of the wrong type")
        return entries

    return _declare(Form(write=read, read=read))


@dataclass(frozen=True, kw_only=True)
class Record:
    """A canonical document. Subclasses declare their fields and, if needed, a smaller ``LIMIT``."""

    LIMIT: ClassVar[int] = 64 << 10
    V: ClassVar[int] = VERSION

    @classmethod
    def of_version(cls, _version: object, /) -> type[Self]:
        """The class that reads a document with this ``v``: only a type with several versions has more than one."""
        return cls

    def payload(self) -> bytes:
        """The document's exact bytes.

        Raises:
            DocumentError: when a field's value is not of its form.
        """
        document: dict[str, Any] = {"v": self.V}
        for name, form in _forms(type(self)).items():
            try:
                document[name] = form.to_json(getattr(self, name))
            except (ValueError, TypeError, EncodingError) as error:
                raise DocumentError(f"{name} {error}", code="field", fault="local") from None
        data = encode(document)
        if len(data) > self.LIMIT:
            raise DocumentError(f"a document is larger than {self.LIMIT} bytes", code="document_size", fault="local")
        return data

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Read exactly the bytes that ``payload`` would write.

        Raises:
            DocumentError: when the bytes are not a canonical document of this type.
        """
        document = decode(payload, limit=cls.LIMIT)
        return cls.of_version(document.get("v")).read(document)

    @classmethod
    def read(cls, document: dict[str, Any]) -> Self:
        """Read a document that was decoded already.

        Raises:
            DocumentError: it is not of this type and version.
        """
        forms = _forms(cls)
        if document.keys() != forms.keys() | {"v"}:
            odd = sorted(document.keys() ^ (forms.keys() | {"v"}))
            raise DocumentError(f"keys missing or unknown: {', '.join(odd)[:200]}", code="keys")
        if type(document["v"]) is not int or document["v"] != cls.V:
            raise DocumentError("the document is of another version", code="version")
        values: dict[str, Any] = {}
        for name, form in forms.items():
            try:
                values[name] = form.from_json(document[name])
            except (ValueError, TypeError, EncodingError) as error:
                raise DocumentError(f"{name} {error}", code="field") from None
        return cls(**values)


_FORMS: dict[str, dict[str, Form]] = {}


def _forms(cls: type[Record]) -> dict[str, Form]:
    name = f"{cls.__module__}.{cls.__qualname__}"
    if name not in _FORMS:
        _FORMS[name] = {field.name: field.metadata["form"] for field in dataclasses.fields(cls)}
    return _FORMS[name]


@dataclass(frozen=True, kw_only=True)
class Document(Record):
    """A record that a signature may cover."""

    TYPE: ClassVar[DocumentType]
