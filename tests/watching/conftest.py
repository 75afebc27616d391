"""A collector's log, and a user who knows the collector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.helpers.logs import ServedLog, leaves, serving_log

from promptster.config import Config, PinnedKeys
from promptster.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def log() -> Iterator[ServedLog]:
    """A collector's log of five entries."""
    with serving_log(ServedLog(entries=leaves(5))) as served:
        yield served


@pytest.fixture
def config(tmp_path: Path, log: ServedLog) -> Config:
    """The settings of a user who knows the collector."""
    paths = Paths(config=tmp_path / "config", data=tmp_path / "data", state=tmp_path / "state")
    PinnedKeys(paths).pin(log.url, log.keyfile)
    return Config.load(paths, {})
