"""Merkle trees of RFC 6962, with the proof checks of RFC 9162.

Functions take leaf hashes, never leaf data, except ``leaf_hash`` itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from promptster.protocol.errors import LogError

HASH_SIZE = 32
MAX_PROOF = 64
"""Hashes in a proof: enough for any tree that can exist."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf's data."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes; of no leaves, the hash of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from leaf ``index`` to the root, the lowest first.

    Raises:
        LogError: when there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise LogError("there is no such leaf", code="proof_index", fault="local")
    if len(leaves) == 1:
        return []
    middle = _split(len(leaves))
    if index < middle:
        return [*inclusion_proof(leaves[:middle], index), root(leaves[middle:])]
    return [*inclusion_proof(leaves[middle:], index - middle), root(leaves[:middle])]


def verify_inclusion(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root_hash: bytes) -> None:
    """Check that ``leaf`` is leaf ``index`` of the tree of ``size`` leaves with this root (RFC 9162, 2.1.3.2).

    Raises:
        LogError: when the proof does not show it.
    """
    if not 0 <= index < size or len(proof) > MAX_PROOF:
        raise LogError("an inclusion proof points outside its tree", code="proof_index")
    position, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise LogError("an inclusion proof is too long", code="inclusion")
        if position & 1 or position == last:
            computed = node_hash(sibling, computed)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        position, last = position >> 1, last >> 1
    if last or computed != root_hash:
        raise LogError("an inclusion proof does not lead to the root", code="inclusion")


def consistency_proof(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """The hashes showing that the tree's first ``size`` leaves are those of an earlier tree.

    Raises:
        LogError: when the earlier tree is empty or larger.
    """
    if not 0 < size <= len(leaves):
        raise LogError("there is no such earlier tree", code="proof_index", fault="local")
    return _subproof(leaves, size, whole=True)


def _subproof(leaves: Sequence[bytes], size: int, *, whole: bool) -> list[bytes]:
    if size == len(leaves):
        return [] if whole else [root(leaves)]
    middle = _split(len(leaves))
    if size <= middle:
        return [*_subproof(leaves[:middle], size, whole=whole), root(leaves[middle:])]
    return [*_subproof(leaves[middle:], size - middle, whole=False), root(leaves[:middle])]


def verify_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the larger tree starts with the smaller one (RFC 9162, 2.1.4.2).

    Raises:
        LogError: when the proof does not show it.
    """
    if not 0 < old_size <= new_size or len(proof) > 2 * MAX_PROOF:
        raise LogError("a consistency proof points outside its trees", code="proof_index")
    if old_size == new_size:
        if proof or old_root != new_root:
            raise LogError("two trees of one size have different roots", code="consistency")
        return
    path = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    if not path:
        raise LogError("a consistency proof is too short", code="consistency")
    if _climb_both(path, old_size - 1, new_size - 1) != (old_root, new_root):
        raise LogError("a consistency proof does not lead to both roots", code="consistency")


def _climb_both(path: Sequence[bytes], position: int, last: int) -> tuple[bytes, bytes]:
    """The roots of both trees, from the last leaves' positions and the proof's hashes."""
    while position & 1:
        position, last = position >> 1, last >> 1
    old_computed = new_computed = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise LogError("a consistency proof is too long", code="consistency")
        if position & 1 or position == last:
            old_computed = node_hash(sibling, old_computed)
            new_computed = node_hash(sibling, new_computed)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_computed = node_hash(new_computed, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise LogError("a consistency proof is too short", code="consistency")
    return old_computed, new_computed


def complete_subtrees(size: int) -> list[tuple[int, int]]:
    """The complete subtrees that a tree of ``size`` leaves is made of, as first leaf and number of leaves."""
    found: list[tuple[int, int]] = []
    start = 0
    while start < size:
        count = 1 << (size - start).bit_length() - 1
        found.append((start, count))
        start += count
    return found


def root_over(hashes: Sequence[bytes]) -> bytes:
    """The root of a tree, from the hashes of its ``complete_subtrees``."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    computed = hashes[-1]
    for left in reversed(hashes[:-1]):
        computed = node_hash(left, computed)
    return computed


def shown_subtrees(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
    """The complete subtrees that an inclusion proof shows with their hashes, as first leaf and number of leaves.

    The proof is one that holds. A complete subtree never changes again, however the log grows.
    """
    start, count = 0, size
    way: list[tuple[tuple[int, int], tuple[int, int]]] = []
    while count > 1:
        left = _split(count)
        halves = (start, left), (start + left, count - left)
        own, sibling = halves if index - start < left else halves[::-1]
        way.append((own, sibling))
        start, count = own
    shown = {(index, 1): leaf}
    computed = leaf
    for (own, sibling), hashed in zip(reversed(way), proof, strict=True):
        shown[own], shown[sibling] = computed, hashed
        computed = node_hash(computed, hashed) if own < sibling else node_hash(hashed, computed)
    shown[0, size] = computed
    return {part: hashed for part, hashed in shown.items() if not part[1] & (part[1] - 1)}
