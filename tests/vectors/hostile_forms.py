"""Hostile texts, documents, signatures and key files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import nacl.bindings
from tests.vectors.common import Named, refused
from tests.vectors.good import documents, succession
from tests.vectors.world import START, World

from promptster.protocol import key_succession
from promptster.protocol.documents import encode
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.signing import Envelope, SigningKey, pre_authentication_encoding

ORDER = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19


def vectors() -> Iterator[Named]:
    """All of them."""
    yield from _texts()
    yield from _canonical()
    yield from _fields()
    yield from _signatures()
    yield from _succession()


def _texts() -> Iterator[Named]:
    for name, what, text in (
        ("padded", "padding", "_w=="),
        ("alphabet", "the other alphabet", "+/8A"),
        ("length", "an impossible length", "AAAAA"),
        ("bits", "unused bits that are not zero", "_x"),
        ("newline", "white space inside", "_w\n"),
    ):
        yield refused(f"base64url-{name}", f"base64url with {what}", "base64url", {"text": text}, "base64url")
    world = World()
    code = world.code
    other = World("other").code
    mixed = f"{code.invite_id}.{b64u_encode(other.secret)}.{code.pin}"
    for name, what, text, error in (
        ("mixed", "an id that is not this secret's", mixed, "invite_mixed"),
        ("no-pin", "no pin: nothing says whose key to trust", code.code.rpartition(".")[0], "invite_malformed"),
        ("short-secret", "a secret of 16 bytes", f"{code.invite_id}.{code.pin}.{code.pin}", "invite_malformed"),
        (
            "no-fragment",
            "a link without what follows the #",
            code.link("https://c.example").split("#")[0],
            "invite_malformed",
        ),
        ("other-scheme", "a link of another scheme", code.link("file:///c.example"), "invite_malformed"),
        (
            "user-info",
            "a link with a user before the host",
            code.link("https://c.example@evil.example"),
            "invite_malformed",
        ),
        ("long", "far too long", code.code + " " * 2 + "A" * 3000, "invite_malformed"),
    ):
        yield refused(f"invite-{name}", f"an invite: {what}", "invite", {"text": text}, error)


def _document(name: str, what: str, kind: str, payload: bytes, code: str) -> Named:
    return refused(f"document-{name}", what, "document", {"type": kind, "payload": b64u_encode(payload)}, code)


def _canonical() -> Iterator[Named]:
    world = World()
    good = documents(world)["withdrawal"].payload()
    text = good.decode()
    document = json.loads(text)
    at = str(document["at_ms"])
    for name, what, payload, code in (
        ("whitespace", "a space behind a colon", text.replace('":', '": ', 1), "not_canonical"),
        (
            "key-order",
            "keys in another order",
            json.dumps(dict(reversed(document.items())), separators=(",", ":")),
            "not_canonical",
        ),
        ("escape", "a letter written as an escape", text.replace("session", "s\\u0065ssion"), "not_canonical"),
        ("number-form", "an integer with a sign", text.replace(at, f"-0{at}"), "json"),
        ("minus-zero", "minus zero", text.replace(at, "-0"), "not_canonical"),
        ("float", "a number with a fraction", text.replace(at, f"{at}.0"), "float"),
        ("exponent", "a number with an exponent", text.replace(at, "1e3"), "float"),
        ("nan", "not a number", text.replace(at, "NaN"), "float"),
        ("large-integer", "an integer above 2^53-1", text.replace(at, str(2**53)), "integer"),
        ("endless-integer", "an integer of 5000 digits", text.replace(at, "1" * 5000), "integer"),
        ("duplicate-key", "a key twice", text.replace('"v":1', '"v":1,"v":1'), "duplicate_key"),
        ("surrogate", "a lone surrogate", text.replace(document["session"], "\\ud800"), "surrogate"),
        ("upper-key", "a key with a capital letter", text.replace('"v":1', '"V":1'), "key"),
        ("long-key", "a key of 65 letters", text.replace('"v":1', f'"{"v" * 65}":1'), "key"),
        ("nesting", "33 levels", text.replace(at, "[" * 32 + "]" * 32), "nesting"),
        ("deep", "33000 levels", "[" * 33_000 + "]" * 33_000, "document_size"),
        ("very-deep", "20000 levels", "[" * 20_000 + "]" * 20_000, "nesting"),
        ("array", "an array", f"[{text}]", "json"),
        ("trailing", "something behind it", text + "\n", "not_canonical"),
        ("cut", "its first half", text[: len(text) // 2], "json"),
        ("empty", "nothing", "", "json"),
    ):
        yield _document(name, f"a document: {what}", "withdrawal", payload.encode(), code)
    yield _document("bom", "a document behind a byte order mark", "withdrawal", b"\xef\xbb\xbf" + good, "json")
    yield _document(
        "latin-1", "a document with a byte that is not UTF-8", "withdrawal", good.replace(b"at_ms", b"at_m\xff"), "json"
    )


def _fields() -> Iterator[Named]:
    world = World()
    known = {name: json.loads(document.payload()) for name, document in documents(world).items()}
    cases: tuple[tuple[str, str, str, dict[str, Any], str], ...] = (
        ("unknown-key", "withdrawal", "a key that is not its own", {"reason": "none"}, "keys"),
        ("version-2", "withdrawal", "another version", {"v": 2}, "version"),
        ("version-true", "withdrawal", "true in place of 1", {"v": True}, "version"),
        ("other-type", "close", "a receipt's keys in a close", known["receipt"], "keys"),
        ("negative", "receipt", "a negative number", {"n": -1}, "field"),
        ("bool-number", "receipt", "true as a number", {"n": True}, "field"),
        ("text-number", "receipt", "a number as text", {"n": "0"}, "field"),
        ("null", "receipt", "null where a value must be", {"n": None}, "field"),
        ("short-hash", "receipt", "a hash of 31 bytes", {"header_sha256": b64u_encode(bytes(31))}, "field"),
        ("padded-hash", "receipt", "a hash with padding", {"header_sha256": b64u_encode(bytes(32)) + "="}, "field"),
        ("number-hash", "receipt", "a hash as a number", {"header_sha256": 1}, "field"),
        ("short-session", "receipt", "a session of 15 bytes", {"session": b64u_encode(bytes(15))}, "field"),
        ("upper-hex", "invite", "hexadecimal digits in capitals", {"policy_sha256": "A" * 64}, "field"),
        ("control", "invite", "a line break in a name", {"organisation": "Acme\nWHAT IS RECORDED"}, "field"),
        ("bidi", "invite", "a right-to-left override in a name", {"organisation": "Acme\u202e"}, "field"),
        ("empty-name", "invite", "an empty name", {"organisation": ""}, "field"),
        ("long-name", "invite", "a name of 201 characters", {"organisation": "A" * 201}, "field"),
        ("outcome", "close", "an outcome that does not exist", {"outcome": "won"}, "field"),
        ("list-choices", "consent", "a list of choices", {"choices": ["ide"]}, "field"),
        ("deep-choices", "consent", "an object inside the choices", {"choices": {"ide": {}}}, "field"),
        ("many-choices", "consent", "33 choices", {"choices": {f"c{i}": True for i in range(33)}}, "field"),
        ("control-choice", "consent", "an escape character in a choice", {"choices": {"ide": "\x1b[2J"}}, "field"),
        ("bidi-choice", "consent", "a right-to-left override in a choice", {"choices": {"ide": "a\u202e"}}, "field"),
        ("negative-limit", "certificate", "a negative limit", {"limits": {"body": -1}}, "field"),
        ("empty-batch", "batch", "a batch of no events", {"count": 0}, "field"),
        ("large-batch", "batch", "a batch of 5001 events", {"count": 5001}, "field"),
        ("large-body", "batch", "a body above 4 MiB", {"len": (4 << 20) + 1}, "field"),
        ("flag", "check", "a word for true", {"ok": "yes"}, "field"),
        ("purpose", "key", "a key for something else", {"purpose": "session"}, "field"),
    )
    for name, kind, what, changes, code in cases:
        document = dict(changes) if name == "other-type" else {**known[kind], **changes}
        yield _document(name, f"{kind}: {what}", kind, encode(document), code)
    document = dict(known["receipt"])
    del document["kid"]
    yield _document("missing-key", "receipt: a key is missing", "receipt", encode(document), "keys")
    for name, what, url in (
        ("control", "a line break", "https://api.example\nWHAT IS NOT RECORDED"),
        ("bidi", "a right-to-left override", "https://api.example/\u202e"),
        ("scheme", "another scheme", "ftp://api.example"),
        ("long", "501 characters", "https://" + "a" * 493),
    ):
        data = encode({**json.loads(world.policy), "providers": {"anthropic": url}})
        yield refused(
            f"policy-url-{name}", f"a policy: {what} in a base URL", "policy", {"data": b64u_encode(data)}, "field"
        )
    document = {**known["batch"], **{f"k{i}": "x" * 600 for i in range(8)}}
    yield _document("large-header", "batch: a header above 4 KiB", "batch", encode(document), "document_size")


SMALL_ORDER = (
    ("zero", 0, 0),
    ("zero-sign", 0, 1),
    ("one", 1, 0),
    ("one-sign", 1, 1),
    ("minus-one", PRIME - 1, 0),
    (
        "order-8",
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        0,
    ),
    (
        "order-8-other",
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
        0,
    ),
)


def point(y: int, sign: int) -> bytes:
    """A point's encoding."""
    return (y | sign << 255).to_bytes(32, "little")


