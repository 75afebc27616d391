"""Checkpoints of logs that grew, forked, or were restored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.vectors.common import Named, vector
from tests.vectors.good import tree
from tests.vectors.world import ORIGIN, World

from promptster.protocol import merkle
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.transparency_log import sign_checkpoint


def view_of(leaves: list[bytes], *shown: int, world: World | None = None, origin: str = ORIGIN) -> dict[str, Any]:
    """A signed checkpoint over these leaves, with proofs for some of them."""
    key = (world or World()).log
    return {
        "note": sign_checkpoint(origin=origin, size=len(leaves), root=merkle.root(leaves), key=key),
        "public_key": b64u_encode(key.public_key),
        "shown": [
            {
                "leaf": leaves[index].hex(),
                "index": index,
                "proof": [item.hex() for item in merkle.inclusion_proof(leaves, index)],
            }
            for index in shown
        ],
    }


def vectors() -> Iterator[Named]:
    """All of them."""
    leaves = tree(8)
    forked = [*leaves[:4], *(merkle.leaf_hash(leaf) for leaf in leaves[4:])]
    five, six = view_of(leaves[:5]), view_of(leaves[:6], 4)
    for name, what, views, relations in (
        ("same", "one tree, twice", [five, view_of(leaves[:5], 2)], []),
        ("grown", "a log that grew, as its own proofs show", [five, six], ["consistent"]),
        ("undecided", "a log that grew, and nothing shows it", [five, view_of(leaves[:6], 0)], ["undecided"]),
        ("forked", "two roots of one size", [five, view_of(forked[:5])], ["equivocation"]),
        ("forked-later", "a fork that grew", [five, view_of(forked[:6], 4)], ["equivocation"]),
        (
            "forked-below",
            "two forks that show one leaf",
            [view_of(leaves[:6], 5), view_of(forked, 5)],
            ["equivocation"],
        ),
        ("restored", "another origin", [five, view_of(forked[:5], origin=f"{ORIGIN}/1")], []),
        ("stranger", "another key", [five, view_of(forked[:5], world=World("other"))], []),
        ("together", "what is shown of one tree twice", [five, view_of(leaves, 0), view_of(leaves, 5)], ["consistent"]),
    ):
        yield vector(f"views-{name}", f"checkpoints: {what}", "views", {"views": views}, {"relations": relations})
