"""A running recorder, for the tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.helpers.memory_collector_server import serving
from tests.helpers.recorders import MemoryCollector
from tests.helpers.running import prepared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.running import Running


@pytest.fixture
def delivering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Running, MemoryCollector]]:
    """A recorder with a collector."""
    with prepared(tmp_path, monkeypatch) as running:
        memory_collector = MemoryCollector(running.certified)
        with serving(memory_collector) as server:
            running.folder.update(collector_url=server.url)
            running.spawn()
            yield running, memory_collector