def _signatures() -> Iterator[Named]:
    world = World()
    document = documents(world)["receipt"]
    payload = document.payload()
    key = world.collector
    signature = key.sign_bytes(document.TYPE, payload)
    given = {
        "type": "receipt",
        "public_key": b64u_encode(key.public_key),
        "payload": b64u_encode(payload),
        "signature": b64u_encode(signature),
    }

    def case(name: str, what: str, code: str, **changes: bytes | str) -> Named:
        encoded = {key: value if isinstance(value, str) else b64u_encode(value) for key, value in changes.items()}
        return refused(f"signature-{name}", what, "signature", {**given, **encoded}, code)

    forged = point(1, 0) + bytes(32)
    for name, y, sign in SMALL_ORDER:
        yield case(
            f"key-{name}",
            "a public key of small order",
            "public_key_small_order",
            public_key=point(y, sign),
            signature=forged,
        )
    yield case(
        "key-not-canonical",
        "y = p + 1 for a key",
        "public_key_not_canonical",
        public_key=point(PRIME + 1, 0),
        signature=forged,
    )
    yield case("key-p", "y = p for a key", "public_key_not_canonical", public_key=point(PRIME, 1), signature=forged)
    yield case("key-not-on-curve", "y = 2, of which no point exists", "signature_mismatch", public_key=point(2, 0))
    yield case("key-short", "a key of 31 bytes", "public_key_size", public_key=key.public_key[:31])
    for name, y, sign in (SMALL_ORDER[0], SMALL_ORDER[2], SMALL_ORDER[5]):
        bad = point(y, sign) + signature[32:]
        yield case(f"point-{name}", "a point R of small order", "signature_point_small_order", signature=bad)
    bad = point(PRIME + 3, 0) + signature[32:]
    yield case("point-not-canonical", "a point R with y >= p", "signature_point_not_canonical", signature=bad)
    scalar = int.from_bytes(signature[32:], "little")
    malleable = signature[:32] + (scalar + ORDER).to_bytes(32, "little")
    yield case("scalar-malleable", "S + L in place of S", "signature_scalar", signature=malleable)
    yield case("scalar-order", "S = L", "signature_scalar", signature=signature[:32] + ORDER.to_bytes(32, "little"))
    yield case("short", "a signature of 63 bytes", "signature_size", signature=signature[:63])
    yield case("other-type", "a receipt's signature on a check", "signature_mismatch", type="check")
    yield case("other-payload", "another payload", "signature_mismatch", payload=payload + b" ")
    yield case("other-key", "another key", "signature_mismatch", public_key=world.session_key.public_key)
    plain = key.sign_message(payload)
    yield case("no-pae", "a signature over the payload without DSSE's encoding", "signature_mismatch", signature=plain)
    mixed_key, mixed = mixed_order_signature(world, pre_authentication_encoding(document.TYPE, payload))
    yield case(
        "point-mixed-order",
        "a point R with a part of order 8: only the equation with the cofactor holds",
        "signature_mismatch",
        public_key=mixed_key,
        signature=mixed,
    )


