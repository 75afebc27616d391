"""Vectors that must be refused, or must not verify, each with the name of the refusal."""

from __future__ import annotations

from collections.abc import Iterator

from tests.vectors import (
    hostile_batches,
    hostile_bundles,
    hostile_contents,
    hostile_forms,
    hostile_logs,
    hostile_missing,
    hostile_proofs,
    versions,
)
from tests.vectors.common import Named


def vectors() -> Iterator[Named]:
    """All of them."""
    for module in (
        hostile_forms,
        hostile_batches,
        hostile_proofs,
        hostile_bundles,
        hostile_missing,
        hostile_contents,
        hostile_logs,
    ):
        yield from module.vectors()
    yield from versions.hostile()
