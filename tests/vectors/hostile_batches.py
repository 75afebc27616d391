"""Hostile events, values and batches."""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from collections.abc import Iterator
from typing import Any

from tests.vectors.common import Named, refused
from tests.vectors.good import batch_input
from tests.vectors.world import World, drafts, public_with, stored_frame, with_block, with_stored

from promptster.protocol.batch import join_wire, parse_batch
from promptster.protocol.documents import decode, encode
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.events import RecordedEvent, compose
from promptster.protocol.events.fields import (
    FRAME_BLOCK,
    FRAME_EVENT,
    FRAME_SECRETS,
    Block,
    Secret,
    commitment,
    encode_secrets,
    frame,
)
from promptster.protocol.signing import SigningKey


def vectors() -> Iterator[Named]:
    """All of them."""
    yield from _events()
    yield from _values()
    yield from _batches()
    yield from _bodies()


def _events() -> Iterator[Named]:
    world = World()
    event = world.events[3]
    cases: tuple[tuple[str, str, dict[str, Any], str], ...] = (
        ("kind", "a kind outside the list", {"kind": "keystroke"}, "event_kind"),
        ("kind-list", "a list of kinds", {"kind": ["prompt"]}, "event_kind"),
        ("source", "a source outside the list", {"src": "screen"}, "event_source"),
        ("field", "a field that the kind does not have", {"c": {"screen": b64u_encode(bytes(32))}}, "event_field"),
        ("other-field", "a field of another kind", {"c": {"diff": b64u_encode(bytes(32))}}, "event_field"),
        ("commitment", "a commitment of 31 bytes", {"c": {"text": b64u_encode(bytes(31))}}, "event_bytes"),
        ("clear-text", "a value in clear", {"c": {"text": "hello!"}}, "event_bytes"),
        ("commitments-list", "a list of commitments", {"c": []}, "event_keys"),
        ("no-salt", "15 random bytes", {"r": b64u_encode(bytes(15))}, "event_bytes"),
        ("forward-ref", "a reference to a later event", {"refs": [4]}, "event_refs"),
        ("own-ref", "a reference to itself", {"refs": [3]}, "event_refs"),
        ("refs-number", "a number in place of references", {"refs": 1}, "event_refs"),
        ("many-refs", "257 references", {"refs": [0] * 257}, "event_refs"),
        ("negative-ms", "a time before the epoch", {"ms": -1}, "event_number"),
        ("bool-lane", "true as a lane", {"lane": True}, "event_number"),
        ("extra-key", "a key that events do not have", {"session": "x"}, "event_keys"),
        ("missing-key", "no monotonic clock", {"mono_ms": None}, "event_keys"),
        ("version", "another version", {"v": 2}, "event_version"),
    )
    for name, what, changes, code in cases:
        given = {"public": b64u_encode(public_with(event, **changes))}
        yield refused(f"event-{name}", f"an event: {what}", "event", given, code)
    spaced = event.public.replace(b":", b": ", 1)
    yield refused(
        "event-not-canonical", "an event: a space", "event", {"public": b64u_encode(spaced)}, "event_document"
    )
    huge = public_with(event, c={"text": "x" * 70_000})
    yield refused("event-size", "an event: 70000 bytes", "event", {"public": b64u_encode(huge)}, "event_document")


def _values() -> Iterator[Named]:
    for name, field_type, data in (
        ("text", "text", b"\xff"),
        ("text-surrogate", "text", b"\xed\xa0\x80"),
        ("int-zero", "int", b"-0"),
        ("int-plus", "int", b"+1"),
        ("int-lead", "int", b"01"),
        ("int-space", "int", b" 1"),
        ("int-digits", "int", "٣".encode()),
        ("int-large", "int", b"9007199254740992"),
        ("bool", "bool", b"True"),
        ("json-nan", "json", b"NaN"),
        ("json-infinite", "json", b"[1e999]"),
        ("json-surrogate", "json", b'"\\udc00"'),
        ("json-deep", "json", b"[" * 129 + b"]" * 129),
        ("json-very-deep", "json", b"[" * 20_000),
        ("json-bytes", "json", b'"\xff"'),
        ("json-digits", "json", b"1" * 5000),
    ):
        given = {"type": field_type, "data": b64u_encode(data)}
        yield refused(f"value-{name}", f"a value that is not {field_type}", "value", given, "field_value")


def _batch(name: str, what: str, world: World, wire: bytes, code: str) -> Named:
    return refused(f"batch-{name}", what, "batch", batch_input(world, wire), code)


