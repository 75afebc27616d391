"""Hundreds of forged bundles from seeds, by outsiders, by the candidate and by another collector; none verifies."""

from __future__ import annotations

import dataclasses
import random as pseudo
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs
from tests.vectors.world import World, drafts

from promptster.protocol.archive import Member, read_archive, write_archive
from promptster.protocol.bundle import BundleParts, write_bundle
from promptster.protocol.errors import ProtocolError
from promptster.protocol.signing import Envelope
from promptster.protocol.verification import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 150
CANDIDATES = ("headers", "events", "values")
"""What the session's key signs, or signs for."""
COLLECTORS = ("receipts", "checks", "close", "proofs", "checkpoint")
"""What the collector's keys sign."""


@cache
def real() -> tuple[World, BundleParts, bytes]:
    """The session that is forged."""
    world = World(log=1)  # every receipt is promised a place in the log
    parts = world.parts()
    data = write_bundle(parts)
    assert verify_bundle(data, trusted=world.trusted).exit_code == 0
    return world, parts, data


def rewritten(chosen: pseudo.Random) -> BundleParts:
    """The same keys with another story: one text differs, so that everything is signed again."""
    told = drafts()
    place = chosen.choice([at for at, draft in enumerate(told) if isinstance(draft.fields.get("text"), str)])
    told[place] = dataclasses.replace(
        told[place], event=structs.replace(told[place].event, text=f"forged {chosen.random()}")
    )
    return World(told=told, log=1).parts()


def accepted(data: bytes) -> bool:
    """Whether a verifier that trusts the real collector calls this bundle verified."""
    return verify_bundle(data, trusted=real()[0].trusted).exit_code == 0


def flipped(data: bytes, chosen: pseudo.Random) -> bytes:
    """Flip one bit."""
    place = chosen.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << chosen.randrange(8)]) + data[place + 1 :]


def bit_of_the_file(chosen: pseudo.Random) -> bytes:
    """Flip a bit of the file."""
    return flipped(real()[2], chosen)


def bit_of_a_member(chosen: pseudo.Random) -> bytes:
    """Flip a bit of a member's content, in an archive that is valid again."""
    members = read_archive(real()[2])
    full = [at for at, member in enumerate(members) if member.data]
    place = chosen.choice(full)
    members[place] = Member(members[place].name, flipped(members[place].data, chosen))
    return write_archive(members)


def lists_without_order(chosen: pseudo.Random) -> bytes:
    """Drop, repeat or move an entry of a list."""
    parts = real()[1]
    name = chosen.choice(["headers", "events", "receipts", "checks", "proofs"])
    items = list(getattr(parts, name))
    place = chosen.randrange(len(items))
    match chosen.randrange(3):
        case 0:
            del items[place]
        case 1:
            items.insert(place, items[place])
        case _:
            items.append(items.pop(place if place < len(items) - 1 else 0))
    changes: dict[str, Any] = {name: tuple(items)}
    return write_bundle(dataclasses.replace(parts, **changes))


def signatures_of_others(chosen: pseudo.Random) -> bytes:
    """Put a signature under another document."""
    parts = real()[1]
    name = chosen.choice(["certificate", "consent", "close", "headers", "receipts", "checks"])
    other = chosen.choice([*parts.headers, *parts.receipts, *parts.checks, parts.certificate, parts.consent])
    found: Any = getattr(parts, name)
    if isinstance(found, Envelope):
        under = flipped(found.signature, chosen) if other.signature == found.signature else other.signature
        changes: dict[str, Any] = {name: Envelope(found.payload, under)}
        return write_bundle(dataclasses.replace(parts, **changes))
    envelopes: list[Envelope] = list(found)
    place = chosen.randrange(len(envelopes))
    was = envelopes[place]
    under = flipped(was.signature, chosen) if other.signature == was.signature else other.signature
    envelopes[place] = Envelope(was.payload, under)
    changes = {name: tuple(envelopes)}
    return write_bundle(dataclasses.replace(parts, **changes))


def values_of_others(chosen: pseudo.Random) -> bytes:
    """Remove a shown value, or put it in another one's place."""
    parts = real()[1]
    values = {seq: dict(fields) for seq, fields in parts.values.items()}
    seq = chosen.choice(sorted(values))
    name = chosen.choice(sorted(values[seq]))
    if chosen.random() < 0.5:
        del values[seq][name]
        if not values[seq]:
            del values[seq]
    else:
        elsewhere = chosen.choice([other for other in sorted(values) if other != seq])
        values[seq][name] = chosen.choice(list(values[elsewhere].values()))
    return write_bundle(dataclasses.replace(parts, values=values))


def signed_again_by_the_candidate(chosen: pseudo.Random) -> bytes:
    """Another story under the session's own key, with what the collector signed for the real one."""
    told = {name: getattr(rewritten(chosen), name) for name in CANDIDATES}
    return write_bundle(dataclasses.replace(real()[1], **told))


def mixed(chosen: pseudo.Random) -> bytes:
    """Parts of two sessions with the same keys, never all of one."""
    parts, other = real()[1], rewritten(chosen)
    names = [*CANDIDATES, *COLLECTORS]
    taken = chosen.sample(names, chosen.randrange(1, len(names)))
    return write_bundle(dataclasses.replace(parts, **{name: getattr(other, name) for name in taken}))


def signed_by_another_collector(chosen: pseudo.Random) -> bytes:
    """A whole session of an untrusted collector, consistent in itself or with parts of the real one."""
    other = World(f"another {chosen.random()}", log=1).parts()
    names = chosen.sample(["keys", "certificate", "consent", *COLLECTORS], chosen.randrange(3))
    return write_bundle(dataclasses.replace(other, **{name: getattr(real()[1], name) for name in names}))


FORGERS: tuple[Callable[[pseudo.Random], bytes], ...] = (
    bit_of_the_file,
    bit_of_a_member,
    lists_without_order,
    signatures_of_others,
    values_of_others,
    signed_again_by_the_candidate,
    mixed,
    signed_by_another_collector,
)


@pytest.mark.parametrize("forge", FORGERS, ids=[forge.__name__ for forge in FORGERS])
def test_no_forgery_verifies(forge: Callable[[pseudo.Random], bytes]) -> None:
    """No forged bundle verifies, whichever key the forger has, and no other error is raised."""
    rounds = ROUNDS if forge in {bit_of_the_file, bit_of_a_member} else ROUNDS // 4
    for seed in range(rounds):
        chosen = pseudo.Random(f"{forge.__name__} {seed}")  # noqa: S311 - picks cases, not secrets
        try:
            data = forge(chosen)
        except ProtocolError:  # the writer itself refuses some of them
            continue
        assert data != real()[2], seed
        assert not accepted(data), seed
