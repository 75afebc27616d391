"""No module is longer than 400 lines: a longer one has two jobs, and is split. A test file may have 700."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST = {"cli": 400, "collector": 400, "hooks": 400, "tests": 700}
"""For each folder, the lines that a module in it may have."""


def problems(root: Path) -> Iterator[str]:
    """Each module that is too long, with its length.

    Args:
        root: the repository.
    """
    for folder, longest in LONGEST.items():
        for path in sorted((root / folder).rglob("*.py")):
            length = len(path.read_text(encoding="utf-8").splitlines())
            if length > longest:
                yield f"{path.relative_to(root)} has {length} lines; the most is {longest}. Split it."