def _batches() -> Iterator[Named]:
    world = World()
    first, second, _ = world.wires()
    one, two = parse_batch(first), parse_batch(second)
    yield _batch("magic", "other first bytes", world, b"PSB2" + first[4:], "magic")
    yield _batch("cut", "the body's tail is missing", world, first[:-1], "body_length")
    yield _batch("cut-header", "cut inside the header", world, first[:100], "cut")
    yield _batch("extra", "a byte behind the body", world, first + b"\x00", "body_length")
    yield _batch("empty", "nothing", world, b"", "magic")
    yield _batch(
        "header-size", "a header of 5000 bytes", world, first[:4] + struct.pack(">H", 5000) + first[6:], "header_size"
    )
    other = parse_batch(world.seal(world.events[:5]))
    yield _batch(
        "swapped-header",
        "another batch's header over this body",
        world,
        join_wire(other.header_bytes, other.signature, one.body),
        "body_hash",
    )
    yield _batch(
        "swapped-signature",
        "another batch's signature",
        world,
        join_wire(one.header_bytes, two.signature, one.body),
        "signature_mismatch",
    )
    stranger = SigningKey.generate(world.random)
    yield _batch(
        "foreign-signer",
        "signed by another key",
        world,
        world.seal(world.events[:5], key=stranger),
        "signature_mismatch",
    )
    spaced = one.header_bytes.replace(b":", b": ", 1)
    resigned = world.session_key.sign_bytes(one.header.TYPE, spaced)
    yield _batch(
        "header-not-canonical",
        "a signed header with a space",
        world,
        join_wire(spaced, resigned, one.body),
        "not_canonical",
    )
    flipped = first[:-1] + bytes([first[-1] ^ 1])
    yield _batch("flipped-body", "one bit of the body", world, flipped, "body_hash")
    body = one.body[:-1] + bytes([one.body[-1] ^ 1])
    header = dataclasses.replace(one.header, ct_sha256=hashlib.sha256(body).digest())
    signed = world.session_key.sign(header)
    yield _batch(
        "flipped-body-signed",
        "one bit of the body, signed again",
        world,
        join_wire(signed.payload, signed.signature, body),
        "sealed",
    )
    moved = world.session_key.sign(dataclasses.replace(one.header, n=1))
    yield _batch(
        "moved", "a body under another number", world, join_wire(moved.payload, moved.signature, one.body), "sealed"
    )
    other_key = {**batch_input(world, first), "content_key": b64u_encode(bytes(32))}
    yield refused("batch-other-key", "another content key", "batch", other_key, "sealed")


