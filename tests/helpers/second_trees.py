"""Trees and their proofs read a second time, from RFC 6962 and docs/protocol.md alone: recursive, as they are defined.

Nothing of ``promptster`` is imported here, and nothing is computed as it is there.
"""

from __future__ import annotations

import hashlib
from typing import Any


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _below(size: int) -> int:
    """The largest power of two below a size."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def head(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, over leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = _below(len(leaves))
    return _node(head(leaves[:k]), head(leaves[k:]))


def proof(m: int, leaves: list[bytes]) -> list[bytes]:
    """PROOF of RFC 6962, 2.1.2."""
    return _subproof(m, leaves, complete=True)


def _subproof(m: int, leaves: list[bytes], *, complete: bool) -> list[bytes]:
    n = len(leaves)
    if m == n:
        return [] if complete else [head(leaves)]
    k = _below(n)
    if m <= k:
        return [*_subproof(m, leaves[:k], complete=complete), head(leaves[k:])]
    return [*_subproof(m - k, leaves[k:], complete=False), head(leaves[:k])]


def begins(m: int, old: bytes, n: int, new: bytes, hashes: list[bytes]) -> bool:
    """Whether a proof shows that the tree of ``n`` begins with the one of ``m``: PROOF's recursion undone."""
    if not 0 < m <= n:
        return False
    left = list(hashes)
    both = _undone(m, n, old, left, complete=True)
    return both == (old, new) and not left


def _undone(m: int, n: int, old: bytes, left: list[bytes], *, complete: bool) -> tuple[bytes, bytes] | None:
    """The heads of both trees below this place; hashes are taken from the end, where those of the largest parts are."""
    if m == n:
        if complete:
            return old, old
        return None if not left else (left[-1], left.pop())
    if not left:
        return None
    k, sibling = _below(n), left.pop()
    if m <= k:
        found = _undone(m, k, old, left, complete=complete)
        return found and (found[0], _node(found[1], sibling))
    found = _undone(m - k, n - k, old, left, complete=False)
    return found and (_node(sibling, found[0]), _node(sibling, found[1]))


def _known(view: dict[str, Any]) -> dict[tuple[int, int], bytes]:
    """What is known of a tree: every part that a shown leaf's way to the root touches, and the root."""
    parts: dict[tuple[int, int], bytes] = {(0, view["size"]): view["root"]}

    def climb(start: int, size: int, index: int, path: list[bytes]) -> bytes:
        if size == 1:
            return parts.setdefault((start, start + 1), view["shown"][index][0])
        k, sibling = _below(size), path[-1]
        if index < start + k:
            left, right = climb(start, k, index, path[:-1]), sibling
        else:
            left, right = sibling, climb(start + k, size - k, index, path[:-1])
        parts[start, start + k], parts[start + k, start + size] = left, right
        return _node(left, right)

    for index, (_, path) in view["shown"].items():
        climb(0, view["size"], index, path)
    return parts


def relation(one: dict[str, Any], other: dict[str, Any]) -> str:
    """How two trees of one log relate to each other; a view is ``{size, root, shown: {index: (leaf, path)}}``.

    A part of a tree never changes once it is full, that is a power of two of leaves.
    """
    small, large = (one, other) if one["size"] <= other["size"] else (other, one)
    if small["size"] == large["size"]:
        return "same" if small["root"] == large["root"] else "equivocation"
    of_small, of_large = _known(small), _known(large)

    def built(start: int, end: int) -> bytes | None:
        """The head over leaves of the larger tree, if it is known there."""
        size = end - start
        if size & (size - 1) == 0:
            return of_large.get((start, end))
        k = _below(size)
        left, right = built(start, start + k), built(start + k, end)
        return None if left is None or right is None else _node(left, right)

    old = hashlib.sha256(b"").digest() if small["size"] == 0 else built(0, small["size"])
    if old is not None:
        return "consistent" if old == small["root"] else "equivocation"
    for (start, end), value in of_small.items():
        full = (end - start) & (end - start - 1) == 0
        if full and of_large.get((start, end), value) != value:
            return "equivocation"
    return "undecided"
