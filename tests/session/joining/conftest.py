"""What tests of joining a session share: a collector's address, and a candidate's settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.helpers.answering import Answering

from promptster.config import Config
from promptster.paths import Paths


@pytest.fixture
def server() -> Iterator[Answering]:
    """The collector's address."""
    with Answering() as made:
        yield made


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The settings of a person who has set nothing."""
    paths = Paths(config=tmp_path / "config", data=tmp_path / "data", state=tmp_path / "state")
    return Config.load(paths, {})
