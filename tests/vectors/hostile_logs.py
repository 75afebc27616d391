"""Bundles whose log was changed, or taken out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from tests.vectors.common import CONSISTENT, INCOMPLETE, UNREADABLE, Named, parts_vector
from tests.vectors.world import ORIGIN, START, World

from promptster.protocol import key_succession, merkle
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.signing import Envelope, SigningKey
from promptster.protocol.transparency_log import LogProof, cosign, log_leaf, sign_checkpoint


def vectors() -> Iterator[Named]:
    """All of them."""
    yield from _logs()
    yield from _taken_out()
    yield from _promise_gone()


def _logs() -> Iterator[Named]:
    world = World()
    parts = world.parts()
    assert parts.checkpoint is not None
    one, two, three = parts.proofs
    no_note = dataclasses.replace(parts, checkpoint=None)
    yield parts_vector(
        "log-no-checkpoint", "proofs without a checkpoint", world, no_note, findings=("log_proof", "not_in_log")
    )
    moved = dataclasses.replace(parts, proofs=(one, dataclasses.replace(two, index=3), three))
    yield parts_vector(
        "log-proof", "a receipt at another place of the log", world, moved, findings=("log_proof", "not_in_log")
    )
    partial = dataclasses.replace(parts, receipts=parts.receipts[:2])
    yield parts_vector(
        "log-receipt", "a proof without its receipt", world, partial, findings=("log_proof", "receipt_missing")
    )
    other = World("stranger")
    foreign, _ = other.log_of(parts.receipts)
    yield parts_vector(
        "log-foreign",
        "a checkpoint of another log",
        world,
        dataclasses.replace(parts, checkpoint=foreign),
        findings=("checkpoint_signature",),
    )
    broken = dataclasses.replace(parts, checkpoint="hello\n")
    yield parts_vector(
        "log-malformed",
        "a checkpoint that is none",
        world,
        broken,
        findings=("checkpoint_malformed",),
        verdict=UNREADABLE,
    )
    witness = SigningKey.generate(world.random)
    noted = cosign(parts.checkpoint, name="witness.example", key=world.log, at_ms=START)
    head, _, tail = cosign(parts.checkpoint, name="witness.example", key=witness, at_ms=START).rpartition(" ")
    forged = f"{head} {tail[:12]}{noted.rpartition(' ')[2][12:]}"
    changed = dataclasses.replace(parts, checkpoint=forged)
    yield parts_vector(
        "log-cosignature",
        "a witness's signature that another key made",
        world,
        changed,
        findings=("cosignature",),
        witnesses={"witness.example": b64u_encode(witness.public_key)},
    )


def _taken_out() -> Iterator[Named]:
    """Bundles without their log, although the certificate promises that every receipt is in it."""
    world = World(log=1)
    parts = world.parts()
    one, two, three = parts.proofs
    quiet = {"findings": ("not_in_log",), "verdict": INCOMPLETE}
    stripped = dataclasses.replace(parts, checkpoint=None, proofs=())
    yield parts_vector("log-stripped", "checkpoint and all proofs taken out", world, stripped, **quiet)
    bare = dataclasses.replace(parts, proofs=())
    yield parts_vector("log-no-proofs", "all proofs taken out, the checkpoint left", world, bare, **quiet)
    for name, what, left in (
        ("first", "the first proof", (two, three)),
        ("middle", "a proof in the middle", (one, three)),
        ("last", "the last proof", (one, two)),
        ("but-one", "all proofs but one", (two,)),
    ):
        dropped = dataclasses.replace(parts, proofs=left)
        yield parts_vector(f"log-dropped-{name}", f"{what} taken out", world, dropped, **quiet)
    yield parts_vector(
        "log-promised-no-checkpoint",
        "the checkpoint taken out, the proofs left",
        world,
        dataclasses.replace(parts, checkpoint=None),
        findings=("log_proof", "not_in_log"),
    )
    moved = dataclasses.replace(parts, proofs=(one, dataclasses.replace(two, index=3), three))
    yield parts_vector(
        "log-promised-proof",
        "a promised proof that leads elsewhere",
        world,
        moved,
        findings=("log_proof", "not_in_log"),
    )
    early, proofs = _checkpoint_of_two(world, parts.receipts)
    older = dataclasses.replace(parts, checkpoint=early, proofs=proofs)
    yield parts_vector(
        "log-older", "an older checkpoint of the same log, under which one receipt is missing", world, older, **quiet
    )
    mixed = dataclasses.replace(parts, checkpoint=early)
    yield parts_vector(
        "log-mixed", "an older checkpoint, and proofs that lead to a newer one", world, mixed,
        findings=("log_proof", "not_in_log"),
    )  # fmt: skip
    partial = dataclasses.replace(stripped, receipts=parts.receipts[:2])
    yield parts_vector(
        "log-stripped-receipt",
        "the log taken out, and a receipt too",
        world,
        partial,
        findings=("not_in_log", "receipt_missing"),
        verdict=INCOMPLETE,
    )


def _checkpoint_of_two(world: World, receipts: tuple[Envelope, ...]) -> tuple[str, tuple[LogProof, ...]]:
    """The log's head when it held the first two receipts."""
    leaves = [merkle.leaf_hash(b"another session's receipt"), *(log_leaf(receipt) for receipt in receipts[:2])]
    proofs = tuple(
        LogProof(n=n, index=n + 1, proof=tuple(merkle.inclusion_proof(leaves, n + 1))) for n in range(len(leaves) - 1)
    )
    return sign_checkpoint(origin=ORIGIN, size=len(leaves), root=merkle.root(leaves), key=world.log), proofs


def _promise_gone() -> Iterator[Named]:
    """Bundles whose log and promise were both removed, or whose log was replaced."""
    world = World(log=1)
    stripped = world.parts(checkpoint=None, proofs=())
    stranger = World("stranger")
    silent = dataclasses.replace(world.certificate_document(), limits={"body": 4 << 20})
    nothing = {"events": 0, "shown": 0, "withheld": 0, "findings": ("certificate_signature",)}
    kept = dataclasses.replace(stripped, certificate=Envelope(silent.payload(), world.certificate.signature))
    yield parts_vector("log-promise-removed", "the promise taken out of the certificate", world, kept, **nothing)
    signed = dataclasses.replace(stripped, certificate=stranger.collector.sign(silent))
    yield parts_vector(
        "log-promise-resigned",
        "the promise taken out, and the certificate signed by a stranger",
        world,
        signed,
        **nothing,
    )
    foreign = World(log=1)
    foreign.collector = SigningKey.generate(foreign.random)
    foreign.key_records = [key_succession.first_key(foreign.collector, created_ms=START)]
    foreign.limits = {"body": 4 << 20}
    foreign.certificate = foreign.collector.sign(foreign.certificate_document())
    yield parts_vector(
        "log-promise-forged",
        "the promise taken out, and everything that a collector signs signed by a stranger",
        foreign,
        foreign.parts(checkpoint=None, proofs=()),
        trusted=world.trusted,
        findings=("not_in_log", "signer_unknown"),
        verdict=CONSISTENT,
    )
    world = World(log=1)
    promoted = key_succession.next_key(stranger.collector, world.collector.public_key, created_ms=START)
    world.key_records = [*stranger.key_records, promoted]
    world.log = stranger.log
    yield parts_vector(
        "log-strangers",
        "a log of a key that put itself in front of the pinned one",
        world,
        world.parts(),
        findings=("not_in_log",),
        verdict=INCOMPLETE,
    )
