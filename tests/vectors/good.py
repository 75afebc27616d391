"""Vectors that must be accepted, with the facts that must come out."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Iterator
from typing import Any, cast

import nacl.bindings
from tests.vectors import good_times, versions
from tests.vectors.common import Named, bundle_vector, vector
from tests.vectors.running import DOCUMENTS
from tests.vectors.world import START, World, small_policy, with_block

from promptster.protocol import key_succession, merkle, sealing
from promptster.protocol.batch import parse_batch
from promptster.protocol.bundle import write_bundle
from promptster.protocol.consent import Redeem
from promptster.protocol.documents import Document
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.events import RecordedEvent
from promptster.protocol.events.fields import block_id, commitment
from promptster.protocol.invite import Invite
from promptster.protocol.policy import policy_sha256
from promptster.protocol.privacy import Tombstone, TombstoneOutcome, Withdrawal
from promptster.protocol.signing import Envelope, SigningKey, fingerprint, kid
from promptster.protocol.transparency_log import cosign


def vectors() -> Iterator[Named]:
    """All of them."""
    yield from _texts()
    yield from _documents()
    yield from _keys()
    yield from _events()
    yield from _batches()
    yield from _trees()
    yield from _sealing()
    yield from _bundles()
    yield from versions.good()
    yield from good_times.vectors()


def _texts() -> Iterator[Named]:
    world = World()
    code = world.code
    facts = {"invite_id": code.invite_id, "secret": b64u_encode(code.secret), "pin": code.pin}
    yield vector("base64url", "unpadded base64url", "base64url", {"text": "-_8A"}, {"hex": "fbff00"})
    yield vector("base64url-empty", "nothing is something", "base64url", {"text": ""}, {"hex": ""})
    yield vector("invite-code", "ID.SECRET.PIN", "invite", {"text": code.code}, {**facts, "collector_url": None})
    link = code.link("https://collector.example/base/")
    url = "https://collector.example/base"
    yield vector("invite-link", "URL/i/ID#SECRET.PIN", "invite", {"text": link}, {**facts, "collector_url": url})
    padded = f"  {code.link('http://127.0.0.1:8080')}\n"
    local = {**facts, "collector_url": "http://127.0.0.1:8080"}
    yield vector("invite-link-local", "white space around a link is dropped", "invite", {"text": padded}, local)


def documents(world: World) -> dict[str, Document]:
    """One document of every type."""
    batch = parse_batch(world.wires()[0])
    invite = Invite(
        kid=world.collector.kid,
        invite_id=world.code.invite_id,
        organisation="Acme",
        policy_sha256=policy_sha256(world.policy),
        sealing_key_id=world.sealing.key_id,
        sealing_public_key=world.sealing.public_key,
        expires=START + 72 * 3_600_000,
    )
    tombstone = Tombstone(
        kid=world.collector.kid,
        session=world.session,
        outcome=TombstoneOutcome.WITHDRAWN,
        at_ms=START + 60_000,
        backups_until_ms=START + 60_000 + 7 * 86_400_000,
        batches=3,
        exports=1,
    )
    signed = {
        "receipt": world.receipt(batch),
        "check": world.check(batch),
        "close": world.close(batch),
        "redaction": world.redaction(8, "text"),
    }
    return {
        "invite": invite,
        "consent": world.consent_document(),
        "redeem": Redeem(consent_sha256=world.consent.sha256, box_sha256=hashlib.sha256(b"box").digest()),
        "certificate": world.certificate_document(),
        "batch": batch.header,
        **{name: DOCUMENTS[name].parse(envelope.payload) for name, envelope in signed.items()},
        "withdrawal": Withdrawal(session=world.session, at_ms=START + 50_000),
        "tombstone": tombstone,
        "key": key_succession.KeyRecord.parse(world.key_records[0].payload),
    }


def _documents() -> Iterator[Named]:
    world = World()
    for name, document in documents(world).items():
        payload = b64u_encode(document.payload())
        given = {"type": name, "payload": payload}
        yield vector(f"document-{name}", f"a {name} in its one form", "document", given, {"canonical": True})
        key = world.session_key if name in {"consent", "redeem", "batch", "withdrawal"} else world.collector
        signature = key.sign_bytes(document.TYPE, document.payload())
        yield vector(
            f"signature-{name}",
            f"a {name} under its DSSE type",
            "signature",
            {**given, "public_key": b64u_encode(key.public_key), "signature": b64u_encode(signature)},
            {"kid": kid(key.public_key), "fingerprint": fingerprint(key.public_key)},
        )
    failed = world.check(parse_batch(world.wires()[0]), ok=False, code="commitment")
    given = {"type": "check", "payload": b64u_encode(failed.payload)}
    yield vector("document-check-failed", "a check that failed, with its code", "document", given, {"canonical": True})
    unstated = dataclasses.replace(cast("Tombstone", documents(world)["tombstone"]), backups_until_ms=0)
    given = {"type": "tombstone", "payload": b64u_encode(unstated.payload())}
    what = "a tombstone of a collector that states nothing about backups"
    yield vector("document-tombstone-unstated", what, "document", given, {"canonical": True})
    data = b64u_encode(world.policy)
    yield vector(
        "policy", "a policy's exact bytes and name", "policy", {"data": data}, {"sha256": policy_sha256(world.policy)}
    )


def succession(world: World) -> tuple[SigningKey, list[Envelope]]:
    """A second collector key with a second log key, and all records."""
    second, log = SigningKey.generate(world.random), SigningKey.generate(world.random)
    records = [
        *world.key_records,
        key_succession.next_key(world.collector, second.public_key, created_ms=START + 1),
        key_succession.log_key(second, log.public_key, created_ms=START + 2, previous=world.log.kid),
    ]
    return second, records


def _keys() -> Iterator[Named]:
    world = World()
    one = {"fingerprints": world.trusted, "log": [world.log.kid]}
    yield vector("keyfile", "one collector key, one log key", "keyfile", {"data": b64u_encode(world.keyfile)}, one)
    second, records = succession(world)
    data = b64u_encode(key_succession.write_keyfile(records))
    log = kid(key_succession.KeyRecord.parse(records[-1].payload).public_key)
    both = {"fingerprints": [*world.trusted, fingerprint(second.public_key)], "log": [world.log.kid, log]}
    yield vector("keyfile-succession", "a key signed by the one before it", "keyfile", {"data": data}, both)


def _events() -> Iterator[Named]:
    world = World()
    for event in (world.events[0], world.events[1], world.events[3]):
        facts = {"seq": event.seq, "kind": event.kind, "leaf": event.leaf.hex()}
        yield vector(
            f"event-{event.kind}", "an event's public bytes", "event", {"public": b64u_encode(event.public)}, facts
        )
    salt, stored = world.random(16), b"\x00" + "größer".encode()
    given = {"salt": b64u_encode(salt), "field": "text", "stored": b64u_encode(stored)}
    yield vector(
        "commitment",
        "a value inside its event",
        "commitment",
        given,
        {"commitment": commitment(salt, "text", stored).hex()},
    )
    data = b"a long value"
    given = {"salt": b64u_encode(salt), "data": b64u_encode(data)}
    yield vector("block", "a block's id", "block", given, {"id": block_id(salt, data).hex()})
    for name, field_type, raw, value in (
        ("text", "text", "größer als 0 😀".encode(), "größer als 0 😀"),
        ("json", "json", b'{"b":[1.5,null,"\\u00e9"]}', {"b": [1.5, None, "é"]}),
        ("int", "int", b"-42", -42),
        ("bool", "bool", b"true", True),
    ):
        given = {"type": field_type, "data": b64u_encode(raw)}
        yield vector(f"value-{name}", f"a value of type {field_type}", "value", given, {"value": value})


def batch_input(world: World, wire: bytes) -> dict[str, Any]:
    """What a reader of a batch needs."""
    return {
        "wire": b64u_encode(wire),
        "session_public_key": b64u_encode(world.session_key.public_key),
        "content_key": b64u_encode(world.content_key),
    }


def batch_facts(wire: bytes, events: list[RecordedEvent]) -> dict[str, Any]:
    """What must come out of a good batch."""
    opened = [event.open() for event in events]
    return {
        "header_sha256": parse_batch(wire).header_sha256.hex(),
        "events": [{"seq": event.seq, "kind": event.kind, "fields": event.fields} for event in opened],
    }


def _batches() -> Iterator[Named]:
    world = World()
    for n, wire in enumerate(world.wires()):
        header = parse_batch(wire).header
        facts = batch_facts(wire, world.events[header.first : header.first + header.count])
        yield vector(f"batch-{n}", f"batch {n} of a session", "batch", batch_input(world, wire), facts)
    event = with_block(world.events[1], "text", random=world.random)
    first = [world.events[0], event]
    wire = world.seal(first)
    yield vector(
        "batch-block", "a value that travels as a block", "batch", batch_input(world, wire), batch_facts(wire, first)
    )
    event = with_block(world.events[1], "text", random=world.random, cut=True)
    first = [world.events[0], event]
    wire = world.seal(first)
    facts = batch_facts(wire, first)
    yield vector("batch-cut", "a value that was cut, marked as such", "batch", batch_input(world, wire), facts)


_RFC6962 = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
_ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
"""Known answers that many implementations of RFC 6962 share."""


def tree(size: int) -> list[bytes]:
    """The leaf hashes of the well-known tree."""
    return [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in _RFC6962[:size]]


def _trees() -> Iterator[Named]:
    for size, root in _ROOTS.items():
        listed = {"leaves": list(_RFC6962[:size])}
        yield vector(f"merkle-{size}", f"the root over {size} leaves", "merkle", listed, {"root": root})
    leaves = tree(7)
    proof = merkle.inclusion_proof(leaves, 5)
    given: dict[str, Any] = {
        "leaf": leaves[5].hex(),
        "index": 5,
        "size": 7,
        "proof": [item.hex() for item in proof],
        "root": _ROOTS[7],
    }
    yield vector("inclusion", "leaf 5 of 7", "inclusion", given, {"holds": True})
    proof = merkle.consistency_proof(tree(8), 3)
    hashes = [item.hex() for item in proof]
    given = {"old_size": 3, "old_root": _ROOTS[3], "new_size": 8, "new_root": _ROOTS[8], "proof": hashes}
    yield vector("consistency", "8 leaves start with the same 3", "consistency", given, {"holds": True})
    world = World()
    note, _ = world.log_of([world.redaction(0, "text")])
    lines = note.splitlines()
    facts: dict[str, Any] = {"origin": lines[0], "size": 2, "root": base64.b64decode(lines[2]).hex()}
    given = {"note": note, "public_key": b64u_encode(world.log.public_key)}
    yield vector("checkpoint", "a signed note", "checkpoint", given, facts)
    witness = SigningKey.generate(world.random)
    cosigned = cosign(note, name="witness.example", key=witness, at_ms=START)
    given = {
        "note": cosigned,
        "public_key": b64u_encode(world.log.public_key),
        "witness": {"name": "witness.example", "public_key": b64u_encode(witness.public_key)},
    }
    yield vector(
        "checkpoint-cosigned", "a witness vouches for time", "checkpoint", given, {**facts, "cosigned_ms": START}
    )


def sealed_box(message: bytes, public_key: bytes, ephemeral: bytes) -> bytes:
    """Libsodium's sealed box with the ephemeral key given."""
    ephemeral_public = nacl.bindings.crypto_scalarmult_base(ephemeral)
    nonce = hashlib.blake2b(ephemeral_public + public_key, digest_size=24).digest()
    return ephemeral_public + nacl.bindings.crypto_box(message, nonce, public_key, ephemeral)


