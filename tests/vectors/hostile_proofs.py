"""Hostile proofs, checkpoints and sealed boxes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.vectors.common import Named, refused
from tests.vectors.good import sealed_box, tree
from tests.vectors.world import START, World

from promptster.protocol import merkle
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.signing import SigningKey
from promptster.protocol.transparency_log import cosign


def vectors() -> Iterator[Named]:
    """All of them."""
    yield from _proofs()
    yield from _sealing()


def _proofs() -> Iterator[Named]:
    leaves = tree(7)
    root = merkle.root(leaves)
    proof = [item.hex() for item in merkle.inclusion_proof(leaves, 5)]
    good: dict[str, Any] = {"leaf": leaves[5].hex(), "index": 5, "size": 7, "proof": proof, "root": root.hex()}
    cases: tuple[tuple[str, str, dict[str, Any], str], ...] = (
        ("index", "another index", {"index": 4}, "inclusion"),
        ("outside", "an index outside the tree", {"index": 7}, "proof_index"),
        ("size", "another size", {"size": 6}, "inclusion"),
        ("leaf", "another leaf", {"leaf": leaves[4].hex()}, "inclusion"),
        ("short", "a proof cut short", {"proof": proof[:-1]}, "inclusion"),
        ("long", "a proof that goes on", {"proof": [*proof, proof[0]]}, "inclusion"),
        ("endless", "a proof of 65 hashes", {"proof": proof[:1] * 65}, "proof_index"),
    )
    for name, what, changes, code in cases:
        yield refused(f"inclusion-{name}", f"inclusion: {what}", "inclusion", {**good, **changes}, code)
    leaves = tree(8)
    hashes = [item.hex() for item in merkle.consistency_proof(leaves, 3)]
    good = {
        "old_size": 3,
        "old_root": merkle.root(leaves[:3]).hex(),
        "new_size": 8,
        "new_root": merkle.root(leaves).hex(),
        "proof": hashes,
    }
    later: tuple[tuple[str, str, dict[str, Any], str], ...] = (
        ("old-root", "another old root", {"old_root": good["new_root"]}, "consistency"),
        ("new-root", "another new root", {"new_root": good["old_root"]}, "consistency"),
        ("order", "hashes in another order", {"proof": hashes[::-1]}, "consistency"),
        ("short", "a proof cut short", {"proof": hashes[:-1]}, "consistency"),
        ("long", "a proof that goes on", {"proof": [*hashes, hashes[0]]}, "consistency"),
        ("none", "no proof", {"proof": []}, "consistency"),
        ("same-size", "two roots of one size", {"new_size": 3, "proof": []}, "consistency"),
        ("shrunk", "a tree that shrank", {"old_size": 9}, "proof_index"),
        ("from-nothing", "an empty old tree", {"old_size": 0}, "proof_index"),
    )
    for name, what, changes, code in later:
        yield refused(f"consistency-{name}", f"consistency: {what}", "consistency", {**good, **changes}, code)
    yield from _notes()


def _notes() -> Iterator[Named]:
    world = World()
    note, _ = world.log_of([world.redaction(0, "text")])
    key = b64u_encode(world.log.public_key)
    lines = note.splitlines(keepends=True)
    for name, what, text, code in (
        ("size", "another size under the signature", note.replace("\n2\n", "\n3\n"), "checkpoint_signature"),
        (
            "origin",
            "another origin under the signature",
            note.replace("acme.example", "evil.example"),
            "checkpoint_signature",
        ),
        (
            "extra",
            "a further line under the signature",
            "".join([*lines[:3], "more\n", *lines[3:]]),
            "checkpoint_signature",
        ),
        ("leading-zero", "a size with a leading zero", note.replace("\n2\n", "\n02\n"), "checkpoint"),
        ("unsigned", "no signature", "".join(lines[:4]), "checkpoint"),
        ("root", "a root of 31 bytes", note.replace(lines[2], "A" * 42 + "\n"), "checkpoint"),
        ("no-blank", "no blank line", "".join([*lines[:3], *lines[4:]]), "checkpoint"),
        ("carriage-return", "lines with carriage returns", note.replace("\n", "\r\n"), "checkpoint"),
        ("no-newline", "no newline at the end", note[:-1], "checkpoint"),
        ("signature-line", "a signature line without a name", "".join([*lines[:4], "— abcd\n"]), "checkpoint"),
        ("signature-base64", "a signature that is not base64", note[:-2] + "A===\n", "checkpoint"),
        ("large", "a note of 70000 characters", "x" * 70_000 + note, "checkpoint"),
    ):
        yield refused(
            f"checkpoint-{name}", f"a checkpoint: {what}", "checkpoint", {"note": text, "public_key": key}, code
        )
    other = b64u_encode(world.collector.public_key)
    yield refused(
        "checkpoint-foreign",
        "a checkpoint of another key",
        "checkpoint",
        {"note": note, "public_key": other},
        "checkpoint_signature",
    )
    witness = SigningKey.generate(world.random)
    cosigned = cosign(note, name="witness.example", key=witness, at_ms=START)
    forged = cosigned[:-6] + ("AAAA=\n" if cosigned.endswith("=\n") else "AAAAA\n")
    given = {
        "note": forged,
        "public_key": key,
        "witness": {"name": "witness.example", "public_key": b64u_encode(witness.public_key)},
    }
    yield refused(
        "checkpoint-cosignature", "a witness's signature that was changed", "checkpoint", given, "checkpoint_signature"
    )


def _sealing() -> Iterator[Named]:
    world = World()
    box = sealed_box(world.content_key, world.sealing.public_key, world.random(32))
    short = sealed_box(world.content_key[:31], world.sealing.public_key, world.random(32))
    key = b64u_encode(world.sealing.private_key)
    for name, what, data in (
        ("changed", "one bit changed", box[:-1] + bytes([box[-1] ^ 1])),
        ("cut", "cut", box[:20]),
        ("empty", "nothing", b""),
        ("short-key", "a key of 31 bytes inside", short),
    ):
        given = {"private_key": key, "box": b64u_encode(data)}
        yield refused(f"sealed-box-{name}", f"a sealed box: {what}", "sealed_box", given, "box")
    given = {"private_key": b64u_encode(bytes(31)), "box": b64u_encode(box)}
    yield refused("sealed-box-private-key", "a private key of 31 bytes", "sealed_box", given, "key_size")
    given = {"content_key": b64u_encode(bytes(32)), "session": "AAAA"}
    yield refused("access-token-session", "a session's name of three bytes", "access_token", given, "session")
    asked = {"key": "00", "salt": "", "info": "", "length": 255 * 32 + 1}
    yield refused("hkdf-length", "more bytes than HKDF gives", "hkdf", asked, "hkdf_length")
