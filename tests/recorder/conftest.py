"""A running recorder, for the tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.helpers.recorders import Shelf
from tests.helpers.running import prepared
from tests.helpers.shelf_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.running import Running


@pytest.fixture
def delivering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Running, Shelf]]:
    """A recorder with a collector."""
    with prepared(tmp_path, monkeypatch) as running:
        shelf = Shelf(running.certified)
        with serving(shelf) as server:
            running.folder.update(collector_url=server.url)
            running.spawn()
            yield running, shelf
