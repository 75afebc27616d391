"""Merkle trees of RFC 6962 and their proofs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    """The quick way agrees with the definition."""
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
    """No proof out of thin air holds or raises anything else."""
    with pytest.raises(LogError):
        merkle.verify_inclusion(leaf=bytes(32), index=one, size=two, proof=proof, root_hash=b"\x01" * 32)
    with pytest.raises(LogError):
        merkle.verify_consistency(old_size=one, old_root=bytes(32), new_size=two, new_root=b"\x01" * 32, proof=proof)


def test_there_is_no_proof_of_what_is_not_there() -> None:
    """Asking for one is the caller's fault."""
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
    """A power of two as old size starts from the old root; without hashes that leads nowhere."""
    with pytest.raises(LogError):
        merkle.verify_consistency(old_size=3, old_root=bytes(32), new_size=4, new_root=bytes(32), proof=[])
