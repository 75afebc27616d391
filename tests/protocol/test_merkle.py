"""Merkle trees of RFC 6962 and their proofs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers import second_trees

from promptster.protocol import merkle
from promptster.protocol.errors import LogError


def _leaves(size: int) -> list[bytes]:
    return [merkle.leaf_hash(bytes([i])) for i in range(size)]


def _recursive_root(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962, section 2.1, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return merkle.node_hash(_recursive_root(leaves[:middle]), _recursive_root(leaves[middle:]))


@pytest.mark.parametrize("size", range(20))
def test_the_root_is_the_one_of_the_definition(size: int) -> None:
    """The fast computation agrees with the definition."""
    assert merkle.root(_leaves(size)) == _recursive_root(_leaves(size))


@pytest.mark.parametrize("size", range(1, 18))
def test_every_leaf_has_its_proof(size: int) -> None:
    """A proof holds for its own leaf and index, and for no other."""
    leaves = _leaves(size)
    root = merkle.root(leaves)
    for index, leaf in enumerate(leaves):
        proof = merkle.inclusion_proof(leaves, index)
        merkle.verify_inclusion(leaf=leaf, index=index, size=size, proof=proof, root_hash=root)
        for other in set(range(size)) - {index}:
            with pytest.raises(LogError):
                merkle.verify_inclusion(leaf=leaf, index=other, size=size, proof=proof, root_hash=root)


@pytest.mark.parametrize("new_size", range(1, 18))
def test_every_earlier_tree_has_its_proof(new_size: int) -> None:
    """A proof holds for its own pair of trees, and not for a tree with another beginning."""
    leaves = _leaves(new_size)
    new_root = merkle.root(leaves)
    for old_size in range(1, new_size + 1):
        proof = merkle.consistency_proof(leaves, old_size)
        old_root = merkle.root(leaves[:old_size])
        merkle.verify_consistency(
            old_size=old_size, old_root=old_root, new_size=new_size, new_root=new_root, proof=proof
        )
        with pytest.raises(LogError):
            merkle.verify_consistency(
                old_size=old_size, old_root=bytes(32), new_size=new_size, new_root=new_root, proof=proof
            )
        with pytest.raises(LogError):
            merkle.verify_consistency(
                old_size=old_size, old_root=old_root, new_size=new_size, new_root=new_root, proof=[*proof, bytes(32)]
            )


@given(st.integers(0, 9), st.integers(0, 9), st.lists(st.binary(min_size=32, max_size=32), max_size=5))
def test_made_up_proofs_are_refused_by_type(one: int, two: int, proof: list[bytes]) -> None:
    """Invented proofs never hold, and raise nothing else."""
    with pytest.raises(LogError):
        merkle.verify_inclusion(leaf=bytes(32), index=one, size=two, proof=proof, root_hash=b"\x01" * 32)
    with pytest.raises(LogError):
        merkle.verify_consistency(old_size=one, old_root=bytes(32), new_size=two, new_root=b"\x01" * 32, proof=proof)


def test_there_is_no_proof_of_what_is_not_there() -> None:
    """Asking for one is the caller's error."""
    attempts: list[Callable[[], object]] = [
        lambda: merkle.inclusion_proof(_leaves(3), 3),
        lambda: merkle.consistency_proof(_leaves(3), 4),
        lambda: merkle.consistency_proof(_leaves(3), 0),
    ]
    for ask in attempts:
        with pytest.raises(LogError) as caught:
            ask()
        assert caught.value.fault == "local"


def test_an_empty_proof_needs_equal_trees() -> None:
    """With a power of two as old size the computation starts from the old root; without hashes it cannot succeed."""
    with pytest.raises(LogError):
        merkle.verify_consistency(old_size=3, old_root=bytes(32), new_size=4, new_root=bytes(32), proof=[])


WELL_KNOWN = (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)  # fmt: skip
"""The leaves with which implementations of RFC 6962 test themselves."""
PUBLISHED = {
    (1, 1): (),
    (1, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
"""Their consistency proofs, from the first tree's size to the second's."""


@pytest.mark.parametrize(("old", "new"), PUBLISHED)
def test_proofs_are_the_published_ones(old: int, new: int) -> None:
    """Both readings of the RFC give the published proofs."""
    leaves = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in WELL_KNOWN[:new]]
    published = [bytes.fromhex(item) for item in PUBLISHED[old, new]]
    assert merkle.consistency_proof(leaves, old) == published
    assert second_trees.proof(old, leaves) == published


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=24), st.data())
def test_every_tree_begins_with_every_smaller_one(leaves: list[bytes], data: st.DataObject) -> None:
    """For random leaves and each pair of sizes the proof holds in both readings, and no changed one does."""
    for new in range(1, len(leaves) + 1):
        new_root = merkle.root(leaves[:new])
        assert new_root == second_trees.head(leaves[:new])
        for old in range(1, new + 1):
            old_root, proof = merkle.root(leaves[:old]), merkle.consistency_proof(leaves[:new], old)
            assert proof == second_trees.proof(old, leaves[:new])
            merkle.verify_consistency(old_size=old, old_root=old_root, new_size=new, new_root=new_root, proof=proof)
            assert second_trees.begins(old, old_root, new, new_root, proof)
    old, new = sorted((data.draw(st.integers(1, len(leaves))), data.draw(st.integers(1, len(leaves)))))
    roots = [merkle.root(leaves[:old]), merkle.root(leaves[:new])]
    proof = merkle.consistency_proof(leaves[:new], old)
    place = data.draw(st.integers(0, len(proof) + 1))
    target = [*roots, *proof]
    target[place] = hashlib.sha256(target[place]).digest()
    assert not second_trees.begins(old, target[0], new, target[1], target[2:])
    with pytest.raises(LogError):
        merkle.verify_consistency(old_size=old, old_root=target[0], new_size=new, new_root=target[1], proof=target[2:])
