"""The public part of an event: its exact keys, numbers and closed lists, and commitments in place of its fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from promptster.protocol.documents import VERSION, decode
from promptster.protocol.encoding import b64u_decode
from promptster.protocol.errors import DocumentError, EncodingError, EventError, Fault
from promptster.protocol.events.fields import SALT_SIZE
from promptster.protocol.events.kinds import KINDS, Kind
from promptster.protocol.events.sources import SOURCES, Source

MAX_PUBLIC: Final = 64 << 10
"""Bytes of an event's public part."""
MAX_REFS: Final = 256
"""Earlier events that one event may point to."""

_COMMITMENT = 32
_PUBLIC_KEYS = {"v", "seq", "src", "src_seq", "kind", "ms", "mono_ms", "lane", "refs", "r", "c"}


@dataclass(frozen=True, kw_only=True)
class PublicEvent:
    """The public part of an event, read."""

    seq: int
    src: Source
    src_seq: int
    kind: str
    ms: int
    mono_ms: int
    lane: int
    refs: tuple[int, ...]
    commitments: Mapping[str, bytes]

    @classmethod
    def parse(cls, data: bytes) -> PublicEvent:
        """Read an event's public bytes.

        Raises:
            EventError: when they are not an event in canonical form.
        """
        try:
            document = decode(data, limit=MAX_PUBLIC)
        except DocumentError as error:
            raise EventError(f"malformed event: {error}", code="event_document") from None
        if document.keys() != _PUBLIC_KEYS:
            raise EventError("an event does not have exactly the keys of an event", code="event_keys")
        if type(document["v"]) is not int or document["v"] != VERSION:
            raise EventError("an event is of another version", code="event_version")
        return read_public(document, "remote")


def read_public(document: Mapping[str, Any], fault: Fault) -> PublicEvent:
    """An event's document as its public part; one check for both directions.

    Raises:
        EventError: when it is not that of an event; ``fault`` says whose.
    """
    _bytes(document["r"], SALT_SIZE, fault)
    commitments = _commitments(document["c"], fault)
    check_lists(document["src"], document["kind"], commitments, fault)
    seq = _natural(document["seq"], fault)
    return PublicEvent(
        seq=seq,
        src=Source(document["src"]),
        src_seq=_natural(document["src_seq"], fault),
        kind=document["kind"],
        ms=_natural(document["ms"], fault),
        mono_ms=_natural(document["mono_ms"], fault),
        lane=_natural(document["lane"], fault),
        refs=_refs(document["refs"], seq, fault),
        commitments=commitments,
    )


def _natural(value: object, fault: Fault) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise EventError("a number of an event is not a whole number from 0", code="event_number", fault=fault)
    return value


def _refs(value: object, seq: int, fault: Fault) -> tuple[int, ...]:
    if not isinstance(value, list) or len(cast("list[object]", value)) > MAX_REFS:
        raise EventError(f"refs is not a list of at most {MAX_REFS} numbers", code="event_refs", fault=fault)
    refs = tuple(_natural(item, fault) for item in cast("list[object]", value))
    if any(ref >= seq for ref in refs):
        raise EventError("an event points to one that is not before it", code="event_refs", fault=fault)
    return refs


def _bytes(value: object, size: int, fault: Fault) -> bytes:
    if isinstance(value, str):
        try:
            data = b64u_decode(value)
        except EncodingError:
            data = b""
        if len(data) == size:
            return data
    raise EventError(f"an event holds something else than {size} bytes", code="event_bytes", fault=fault)


def _commitments(value: object, fault: Fault) -> dict[str, bytes]:
    if not isinstance(value, dict):
        raise EventError("c is not an object", code="event_keys", fault=fault)
    return {name: _bytes(item, _COMMITMENT, fault) for name, item in cast("dict[str, object]", value).items()}


def check_lists(src: object, kind: object, names: Mapping[str, object], fault: Fault) -> None:
    """Check source, kind and field names against the closed lists.

    Raises:
        EventError: when one of them is not there; ``fault`` says whose.
    """
    if not isinstance(src, str) or src not in SOURCES:
        raise EventError("an event's source is not in the list", code="event_source", fault=fault)
    if not isinstance(kind, str) or kind not in KINDS:
        raise EventError("an event's kind is not in the list", code="event_kind", fault=fault)
    if unknown := names.keys() - KINDS[cast("Kind", kind)]:
        raise EventError(f"{kind} has no field {min(unknown)}", code="event_field", fault=fault)