def mixed_order_signature(world: World, message: bytes) -> tuple[bytes, bytes]:
    """A public key and a signature whose R is off by a point of order 8: eight times the equation holds, once not."""
    order_8 = point(*SMALL_ORDER[5][1:])
    secret, nonce = (int.from_bytes(world.random(31), "little") for _ in range(2))
    public_key = _times_base(secret)
    mixed = nacl.bindings.crypto_core_ed25519_add(_times_base(nonce), order_8)
    challenge = int.from_bytes(hashlib.sha512(mixed + public_key + message).digest(), "little")
    return public_key, mixed + ((nonce + challenge * secret) % ORDER).to_bytes(32, "little")


def _times_base(scalar: int) -> bytes:
    return nacl.bindings.crypto_scalarmult_ed25519_base_noclamp(scalar.to_bytes(32, "little"))


def _keyfile(name: str, what: str, records: list[Envelope], code: str) -> Named:
    data = encode({"v": 1, "keys": [record.to_json() for record in records]})
    return refused(f"keyfile-{name}", what, "keyfile", {"data": b64u_encode(data)}, code)


def _succession() -> Iterator[Named]:
    world = World()
    _, records = succession(world)
    stranger = SigningKey.generate(world.random)
    yield _keyfile("empty", "no key at all", [], "keyfile")
    yield _keyfile("log-first", "a log key before any collector key", records[1:], "key_order")
    yield _keyfile("swapped", "a successor before its predecessor", [records[2], records[0]], "key_order")
    yield _keyfile("repeated", "the first key twice", [records[0], records[0]], "key_order")
    again = key_succession.next_key(world.collector, world.collector.public_key, created_ms=START)
    yield _keyfile("own-successor", "a key that follows itself", [records[0], again], "key_repeated")
    foreign = key_succession.next_key(stranger, stranger.public_key, created_ms=START)
    yield _keyfile("foreign-successor", "a successor signed by itself", [records[0], foreign], "key_order")
    record = key_succession.KeyRecord(
        kid=world.collector.kid, purpose=key_succession.KeyPurpose.COLLECTOR, public_key=stranger.public_key,
        created_ms=START, previous=world.collector.kid,
    )  # fmt: skip
    yield _keyfile(
        "forged-successor", "a stranger signs in the key's name", [records[0], stranger.sign(record)], "key_signature"
    )
    no_previous = key_succession.KeyRecord(
        kid=world.collector.kid,
        purpose=key_succession.KeyPurpose.COLLECTOR,
        public_key=stranger.public_key,
        created_ms=START,
        previous=None,
    )
    signed = world.collector.sign(no_previous)
    yield _keyfile("second-first", "a second key that says it is the first", [records[0], signed], "key_order")
    weak = dataclasses.replace(no_previous, public_key=point(1, 0), previous=world.collector.kid)
    yield _keyfile(
        "small-order", "a successor of small order", [records[0], world.collector.sign(weak)], "key_signature"
    )
    broken = Envelope(records[0].payload, bytes(64))
    yield _keyfile("bad-signature", "a first key with a signature of zeros", [broken], "key_signature")
    data = encode({"v": 1, "keys": [{**records[0].to_json(), "kid": "x"}]})
    yield refused(
        "keyfile-envelope", "an envelope with a third key", "keyfile", {"data": b64u_encode(data)}, "envelope"
    )
    data = encode({"v": 2, "keys": []})
    yield refused("keyfile-version", "a key file of another version", "keyfile", {"data": b64u_encode(data)}, "keyfile")
    promoted = key_succession.next_key(world.collector, world.log.public_key, created_ms=START)
    yield _keyfile(
        "log-key-again", "a log key that becomes a collector key", [*world.key_records, promoted], "key_repeated"
    )
    demoted = key_succession.log_key(world.collector, world.collector.public_key, created_ms=START)
    yield _keyfile(
        "collector-key-again", "a collector key that becomes a log key", [records[0], demoted], "key_repeated"
    )
