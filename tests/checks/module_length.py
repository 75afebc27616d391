"""No module is longer than 400 lines: a longer one has two jobs, and is split."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST = 400


def problems(root: Path) -> Iterator[str]:
    """Each module of the three packages that is too long, with its length.

    Args:
        root: the repository.
    """
    for package in ("cli", "collector", "hooks"):
        for path in sorted((root / package).rglob("*.py")):
            length = len(path.read_text(encoding="utf-8").splitlines())
            if length > LONGEST:
                yield f"{path.relative_to(root)} has {length} lines; the most is {LONGEST}. Split it."
