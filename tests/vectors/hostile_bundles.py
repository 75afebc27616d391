"""Bundles that are malformed, foreign, or out of order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from tests.vectors.common import ALTERED, CONSISTENT, UNREADABLE, Named, bundle_vector, parts_vector
from tests.vectors.good import succession
from tests.vectors.world import START, World, public_with, small_policy

from promptster.protocol import key_succession
from promptster.protocol.archive import Member, read_archive, write_archive
from promptster.protocol.batch import parse_batch
from promptster.protocol.bundle import BundleParts, write_bundle
from promptster.protocol.signing import Envelope, SigningKey


def vectors() -> Iterator[Named]:
    """All of them."""
    yield from _archives()
    yield from _identity()
    yield from _certified()
    yield from _chains()
    yield from _overlap()


def _nothing(
    name: str, what: str, data: bytes, world: World, finding: str, *, verdict: tuple[str, int] = UNREADABLE
) -> Named:
    return bundle_vector(name, what, data, world, findings=(finding,), verdict=verdict, events=0, shown=0, withheld=0)


def _archives() -> Iterator[Named]:
    world = World()
    data = write_bundle(world.parts())
    members = read_archive(data)
    cut = len(data) // 2
    for name, what, changed in (
        ("prefix", "a byte before the zip", b"\x00" + data),
        ("trailer", "a byte behind the zip", data + b"\x00"),
        ("cut", "half the file", data[:cut]),
        ("empty", "nothing", b""),
        ("not-a-zip", "text", b"hello, this is no bundle"),
        ("time", "a member with a time of its own", data[:10] + b"\x01" + data[11:]),
        ("comment", "a comment at the end", data[:-2] + b"\x01\x00x"),
        ("directory", "a directory that names another offset", data[:-6] + b"\xff" + data[-5:]),
        ("twice", "a member twice", write_archive([*members, members[-1]])),
    ):
        yield _nothing(f"bundle-zip-{name}", f"a bundle: {what}", changed, world, "not_canonical", verdict=UNREADABLE)
    for name, what, changed_members in (
        ("order", "members in another order", [members[1], members[0], *members[2:]]),
        ("missing", "no list of receipts", [m for m in members if m.name != "receipts.jsonl"]),
        ("extra", "a member of another name", [*members, Member("readme.txt", b"hello")]),
        ("traversal", "a member that climbs out", [*members, Member("../../evil", b"x")]),
    ):
        yield _nothing(
            f"bundle-members-{name}",
            f"a bundle: {what}",
            write_archive(changed_members),
            world,
            "members",
            verdict=UNREADABLE,
        )
    position = data.index(b'"kind":"prompt"')
    flipped = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
    yield _nothing("bundle-flipped", "one bit of an event, checksum left", flipped, world, "checksum", verdict=ALTERED)
    for name, member, content in (
        ("envelope", "certificate.json", b"{}"),
        ("envelope-spaces", "consent.json", world.consent.encode().replace(b":", b": ")),
        ("lines", "headers.jsonl", b"{}"),
        ("empty-line", "events.jsonl", b"\n"),
        ("values", "values.bin", b"\x00\x00"),
        ("values-length", "values.bin", bytes(8) + b"\x00\x00\x00\x09abc"),
        ("proof", "proofs.jsonl", b"{}\n"),
        ("checkpoint", "checkpoint.txt", b"\xff"),
    ):
        changed_members = [Member(m.name, content if m.name == member else m.data) for m in members]
        yield _nothing(
            f"bundle-member-{name}",
            f"a bundle: {member} is malformed",
            write_archive(changed_members),
            world,
            "member_malformed",
            verdict=UNREADABLE,
        )


def _void(
    name: str, what: str, world: World, parts: BundleParts, finding: str, *, verdict: tuple[str, int] = ALTERED
) -> Named:
    return _nothing(f"bundle-{name}", what, write_bundle(parts), world, finding, verdict=verdict)


def _identity() -> Iterator[Named]:
    world = World()
    parts = world.parts()
    stranger = World("stranger")
    yield parts_vector(
        "signer-unknown",
        "nobody pinned the collector's key",
        world,
        parts,
        trusted=[],
        findings=("signer_unknown",),
        verdict=CONSISTENT,
    )
    others = stranger.trusted
    yield parts_vector(
        "signer-other",
        "another collector's key is pinned",
        world,
        parts,
        trusted=others,
        findings=("signer_unknown",),
        verdict=CONSISTENT,
    )
    _, records = succession(world)
    newer = [key_succession.parse_keyfile(key_succession.write_keyfile(records)).fingerprints[1]]
    grown = dataclasses.replace(parts, keys=key_succession.write_keyfile(records))
    yield parts_vector(
        "signer-older",
        "the pinned key came after the one that signed",
        world,
        grown,
        trusted=newer,
        findings=("signer_unknown",),
        verdict=CONSISTENT,
    )
    swapped = dataclasses.replace(parts, keys=stranger.keyfile)
    yield _void("foreign-signer", "another collector's keys", world, swapped, "foreign_signer")
    forged_keys = dataclasses.replace(
        parts, keys=key_succession.write_keyfile([*world.key_records[:1], *stranger.key_records])
    )
    yield _void("keys", "a foreign key behind the collector's", world, forged_keys, "keys")
    no_keys = dataclasses.replace(parts, keys=b"{}")
    yield _void("keys-malformed", "a key file without keys", world, no_keys, "keys_malformed", verdict=UNREADABLE)
    forged = stranger.collector.sign(world.certificate_document())
    yield _void(
        "certificate-signature",
        "a certificate that another key signed",
        world,
        dataclasses.replace(parts, certificate=forged),
        "certificate_signature",
    )
    broken = Envelope(parts.certificate.payload[:-1], parts.certificate.signature)
    yield _void(
        "certificate-broken",
        "a certificate that is no document",
        world,
        dataclasses.replace(parts, certificate=broken),
        "certificate_signature",
    )
    spaced = parts.certificate.payload.replace(b":", b": ", 1)
    resigned = Envelope(spaced, world.collector.sign_bytes(world.certificate_document().TYPE, spaced))
    yield _void(
        "certificate-malformed",
        "a certificate that is signed and not canonical",
        world,
        dataclasses.replace(parts, certificate=resigned),
        "certificate_malformed",
        verdict=UNREADABLE,
    )
    other = dataclasses.replace(parts, policy=small_policy(text="Nothing is recorded.").payload())
    yield parts_vector(
        "policy-mismatch", "another policy than the one agreed to", world, other, findings=("policy_mismatch",)
    )
    later = world.session_key.sign(world.consent_document(locale="de"))
    yield parts_vector(
        "consent-mismatch",
        "another consent than the one certified",
        world,
        dataclasses.replace(parts, consent=later),
        findings=("consent_mismatch",),
    )


def _certified() -> Iterator[Named]:
    """Bundles in which the collector itself certified contradictory documents."""
    world = World()
    stranger = SigningKey.generate(world.random)
    world.consent = stranger.sign(world.consent_document())
    world.certificate = world.collector.sign(world.certificate_document())
    yield parts_vector(
        "consent-signature", "a consent that another key signed", world, world.parts(), findings=("consent_signature",)
    )
    world = World()
    world.consent = world.session_key.sign(world.consent_document(organisation="Other"))
    world.certificate = world.collector.sign(world.certificate_document())
    yield parts_vector(
        "consent-other-organisation", "a consent to somebody else", world, world.parts(), findings=("consent_mismatch",)
    )
    world = World()
    spaced = world.consent.payload.replace(b":", b": ", 1)
    world.consent = Envelope(spaced, world.session_key.sign_bytes(world.consent_document().TYPE, spaced))
    world.certificate = world.collector.sign(world.certificate_document())
    yield parts_vector(
        "consent-malformed",
        "a consent that is signed and not canonical",
        world,
        world.parts(),
        findings=("consent_malformed",),
        verdict=UNREADABLE,
    )
    world = World(policy=small_policy(organisation="Other"))
    yield parts_vector(
        "policy-other-organisation", "a policy of somebody else", world, world.parts(), findings=("policy_mismatch",)
    )
    world = World()
    world.policy = b"{}"
    world.consent = world.session_key.sign(world.consent_document())
    world.certificate = world.collector.sign(world.certificate_document())
    yield parts_vector(
        "policy-malformed",
        "a policy that is none",
        world,
        world.parts(),
        findings=("policy_malformed",),
        verdict=UNREADABLE,
    )


def _overlap() -> Iterator[Named]:
    world = World()
    parts = world.parts()
    one, two, _ = parts.headers
    first = parts.events
    back = parse_batch(world.seal(world.events[3:9], n=2, prev=two.sha256))
    yield parts_vector(
        "headers-overlap",
        "behind a missing header, one that reaches back into an earlier batch: its events are not counted twice",
        world,
        dataclasses.replace(
            parts,
            headers=(one, back.envelope),
            events=first[:9],
            values={seq: secrets for seq, secrets in parts.values.items() if seq < 9},
            receipts=(parts.receipts[0], world.receipt(back)),
            checks=(parts.checks[0], world.check(back)),
            proofs=(),
            checkpoint=None,
            close=None,
        ),
        findings=("gap", "chain_broken", "open_ended", "not_in_log"),
        events=5,
        shown=17,
        withheld=0,
    )


def _chains() -> Iterator[Named]:
    world = World()
    parts = world.parts()
    one, two, three = parts.headers
    first = parts.events
    yield parts_vector(
        "headers-reordered",
        "two headers swapped",
        world,
        dataclasses.replace(parts, headers=(two, one, three)),
        findings=("reordered",),
    )
    yield parts_vector(
        "headers-duplicate",
        "a header twice",
        world,
        dataclasses.replace(parts, headers=(one, two, two, three)),
        findings=("duplicate",),
    )
    rival = parse_batch(world.seal(world.events[5:9], n=1, prev=one.sha256)).envelope
    yield parts_vector(
        "headers-conflict",
        "two headers of one number",
        world,
        dataclasses.replace(parts, headers=(one, two, rival, three)),
        findings=("conflict",),
    )
    yield parts_vector(
        "headers-rival",
        "another header than the one received",
        world,
        dataclasses.replace(parts, headers=(one, rival, three)),
        findings=("chain_broken", "conflict", "receipt_missing", "check_missing"),
    )
    yield parts_vector(
        "headers-signature",
        "a header with another signature",
        world,
        dataclasses.replace(parts, headers=(one, Envelope(two.payload, three.signature), three)),
        findings=("header_signature", "gap", "inserted"),
        events=11,
        shown=27,
        withheld=0,
    )
    spaced = two.payload.replace(b":", b": ", 1)
    signed = Envelope(spaced, world.session_key.sign_bytes(parse_batch(world.wires()[0]).header.TYPE, spaced))
    yield parts_vector(
        "headers-malformed",
        "a signed header that is not canonical",
        world,
        dataclasses.replace(parts, headers=(one, signed, three)),
        findings=("header_malformed", "gap", "inserted"),
        verdict=UNREADABLE,
        events=11,
        shown=27,
        withheld=0,
    )
    other = World("stranger")
    alien = world.session_key.sign(dataclasses.replace(parse_batch(world.wires()[0]).header, session=other.session))
    yield parts_vector(
        "headers-foreign",
        "a header of another session",
        world,
        dataclasses.replace(parts, headers=(*parts.headers, alien)),
        findings=("foreign_session",),
    )
    yield parts_vector(
        "events-reordered",
        "two events swapped",
        world,
        dataclasses.replace(parts, events=(first[1], first[0], *first[2:])),
        findings=("reordered",),
    )
    yield parts_vector(
        "events-duplicate",
        "an event twice",
        world,
        dataclasses.replace(parts, events=(first[0], *first)),
        findings=("duplicate",),
    )
    changed = public_with(world.events[1], ms=START)
    yield parts_vector(
        "events-conflict",
        "two versions of an event",
        world,
        dataclasses.replace(parts, events=(*first[:2], changed, *first[2:])),
        findings=("conflict",),
    )
    yield parts_vector(
        "events-changed",
        "an event's time changed",
        world,
        dataclasses.replace(parts, events=(first[0], changed, *first[2:])),
        findings=("root",),
        events=10,
        shown=15,
        withheld=1,
    )
    extra = public_with(world.events[14], seq=15)
    yield parts_vector(
        "events-inserted",
        "an event that no batch covers",
        world,
        dataclasses.replace(parts, events=(*first, extra)),
        findings=("inserted",),
    )
    yield parts_vector(
        "events-malformed",
        "a line that is no event",
        world,
        dataclasses.replace(parts, events=(b"{}", *first[1:])),
        findings=("event_malformed", "gap"),
        events=10,
        shown=15,
        withheld=1,
    )
