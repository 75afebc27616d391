"""A repository and a scratch folder, for the tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.helpers.trees import make

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one commit."""
    root = tmp_path / "work"
    make(root, **{"a.txt": "first line\nsecond line\n", "same.txt": "same\n", ".gitignore": "*.log\nout/\n"})
    return root


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """The folder for what the session needs."""
    return tmp_path / "scratch"