def _sealing() -> Iterator[Named]:
    cases: tuple[tuple[str, str, str, str, int, str], ...] = (
        (
            "1", "0b" * 22, "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9", 42,
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            "2", bytes(range(80)).hex(), bytes(range(0x60, 0xB0)).hex(), bytes(range(0xB0, 0x100)).hex(), 82,
            (
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f"
                "09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
            ),
        ),
        (
            "3", "0b" * 22, "", "", 42,
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    )  # fmt: skip
    for number, key, salt, info, length, output in cases:
        given = {"key": key, "salt": salt, "info": info, "length": length}
        yield vector(f"hkdf-rfc5869-{number}", f"test case {number} of RFC 5869", "hkdf", given, {"output": output})
    world = World()
    box = sealed_box(world.content_key, world.sealing.public_key, world.random(32))
    given = {"private_key": b64u_encode(world.sealing.private_key), "box": b64u_encode(box)}
    facts = {"content_key": b64u_encode(world.content_key)}
    yield vector("sealed-box", "the content key for the collector", "sealed_box", given, facts)
    given = {"content_key": b64u_encode(bytes(32)), "session": "A" * 22}
    derived = sealing.hkdf(bytes(32), salt=bytes(16), info=b"promptster/access/1")
    yield vector(
        "access-token", "the candidate's token", "access_token", given, {"token": f"pa_{b64u_encode(derived)}"}
    )
    for name, public_key, code in (
        ("zeros", bytes(32), "7XJ-FNV"),
        ("counted", bytes(range(32)), "Q5M-Y8S"),
        ("ones", b"\xff" * 32, "AED-768"),
    ):
        given = {"session_public_key": b64u_encode(public_key)}
        what = "the first 30 bits, highest first"
        yield vector(f"confirmation-code-{name}", what, "confirmation_code", given, {"code": code})


def _bundles() -> Iterator[Named]:
    world = World()
    parts = world.parts()
    yield bundle_vector("bundle", "a whole session, one value redacted by the candidate", write_bundle(parts), world)

    without_log = dataclasses.replace(parts, checkpoint=None, proofs=())
    yield bundle_vector(
        "bundle-not-in-log",
        "a certificate without a word about the log promises none",
        write_bundle(without_log),
        world,
        findings=("not_in_log",),
    )

    world = World(log=0)
    without_log = world.parts(checkpoint=None, proofs=())
    yield bundle_vector(
        "bundle-log-not-promised", "a certificate whose word about the log is 0 promises none",
        write_bundle(without_log), world, findings=("not_in_log",),
    )  # fmt: skip
    world = World(log=1)
    yield bundle_vector(
        "bundle-log", "a log is promised, and every receipt has its proof", write_bundle(world.parts()), world
    )
    world = World(log=7)
    yield bundle_vector("bundle-log-later", "any number from 1 is the same promise", write_bundle(world.parts()), world)

    world = World()
    redacted = world.parts(redactions=[world.redaction(1, "text")])
    yield bundle_vector(
        "bundle-redacted", "a value redacted by the collector, with a record", write_bundle(redacted), world,
        shown=31, withheld=2,
    )  # fmt: skip

    world = World()
    world.events[1] = with_block(world.events[1], "text", random=world.random)
    yield bundle_vector("bundle-block", "a value in a block", write_bundle(world.parts()), world)

    world = World()
    world.events[1] = with_block(world.events[1], "text", random=world.random)
    block = world.events[1].blocks[0].id
    hidden = world.parts(redactions=[world.redaction(1, "text", block=block)])
    yield bundle_vector(
        "bundle-block-redacted", "a value redacted with its block", write_bundle(hidden), world, shown=31, withheld=2
    )

    world = World()
    parts = world.parts()
    witness = SigningKey.generate(world.random)
    assert parts.checkpoint is not None
    noted = dataclasses.replace(
        parts, checkpoint=cosign(parts.checkpoint, name="witness.example", key=witness, at_ms=START)
    )
    yield bundle_vector(
        "bundle-cosigned", "a witness cosigned the checkpoint", write_bundle(noted), world,
        witnesses={"witness.example": b64u_encode(witness.public_key)},
    )  # fmt: skip

    world = World()
    second, records = succession(world)
    world.key_records = records
    rotated = write_bundle(world.parts(key=second))
    yield bundle_vector("bundle-rotated", "the collector's key changed during the session", rotated, world)

    world = World(policy=small_policy(kinds=("opened", "closed", "prompt")))
    parts = world.parts(checkpoint=None, proofs=())
    yield bundle_vector(
        "bundle-outside-policy", "events outside the policy are named, their values left out, and the code stays",
        write_bundle(parts), world, findings=("not_in_log", "outside_policy"), shown=8, withheld=25,
    )  # fmt: skip
