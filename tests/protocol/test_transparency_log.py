"""Checkpoints and the receipts' places in the log."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vectors.world import ORIGIN, START, World

from promptster.protocol.errors import LogError
from promptster.protocol.signing import SigningKey
from promptster.protocol.transparency_log import Checkpoint, LogProof, cosign, sign_checkpoint


def _note(world: World) -> str:
    return sign_checkpoint(origin=ORIGIN, size=5, root=bytes(32), key=world.log, extra=("a further line",))


def test_a_note_comes_back_as_it_was_signed() -> None:
    """Every part is read, and the log's signature is valid."""
    world = World()
    note = _note(world)
    checkpoint = Checkpoint.parse(note)
    checkpoint.verify(world.log.public_key)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root, checkpoint.extra) == (
        ORIGIN,
        5,
        bytes(32),
        ("a further line",),
    )
    assert checkpoint.note == note


@given(st.data())
def test_any_changed_character_is_refused_by_type(data: st.DataObject) -> None:
    """The text is signed, the signature has one spelling, the name is part of the key's hash."""
    world = World()
    note = list(_note(world))
    place = data.draw(st.integers(0, len(note) - 1))
    note[place] = data.draw(st.characters().filter(lambda letter: letter != note[place]))
    with pytest.raises(LogError):
        Checkpoint.parse("".join(note)).verify(world.log.public_key)


@given(st.text(st.characters(), max_size=100))
def test_any_text_is_refused_by_type(text: str) -> None:
    """Only a log error is ever raised."""
    with pytest.raises(LogError):
        Checkpoint.parse(text)


def test_witnesses_are_known_by_name_and_key() -> None:
    """A witness that did not sign is not found; one that did vouches for its time."""
    world = World()
    witness = SigningKey.generate(world.random)
    note = cosign(_note(world), name="witness.example", key=witness, at_ms=START)
    checkpoint = Checkpoint.parse(note)
    checkpoint.verify(world.log.public_key)
    assert checkpoint.cosigned_ms("witness.example", witness.public_key) == START
    assert checkpoint.cosigned_ms("other.example", witness.public_key) is None
    assert checkpoint.cosigned_ms("witness.example", world.log.public_key) is None


def test_a_note_cannot_hold_everything() -> None:
    """Names with spaces, roots of other lengths and empty lines are the writer's error."""
    world = World()
    key = world.log
    attempts: list[Callable[[], object]] = [
        lambda: sign_checkpoint(origin="two words", size=1, root=bytes(32), key=key),
        lambda: sign_checkpoint(origin=ORIGIN, size=1, root=bytes(31), key=key),
        lambda: sign_checkpoint(origin=ORIGIN, size=1, root=bytes(32), key=key, extra=("",)),
        lambda: sign_checkpoint(origin=ORIGIN, size=1, root=bytes(32), key=key, extra=("a\nb",)),
        lambda: cosign(_note(world), name="a+b", key=key, at_ms=0),
    ]
    for attempt in attempts:
        with pytest.raises(LogError) as caught:
            attempt()
        assert caught.value.fault == "local"


@pytest.mark.parametrize("size", ["9007199254740992", "-1", "1e3", ""])
def test_a_size_is_a_number_that_exists(size: str) -> None:
    """A size is at most 2^53-1, in its one spelling."""
    with pytest.raises(LogError):
        Checkpoint.parse(_note(World()).replace("\n5\n", f"\n{size}\n"))


def test_a_proof_is_a_document() -> None:
    """It is read from its bytes unchanged, and holds only for its receipt."""
    world = World()
    receipts = [world.receipt(batch) for batch, _ in world.batches()]
    note, proofs = world.log_of(receipts)
    checkpoint = Checkpoint.parse(note)
    for proof, receipt in zip(proofs, receipts, strict=True):
        assert LogProof.parse(proof.payload()) == proof
        proof.verify(receipt, checkpoint)
        with pytest.raises(LogError):
            proof.verify(receipts[proof.n - 1], checkpoint)
