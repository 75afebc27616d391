"""How a vector is written down."""

from __future__ import annotations

from typing import Any

from tests.vectors.world import World

from promptster.protocol.bundle import BundleParts, write_bundle
from promptster.protocol.encoding import b64u_encode

ALTERED = ("altered", 10)
INCOMPLETE = ("incomplete", 11)
UNREADABLE = ("unreadable", 12)
CONSISTENT = ("consistent", 13)

Vector = dict[str, Any]
Named = tuple[str, Vector]


def vector(name: str, what: str, kind: str, given: dict[str, Any], expected: dict[str, Any]) -> Named:
    """One vector under its name."""
    return name, {"what": what, "kind": kind, "input": given, "expected": expected}


def refused(name: str, what: str, kind: str, given: dict[str, Any], code: str) -> Named:
    """A vector that is refused, under the name of that refusal."""
    return vector(name, what, kind, given, {"error": code})


def bundle_vector(
    name: str,
    what: str,
    data: bytes,
    world: World,
    *,
    findings: tuple[str, ...] = (),
    verdict: tuple[str, int] = ("verified", 0),
    events: int = 15,
    shown: int = 32,
    withheld: int = 1,
    trusted: list[str] | None = None,
    **given: Any,
) -> Named:
    """A bundle with its verdict."""
    pinned = world.trusted if trusted is None else trusted
    word, exit_code = verdict
    return vector(
        name,
        what,
        "bundle",
        {"data": b64u_encode(data), "trusted": pinned, **given},
        {
            "verdict": word,
            "exit_code": exit_code,
            "findings": sorted(findings),
            "events": events,
            "shown": shown,
            "withheld": withheld,
        },
    )


def parts_vector(name: str, what: str, world: World, parts: BundleParts, **expected: Any) -> Named:
    """A bundle's parts with their verdict: altered, unless ``verdict`` says otherwise."""
    expected.setdefault("verdict", ALTERED)
    return bundle_vector(f"bundle-{name}", what, write_bundle(parts), world, **expected)
