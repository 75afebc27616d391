"""Bundles: everything about a session in one file, without what was redacted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.vectors.world import START, World, drafts, small_policy, with_block, with_stored

from promptster.protocol.bundle import read_bundle, redactions_in_session, write_bundle
from promptster.protocol.errors import BundleError
from promptster.protocol.events import RecordedEvent, Source
from promptster.protocol.events.fields import Secret
from promptster.protocol.events.kinds import Redaction
from promptster.protocol.policy import Policy
from promptster.protocol.privacy import Tombstone, TombstoneOutcome


def test_the_bundles_of_the_first_release_stay_as_they_were() -> None:
    """They keep their bytes when taken apart and rebuilt: their policy is of version 1, and they name no format."""
    data = (Path(__file__).resolve().parents[1] / "commands" / "made_by_0_1" / "session.promptster").read_bytes()
    parts = read_bundle(data)
    assert write_bundle(parts) == data
    assert type(Policy.parse(parts.policy)) is Policy


def test_parts_survive() -> None:
    """What is written is read back, and equal parts give equal bytes."""
    world = World()
    world.events[1] = with_block(world.events[1], "text", random=world.random)
    parts = world.parts(redactions=[world.redaction(0, "platform")])
    data = write_bundle(parts)
    assert read_bundle(data) == parts
    assert write_bundle(read_bundle(data)) == data


def test_every_optional_part_may_be_missing() -> None:
    """Close, tombstone and checkpoint are in a bundle only if they exist."""
    world = World()
    tombstone = world.collector.sign(
        Tombstone(
            kid=world.collector.kid,
            session=world.session,
            outcome=TombstoneOutcome.ERASED,
            at_ms=START,
            backups_until_ms=START,
            batches=0,
            exports=0,
        )
    )
    bare = dataclasses.replace(
        world.parts(), close=None, checkpoint=None, proofs=(), tombstone=tombstone, values={1: {}}
    )
    read = read_bundle(write_bundle(bare))
    assert read == dataclasses.replace(bare, values={})


def test_a_redacted_value_is_not_written() -> None:
    """Values that candidate or collector redacted are not in the file."""
    world = World()
    assert b"a name that should not be here" not in write_bundle(world.parts())
    world.events[1] = with_block(world.events[1], "text", random=world.random)
    text = b"fix the failing test"
    assert text in write_bundle(world.parts())
    assert text not in write_bundle(world.parts(redactions=[world.redaction(1, "text")]))


def test_what_the_policy_does_not_name_is_not_written() -> None:
    """A bundle never holds values that the candidate did not agree to."""
    text = b"fix the failing test"
    world = World(policy=small_policy(kinds=("opened", "closed")))
    world.events[1] = with_block(world.events[1], "text", random=world.random)
    assert text not in write_bundle(world.parts())
    assert set(world.parts().values) == {0, 14}
    assert text in write_bundle(world.parts(policy=b"{}"))


def test_a_block_that_another_value_uses_stays() -> None:
    """A block is removed with the last value that refers to it, unless a record names the block."""
    world = World()
    first = with_block(world.events[4], "name", random=world.random)
    stored = first.secrets["name"].stored
    second = with_stored(world.events[5], "command", Secret(world.random(16), stored))
    world.events[4:6] = [first, second]
    block = first.blocks[0].id
    assert set(world.parts(redactions=[world.redaction(4, "name")]).blocks) == {block}
    assert set(world.parts(redactions=[world.redaction(4, "name", block=block)]).blocks) == set()


def test_only_the_candidate_redacts_in_a_session_and_only_backwards() -> None:
    """A redaction of another source, of a later event, or without its fields, has no effect."""
    told = drafts()[9]
    cases = {
        "good": told,
        "source": dataclasses.replace(told, src=Source.HOOK),
        "later": dataclasses.replace(told, event=Redaction(target_seq=9, target_field="reason")),
        "bare": dataclasses.replace(told, event=Redaction()),
    }
    found = {
        name: list(redactions_in_session(World(told=[*drafts()[:9], draft]).events)) for name, draft in cases.items()
    }
    assert found == {"good": [(8, "text", "a name", 9)], "source": [], "later": [], "bare": []}
    event = World().events[9]
    broken = with_stored(event, "target_seq", Secret(bytes(16), b"\x00many"))
    assert list(redactions_in_session([broken])) == []
    hidden = RecordedEvent.assemble(event.public, {"target_seq": event.secrets["target_seq"]})
    assert list(redactions_in_session([hidden])) == []


@settings(max_examples=100)
@given(st.data())
def test_a_cut_bundle_is_refused_by_type(data: st.DataObject) -> None:
    """It is refused wherever the file ends too early."""
    content = write_bundle(World().parts())
    with pytest.raises(BundleError):
        read_bundle(content[: data.draw(st.integers(0, len(content) - 1))])