def _bodies() -> Iterator[Named]:
    world = World()
    events = world.events[:2]
    plain = b"".join(event.frames() for event in events)
    packed = stored_frame(plain)
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    for name, what, data, code in (
        ("two-frames", "two zstd frames", stored_frame(plain[:100]) + stored_frame(plain[100:]), "zstd_frame"),
        ("frame-tail", "a byte behind the frame", packed + b"\x00", "zstd_frame"),
        ("frame-skippable", "a skippable frame before it", skippable + packed, "zstd_frame"),
        ("frame-skippable-tail", "a skippable frame behind it", packed + skippable, "zstd_frame"),
        ("frame-cut", "half a frame", packed[: len(packed) // 2], "zstd_frame"),
        ("frame-header", "five bytes of a frame", packed[:5], "zstd_frame"),
        ("frame-no-size", "no content size", b"\x28\xb5\x2f\xfd\x00\x58" + packed[9:], "zstd_header"),
        ("frame-dictionary", "a dictionary", stored_frame(plain, dictionary=True), "zstd_header"),
        ("frame-bomb", "a content size of 1 GiB", stored_frame(plain, content_size=1 << 30), "inflated_size"),
        ("frame-window", "a window of 16 MiB", stored_frame(plain, content_size=16 << 20), "zstd_window"),
        (
            "frame-wrong-size",
            "a content size that is not true",
            stored_frame(plain, content_size=len(plain) + 1),
            "zstd_frame",
        ),
        ("not-compressed", "bytes that are not zstd", plain, "zstd_frame"),
    ):
        yield _batch(f"body-{name}", f"a body: {what}", world, world.seal(events, packed=data), code)
    yield from _frames(world)


def _frames(world: World) -> Iterator[Named]:
    events = world.events[:2]
    one, two = events
    whole = [event.frames() for event in events]
    foreign = Block(world.random(16), b"unused")
    block = frame(FRAME_BLOCK, foreign.salt + foreign.data)
    blocked = with_block(two, "text", random=world.random)
    twice = b"".join(frame(FRAME_BLOCK, item.salt + item.data) for item in blocked.blocks * 2)
    reversed_secrets = b"".join(encode_secrets({name: two.secrets[name]}) for name in sorted(two.secrets, reverse=True))
    wrong = {**two.secrets, "text": Secret(two.secrets["text"].salt, b"\x00another text")}
    unknown = {**two.secrets, "zzz": Secret(bytes(16), b"\x00")}
    for name, what, plain, code in (
        ("frame-type", "a frame of type 4", frame(4, b"x") + b"".join(whole), "frame"),
        ("frame-length", "a frame that is cut", b"".join(whole)[:-1], "frame"),
        ("frame-head", "a frame's head that is cut", b"".join(whole) + b"\x01", "frame"),
        (
            "secrets-first",
            "values before their event",
            frame(FRAME_SECRETS, encode_secrets(one.secrets)) + b"".join(whole),
            "frame",
        ),
        (
            "secrets-twice",
            "values twice",
            whole[0] + frame(FRAME_SECRETS, encode_secrets(one.secrets)) + whole[1],
            "frame",
        ),
        (
            "secrets-order",
            "values out of order",
            whole[0] + frame(FRAME_EVENT, two.public) + frame(FRAME_SECRETS, reversed_secrets),
            "secrets",
        ),
        ("secrets-missing", "an event without its values", whole[0] + frame(FRAME_EVENT, two.public), "value_missing"),
        (
            "secrets-wrong",
            "a value that was not committed to",
            whole[0] + frame(FRAME_EVENT, two.public) + frame(FRAME_SECRETS, encode_secrets(wrong)),
            "commitment",
        ),
        (
            "secrets-unknown",
            "a value of no field",
            whole[0] + frame(FRAME_EVENT, two.public) + frame(FRAME_SECRETS, encode_secrets(unknown)),
            "value_unknown",
        ),
        ("block-unused", "a block that nothing refers to", whole[0] + block + whole[1], "block_unused"),
        ("block-last", "a block behind the last event", b"".join(whole) + block, "block_unused"),
        (
            "block-twice",
            "a block twice",
            whole[0]
            + twice
            + frame(FRAME_EVENT, blocked.public)
            + frame(FRAME_SECRETS, encode_secrets(blocked.secrets)),
            "block_repeated",
        ),
        ("block-short", "a block without its salt", whole[0] + frame(FRAME_BLOCK, b"short") + whole[1], "block_size"),
        ("no-events", "no events at all", b"", "count"),
        ("one-event", "one event in place of two", whole[0], "count"),
        ("order", "events in another order", whole[1] + whole[0], "sequence"),
        ("event-twice", "an event twice", whole[0] * 2, "sequence"),
    ):
        yield _batch(f"body-{name}", f"a body: {what}", world, world.seal(events, plain=plain), code)
    yield _batch("body-root", "another root than the events'", world, world.seal(events, root=bytes(32)), "root")
    bare = world.events[7]
    plain = bare.frames() + frame(FRAME_SECRETS, b"")
    yield _batch("body-secrets-empty", "an empty list of values", world, world.seal([bare], plain=plain), "frame")
    many = b"".join(frame(FRAME_BLOCK, Block(world.random(16), bytes([i])).salt + bytes([i])) for i in range(65))
    yield _batch("body-many-blocks", "65 blocks before an event", world, world.seal([bare], plain=many), "frame")
    shifted = compose(drafts()[1], seq=2, src_seq=0, random=world.random)
    yield _batch("body-gap", "a sequence number left out", world, world.seal([one, shifted]), "sequence")
    for name, stored in (
        ("form", b"\x09abc"),
        ("block-id", b"\x01" + bytes(31)),
        ("cut-mark", b"\x02" + bytes(40)),
        ("empty", b""),
    ):
        plain = whole[0] + _forge(two, "text", stored)
        yield _batch(
            f"body-stored-{name}",
            "a stored value of no known form",
            world,
            world.seal(events, plain=plain),
            "value_form",
        )
    bad_type = with_stored(two, "machine", Secret(world.random(16), b"\x00maybe"))
    yield _batch(
        "body-value-type", "a value of another type, committed to", world, world.seal([one, bad_type]), "field_value"
    )


def _forge(event: RecordedEvent, name: str, stored: bytes) -> bytes:
    """Frames of the event with a stored value that no writer would make, committed to."""
    salt = bytes(16)
    document = decode(event.public)
    document["c"] |= {name: b64u_encode(commitment(salt, name, stored))}
    secrets = {**event.secrets, name: Secret(salt, stored)}
    return frame(FRAME_EVENT, encode(document)) + frame(FRAME_SECRETS, encode_secrets(secrets))
