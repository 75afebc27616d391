"""Key derivation, sealed bytes, the journal's cipher and the sealed box."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vectors.world import Stream, World

from promptster.protocol import sealing
from promptster.protocol.errors import SealError
from promptster.protocol.sealing import JournalCipher, SealingKey, aead_open, aead_seal

SESSION = "A" * 22


@given(st.binary(max_size=100), st.integers(0, 2**64 - 1))
def test_a_journal_record_opens_at_its_place_only(data: bytes, position: int) -> None:
    """Position, session and key are bound."""
    random = Stream("journal")
    cipher = JournalCipher(bytes(32), SESSION)
    sealed = cipher.seal(data, position=position, random=random)
    assert cipher.open(sealed, position=position) == data
    others = (JournalCipher(bytes(31) + b"\x01", SESSION), JournalCipher(bytes(32), "B" + "A" * 21))
    for other in others:
        with pytest.raises(SealError):
            other.open(sealed, position=position)
    with pytest.raises(SealError):
        cipher.open(sealed, position=position ^ 1)


@given(st.binary(max_size=50), st.data())
def test_no_changed_byte_opens(data: bytes, draw: st.DataObject) -> None:
    """Every byte of sealed data counts."""
    sealed = bytearray(aead_seal(bytes(32), data, aad=b"place", random=Stream("aead")))
    place = draw.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= draw.draw(st.integers(1, 255))
    with pytest.raises(SealError):
        aead_open(bytes(32), bytes(sealed), aad=b"place")


def test_sealed_bytes_have_a_least_length() -> None:
    """Too few bytes are refused before the library is asked."""
    with pytest.raises(SealError) as caught:
        aead_open(bytes(32), bytes(39), aad=b"")
    assert caught.value.code == "sealed_short"


def test_keys_have_32_bytes() -> None:
    """A key of another length is the caller's error."""
    for use in (
        lambda: aead_seal(b"", b"", aad=b"", random=os.urandom),
        lambda: JournalCipher(b"", SESSION),
        lambda: SealingKey(b""),
        lambda: sealing.seal_box(b"", bytes(32)),
        lambda: sealing.access_token(b"", SESSION),
    ):
        with pytest.raises(SealError) as caught:
            use()
        assert (caught.value.code, caught.value.fault) == ("key_size", "local")


@pytest.mark.parametrize("session", ["", "A" * 21, "A" * 23, "=" * 22, "é" * 22])
def test_a_session_is_named_by_16_bytes(session: str) -> None:
    """Other names are refused by type."""
    with pytest.raises(SealError) as caught:
        sealing.session_bytes(session)
    assert caught.value.code == "session"


def test_the_content_key_reaches_the_collector_only() -> None:
    """The box opens with its own private key, and with no other."""
    world = World()
    box = sealing.seal_box(world.content_key, world.sealing.public_key)
    assert world.sealing.open_box(box) == world.content_key
    assert sealing.open_box(box, world.sealing.private_key) == world.content_key
    with pytest.raises(SealError):
        SealingKey.generate(os.urandom).open_box(box)


@pytest.mark.parametrize("point", [bytes(32), (1).to_bytes(32, "little")])
def test_a_sealing_key_of_small_order_is_refused(point: bytes) -> None:
    """Either no one else or everyone could read what is sealed to it."""
    with pytest.raises(SealError) as caught:
        sealing.seal_box(bytes(32), point)
    assert caught.value.code == "sealing_key"


def test_the_token_is_stable_and_bound_to_the_session() -> None:
    """It can be derived again from the content key, and differs between sessions."""
    token = sealing.access_token(bytes(32), SESSION)
    assert token.startswith("pa_")
    assert token == sealing.access_token(bytes(32), SESSION)
    assert token != sealing.access_token(bytes(32), "B" + "A" * 21)


@pytest.mark.parametrize("length", [0, -1, 255 * 32 + 1])
def test_hkdf_gives_what_the_standard_allows(length: int) -> None:
    """Zero bytes, and more than 255 blocks, are refused."""
    with pytest.raises(SealError):
        sealing.hkdf(bytes(32), salt=b"", info=b"", length=length)
    assert len(sealing.hkdf(bytes(32), salt=b"", info=b"", length=255 * 32)) == 255 * 32
