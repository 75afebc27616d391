"""The log's Merkle tree (RFC 6962) over stored nodes: complete subtrees are kept, the rest is computed from them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from promptster.protocol.merkle import node_hash
from promptster_collector.store.schema import LogNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


class MerkleTree:
    """The tree of one origin, read and written through one connection."""

    def __init__(self, connection: Connection, origin: int) -> None:
        """Nodes are read when needed, and cached."""
        self._connection = connection
        self._origin = origin
        self._nodes: dict[tuple[int, int], bytes] = {}

    def _node(self, level: int, position: int) -> bytes:
        found = self._nodes.get((level, position))
        if found is None:
            statement = select(LogNode.hash).where(
                LogNode.origin == self._origin, LogNode.level == level, LogNode.position == position
            )
            found = self._nodes[level, position] = self._connection.execute(statement).scalar_one()
        return found

    def append(self, size: int, leaves: Sequence[bytes]) -> None:
        """Append leaves after the first ``size``, and store every subtree that they complete."""
        rows: list[dict[str, object]] = []
        for index, leaf in enumerate(leaves, start=size):
            level, position, value = 0, index, leaf
            while True:
                self._nodes[level, position] = value
                rows.append({"origin": self._origin, "level": level, "position": position, "hash": value})
                if not position & 1:
                    break
                value = node_hash(self._node(level, position - 1), value)
                level, position = level + 1, position >> 1
        if rows:
            self._connection.execute(insert(LogNode), rows)

    def _range(self, start: int, size: int) -> bytes:
        if size & (size - 1) == 0 and start % size == 0:
            return self._node(size.bit_length() - 1, start // size)
        left = _split(size)
        return node_hash(self._range(start, left), self._range(start + left, size - left))

    def root(self, size: int) -> bytes:
        """The root over the first ``size`` leaves."""
        return self._range(0, size) if size else hashlib.sha256(b"").digest()

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """The hashes from leaf ``index`` to the root over the first ``size`` leaves, lowest first."""
        return self._path(index, 0, size)

    def _path(self, index: int, start: int, size: int) -> list[bytes]:
        if size == 1:
            return []
        left = _split(size)
        if index - start < left:
            return [*self._path(index, start, left), self._range(start + left, size - left)]
        return [*self._path(index, start + left, size - left), self._range(start, left)]

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        """The proof that the first ``new`` leaves begin with the first ``old`` ones (RFC 6962, 2.1.2)."""
        return self._since(old, 0, new, whole=True)

    def _since(self, old: int, start: int, size: int, *, whole: bool) -> list[bytes]:
        if old == size:
            return [] if whole else [self._range(start, size)]
        left = _split(size)
        if old <= left:
            return [*self._since(old, start, left, whole=whole), self._range(start + left, size - left)]
        return [*self._since(old - left, start + left, size - left, whole=False), self._range(start, left)]
