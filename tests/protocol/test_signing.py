"""Ed25519 with this protocol's own refusals, and DSSE's encoding."""

from __future__ import annotations

import hashlib

import nacl.bindings
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vectors.hostile_forms import mixed_order_signature
from tests.vectors.world import World

from promptster.protocol import signing
from promptster.protocol.documents import DocumentType
from promptster.protocol.errors import DocumentError, SignatureError
from promptster.protocol.privacy import Withdrawal
from promptster.protocol.receipt import Receipt
from promptster.protocol.signing import Envelope, SigningKey, open_envelope, pre_authentication_encoding, verify

PRIME = 2**255 - 19


def _add(left: bytes, right: bytes) -> bytes:
    return nacl.bindings.crypto_core_ed25519_add(left, right)


def test_the_encoding_is_the_one_of_dsse() -> None:
    """The example of the DSSE specification, with this protocol's type."""
    media_type = DocumentType.KEY.media_type
    expected = f"DSSEv1 {len(media_type)} {media_type} 11 hello world".encode()
    assert pre_authentication_encoding(DocumentType.KEY, b"hello world") == expected


def test_the_blacklist_is_the_whole_small_subgroup() -> None:
    """Adding a point of order 8 to itself visits exactly the refused values of y."""
    point = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
    seen, current = set[int](), point
    for _ in range(8):
        seen.add(int.from_bytes(current, "little") & ((1 << 255) - 1))
        current = _add(current, point)
    assert seen == set(signing.SMALL_ORDER_Y)
    assert current == point


def test_small_order_keys_would_pass_some_libraries() -> None:
    """A forged signature under the neutral point is refused before any library is asked."""
    neutral = (1).to_bytes(32, "little")
    with pytest.raises(SignatureError) as caught:
        verify(neutral, DocumentType.KEY, b"anything", neutral + bytes(32))
    assert caught.value.code == "public_key_small_order"


def _eight(point: bytes) -> bytes:
    for _ in range(3):
        point = _add(point, point)
    return point


def test_the_equation_without_the_cofactor_decides() -> None:
    """A signature that verifiers with the cofactor accept, as both sides of their equation show, is refused here."""
    message = pre_authentication_encoding(DocumentType.KEY, b"{}")
    public_key, signature = mixed_order_signature(World(), message)
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little")
    reduced = nacl.bindings.crypto_core_ed25519_scalar_reduce(challenge.to_bytes(64, "little"))
    left = nacl.bindings.crypto_scalarmult_ed25519_base_noclamp(signature[32:])
    right = _add(signature[:32], nacl.bindings.crypto_scalarmult_ed25519_noclamp(reduced, public_key))
    assert _eight(left) == _eight(right)
    assert left != right
    with pytest.raises(SignatureError) as caught:
        verify(public_key, DocumentType.KEY, b"{}", signature)
    assert caught.value.code == "signature_mismatch"


def test_a_signature_holds_for_one_type_only() -> None:
    """The same payload under another type does not verify."""
    key = World().collector
    signature = key.sign_bytes(DocumentType.RECEIPT, b"{}")
    verify(key.public_key, DocumentType.RECEIPT, b"{}", signature)
    for other in set(DocumentType) - {DocumentType.RECEIPT}:
        with pytest.raises(SignatureError):
            verify(key.public_key, other, b"{}", signature)


@given(st.integers(0, 63), st.integers(1, 255))
def test_no_changed_signature_verifies(place: int, change: int) -> None:
    """Every byte of a signature counts."""
    key = SigningKey(bytes(32))
    signature = bytearray(key.sign_bytes(DocumentType.KEY, b"{}"))
    signature[place] ^= change
    with pytest.raises(SignatureError):
        verify(key.public_key, DocumentType.KEY, b"{}", bytes(signature))


@given(st.binary(max_size=40), st.binary(max_size=70))
def test_any_key_and_signature_are_judged_by_type(public_key: bytes, signature: bytes) -> None:
    """Only a signature error is ever raised."""
    with pytest.raises(SignatureError):
        verify(public_key, DocumentType.KEY, b"{}", signature)


def test_an_envelope_survives_its_two_forms() -> None:
    """It is read unchanged from JSON and from a canonical document."""
    world = World()
    envelope = world.consent
    assert Envelope.from_json(envelope.to_json()) == envelope
    assert Envelope.decode(envelope.encode()) == envelope


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"payload": "AA"},
        {"payload": "AA", "signature": 1},
        {"payload": 1, "signature": "AA"},
        {"payload": "A", "signature": "AA"},
        {"payload": "AA", "signature": "AA"},
        {"payload": "AA", "signature": "A" * 86, "type": "x"},
    ],
)
def test_other_objects_are_no_envelopes(value: object) -> None:
    """An envelope is exactly two texts, with a signature of 64 bytes."""
    with pytest.raises(DocumentError) as caught:
        Envelope.from_json(value)
    assert caught.value.code == "envelope"


def test_opening_checks_signature_and_type() -> None:
    """An envelope opens only as its own type, and only under its signer's key."""
    world = World()
    withdrawal = Withdrawal(session=world.session, at_ms=1)
    envelope = world.session_key.sign(withdrawal)
    assert open_envelope(Withdrawal, envelope, world.session_key.public_key) == withdrawal
    with pytest.raises(SignatureError):
        open_envelope(Receipt, envelope, world.session_key.public_key)
    with pytest.raises(SignatureError):
        open_envelope(Withdrawal, envelope, world.collector.public_key)


def test_a_key_comes_from_32_bytes() -> None:
    """A key of another length is the caller's error."""
    with pytest.raises(SignatureError) as caught:
        SigningKey(b"short")
    assert (caught.value.code, caught.value.fault) == ("seed_size", "local")
    key = SigningKey.generate(bytes)
    assert key.seed == bytes(32)
    assert key.kid == signing.kid(key.public_key)
    assert len(signing.fingerprint(key.public_key)) == 64
