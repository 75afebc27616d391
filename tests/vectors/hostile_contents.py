"""Bundles whose values or redactions were changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from tests.vectors.common import INCOMPLETE, Named, parts_vector
from tests.vectors.world import World, drafts, with_block, with_stored

from promptster.protocol.events.fields import Block, Secret
from promptster.protocol.events.kinds import Redaction
from promptster.protocol.signing import Envelope


def vectors() -> Iterator[Named]:
    """All of them."""
    yield from _contents()


def _contents() -> Iterator[Named]:
    world = World()
    parts = world.parts(checkpoint=None, proofs=())
    quiet = ("not_in_log",)
    prompt = parts.values[1]

    def values(**changed: Secret) -> dict[int, Any]:
        return {**parts.values, 1: {**prompt, **changed}}

    wrong = Secret(prompt["text"].salt, b"\x00I wrote this myself")
    yield parts_vector(
        "value-altered",
        "a prompt replaced",
        world,
        dataclasses.replace(parts, values=values(text=wrong)),
        findings=("value_altered", "value_missing", *quiet),
        shown=29,
        withheld=4,
    )
    salted = Secret(bytes(16), prompt["text"].stored)
    yield parts_vector(
        "value-salt",
        "a salt replaced",
        world,
        dataclasses.replace(parts, values=values(text=salted)),
        findings=("value_altered", "value_missing", *quiet),
        shown=29,
        withheld=4,
    )
    extra = values(prompt_id=Secret(bytes(16), b"\x00x"))
    yield parts_vector(
        "value-extra",
        "a value of a field that the event does not have",
        world,
        dataclasses.replace(parts, values=extra),
        findings=("value_altered", "value_missing", *quiet),
        shown=29,
        withheld=4,
    )
    beyond = {**parts.values, 99: prompt}
    yield parts_vector(
        "value-unknown",
        "values of an event that is not here",
        world,
        dataclasses.replace(parts, values=beyond),
        findings=("value_unknown", *quiet),
    )
    stray = Block(bytes(16), b"stray")
    yield parts_vector(
        "block-unknown",
        "a block that nothing refers to",
        world,
        dataclasses.replace(parts, blocks={stray.id: stray}),
        findings=("block_unknown", *quiet),
    )
    world = World()
    world.events[1] = with_block(world.events[1], "text", random=world.random)
    parts = world.parts(checkpoint=None, proofs=())
    [(block_id, block)] = parts.blocks.items()
    changed = {block_id: Block(block.salt, block.data + b"!")}
    yield parts_vector(
        "block-altered",
        "a block's text changed",
        world,
        dataclasses.replace(parts, blocks=changed),
        findings=("block_altered", "value_missing", *quiet),
        shown=31,
        withheld=2,
    )
    world = World()
    world.events[1] = with_stored(world.events[1], "machine", Secret(world.random(16), b"\x00maybe"))
    parts = world.parts(checkpoint=None, proofs=())
    yield parts_vector(
        "value-malformed",
        "a value of another type, committed to and signed",
        world,
        parts,
        findings=("value_malformed", "value_missing", *quiet),
        verdict=INCOMPLETE,
        shown=29,
        withheld=4,
    )
    yield from _redactions()


def _redactions() -> Iterator[Named]:
    quiet = ("not_in_log",)
    world = World()
    record = world.redaction(1, "text", i=1)
    parts = world.parts(checkpoint=None, proofs=(), redactions=[record])
    yield parts_vector(
        "redaction-number",
        "a first record that says it is the second",
        world,
        parts,
        findings=("redaction_chain", *quiet),
        shown=31,
        withheld=2,
    )
    world = World()
    first = world.redaction(1, "text")
    second = world.redaction(1, "agent", i=1, prev=world.certificate.sha256)
    parts = world.parts(checkpoint=None, proofs=(), redactions=[first, second])
    yield parts_vector(
        "redaction-chain",
        "a record that does not name the one before it",
        world,
        parts,
        findings=("redaction_chain", *quiet),
        shown=30,
        withheld=3,
    )
    world = World()
    forged = Envelope(world.redaction(1, "text").payload, bytes([1] * 64))
    parts = world.parts(checkpoint=None, proofs=(), redactions=[forged])
    yield parts_vector(
        "redaction-forged",
        "a record that nobody signed",
        world,
        parts,
        findings=("redaction_signature", "value_missing", *quiet),
        shown=31,
        withheld=2,
    )
    world = World()
    parts = world.parts(
        checkpoint=None, proofs=(), redactions=[world.redaction(1, "text", session=World("stranger").session)]
    )
    yield parts_vector(
        "redaction-session",
        "a record of another session",
        world,
        parts,
        findings=("foreign_session", "value_missing", *quiet),
        shown=31,
        withheld=2,
    )
    later = dataclasses.replace(drafts()[9], event=Redaction(target_seq=14, target_field="totals", reason="later"))
    told = [*drafts()[:9], later, *drafts()[10:]]
    world = World(told=told)
    parts = world.parts(checkpoint=None, proofs=())
    without = {seq: {n: s for n, s in secrets.items() if n != "totals"} for seq, secrets in parts.values.items()}
    yield parts_vector(
        "redaction-forward",
        "a redaction of an event that comes after it",
        world,
        dataclasses.replace(parts, values=without),
        findings=("value_missing", *quiet),
        verdict=INCOMPLETE,
    )
