"""What the integration tests share: one collector for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.helpers.collector import RunningCollector, collector


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningCollector]:
    """A real collector on loopback, set up afresh."""
    with collector(tmp_path) as started:
        yield started
