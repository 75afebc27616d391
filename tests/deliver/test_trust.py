"""Trust begins at the pinned key and extends to its successors, and to no other key."""

from __future__ import annotations

import itertools

import pytest
from tests.helpers.certified import NOW_MS, SeededBytes

from promptster.deliver.trust import TrustedKeys
from promptster.errors import CollectorError
from promptster.protocol.errors import KeyringError, SignatureError
from promptster.protocol.key_succession import first_key, next_key, write_keyfile
from promptster.protocol.signing import SigningKey, fingerprint


def key(name: str) -> SigningKey:
    """A different key for each name."""
    return SigningKey.generate(SeededBytes(0, name))


def succession(*keys: SigningKey) -> bytes:
    """A key file in which each key is signed by the one before."""
    records = [first_key(keys[0], created_ms=NOW_MS)]
    records += [next_key(old, new.public_key, created_ms=NOW_MS) for old, new in itertools.pairwise(keys)]
    return write_keyfile(records)


OLD, PINNED, NEXT, LATER = (key(name) for name in ("old", "pinned", "next", "later"))


class Kept:
    """Trusts keys from ``PINNED`` on, and remembers what was kept."""

    def __init__(self, keyfile: bytes) -> None:
        self.kept: list[bytes] = []
        self.keys = TrustedKeys(keyfile, pin=PINNED.kid, keep=self.kept.append)


def test_a_key_in_front_of_the_pinned_one_is_not_believed() -> None:
    """Anyone may have made it: naming a successor needs only that key's public half."""
    keys = Kept(succession(OLD, PINNED, NEXT)).keys
    assert keys.find(PINNED.kid) == PINNED.public_key
    assert keys.find(NEXT.kid) == NEXT.public_key
    assert keys.fingerprints == (fingerprint(PINNED.public_key), fingerprint(NEXT.public_key))
    with pytest.raises(SignatureError) as error:
        keys.find(OLD.kid)
    assert error.value.code == "unknown_signer"


def test_a_key_file_without_the_pinned_key_is_refused() -> None:
    """Without the pinned key there is nothing to begin with."""
    with pytest.raises(KeyringError):
        Kept(succession(OLD, NEXT))


def test_what_is_added_after_is_kept_before_it_is_believed() -> None:
    """If the disk refuses, the trusted keys are unchanged."""
    made = Kept(succession(PINNED))
    assert made.keys.take_over(succession(PINNED, NEXT))
    assert made.kept == [succession(PINNED, NEXT)]
    assert made.keys.take_over(succession(PINNED, NEXT, LATER))
    assert made.keys.find(LATER.kid) == LATER.public_key

    def full(_keyfile: bytes) -> None:
        raise OSError(28, "no space")

    refused = TrustedKeys(succession(PINNED), pin=PINNED.kid, keep=full)
    with pytest.raises(OSError, match="no space"):
        refused.take_over(succession(PINNED, NEXT))
    with pytest.raises(SignatureError):
        refused.find(NEXT.kid)


@pytest.mark.parametrize(
    ("offered", "fits"),
    [
        (succession(PINNED, NEXT), True),
        (succession(OLD, PINNED, NEXT), True),
        (succession(PINNED), False),
        (succession(PINNED, LATER), False),
        (succession(NEXT, PINNED), False),
        (succession(OLD), False),
        (b"{}", False),
        (b"", False),
    ],
    ids=["same", "in front", "fewer", "sibling", "turned round", "others", "no key file", "empty"],
)
def test_other_key_files_change_nothing(*, offered: bytes, fits: bool) -> None:
    """A shorter file, a sibling of a known successor, another collector's file, or none changes nothing."""
    made = Kept(succession(PINNED, NEXT))
    assert made.keys.take_over(offered) is fits
    assert made.kept == []
    assert made.keys.fingerprints == (fingerprint(PINNED.public_key), fingerprint(NEXT.public_key))


class _Collector:
    """Answers with one key file, or not at all."""

    def __init__(self, keyfile: bytes | None) -> None:
        self.keyfile = keyfile

    async def keys(self) -> bytes:
        """The key file."""
        if self.keyfile is None:
            raise CollectorError("away")
        return self.keyfile


@pytest.mark.parametrize(
    ("answer", "is_new"),
    [(succession(PINNED, NEXT), True), (succession(PINNED), False), (succession(OLD, NEXT), False), (None, False)],
)
async def test_fetching_says_whether_there_is_a_new_key(*, answer: bytes | None, is_new: bool) -> None:
    """Only then is it worth reading the same document again."""
    made = Kept(succession(PINNED))
    assert await made.keys.fetch_new(_Collector(answer)) is is_new
