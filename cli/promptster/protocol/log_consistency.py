"""What several signed checkpoints say about one log: whether it showed everyone the same history.

A log that only grows can have signed both of two checkpoints exactly if the larger tree begins with the smaller one.
Two of one size with different roots contradict each other by themselves; of different sizes the receipts' proofs often
show enough of the larger tree to decide; if they do not, the log itself has to prove it. Nothing is requested here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import combinations

from promptster.protocol.merkle import complete_subtrees, root_over, shown_subtrees
from promptster.protocol.transparency_log import Checkpoint


@dataclass(frozen=True)
class Shown:
    """A leaf whose place in a checkpoint's tree was proved."""

    leaf: bytes
    index: int
    proof: tuple[bytes, ...]


class Relation(StrEnum):
    """How two checkpoints of one log relate to each other."""

    SAME = "same"
    """They name one tree."""
    CONSISTENT = "consistent"
    """The larger tree begins with the smaller one."""
    UNDECIDED = "undecided"
    """What is at hand does not show enough of the larger tree."""
    EQUIVOCATION = "equivocation"
    """No log that only grows can have signed both."""


@dataclass(frozen=True)
class View:
    """One checkpoint of a log, signed by its key, and leaves that were proved to be under it."""

    checkpoint: Checkpoint
    public_key: bytes
    """The log's key that signed; it was checked."""
    shown: tuple[Shown, ...] = ()

    @property
    def log(self) -> tuple[bytes, str]:
        """Which log: its key and its origin. Checkpoints of different logs cannot contradict each other."""
        return self.public_key, self.checkpoint.origin

    @property
    def tree(self) -> tuple[bytes, str, int, bytes]:
        """Which tree of which log."""
        return (*self.log, self.checkpoint.size, self.checkpoint.root)

    @cached_property
    def parts(self) -> tuple[tuple[int, int], ...]:
        """The complete subtrees that the tree is made of."""
        return tuple(complete_subtrees(self.checkpoint.size))

    @cached_property
    def subtrees(self) -> Mapping[tuple[int, int], bytes]:
        """The complete subtrees whose hashes are known, by first leaf and number of leaves."""
        size = self.checkpoint.size
        found = {(0, size): self.checkpoint.root} if self.parts == ((0, size),) else {}
        for item in self.shown:
            found |= shown_subtrees(leaf=item.leaf, index=item.index, size=size, proof=item.proof)
        return found


def relate(one: View, other: View) -> Relation:
    """How two checkpoints of the same log relate to each other, by what is at hand."""
    small, large = sorted((one, other), key=lambda view: view.checkpoint.size)
    if small.checkpoint.size == large.checkpoint.size:
        same = small.checkpoint.root == large.checkpoint.root
        return Relation.SAME if same else Relation.EQUIVOCATION
    known = large.subtrees
    if all(part in known for part in small.parts):
        begins = root_over([known[part] for part in small.parts]) == small.checkpoint.root
        return Relation.CONSISTENT if begins else Relation.EQUIVOCATION
    differ = any(known.get(part, hashed) != hashed for part, hashed in small.subtrees.items())
    return Relation.EQUIVOCATION if differ else Relation.UNDECIDED


@dataclass(frozen=True)
class Pair:
    """Two trees of one log, the smaller one first, and how they relate to each other."""

    small: View
    large: View
    relation: Relation


def compare(views: Iterable[View]) -> tuple[Pair, ...]:
    """Every two different trees of the same log; what is shown of one tree in several places is put together."""
    trees: dict[tuple[bytes, str, int, bytes], View] = {}
    for view in views:
        known = trees.setdefault(view.tree, view)
        if known is not view:
            trees[view.tree] = replace(known, shown=(*known.shown, *view.shown))
    pairs = combinations(sorted(trees.values(), key=lambda view: view.tree), 2)
    return tuple(Pair(small, large, relate(small, large)) for small, large in pairs if small.log == large.log)
