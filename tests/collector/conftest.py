"""One data folder is set up for all tests of the collector; each test gets a copy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.helpers.site import Site, Template, copy_data, make_template, running_site


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A data folder as ``init`` leaves it."""
    return make_template(tmp_path_factory.mktemp("template") / "data")


@pytest.fixture
def data(template: Template, tmp_path: Path) -> Path:
    """A copy of it, for one test."""
    folder = tmp_path / "data"
    copy_data(template.data, folder)
    return folder


@pytest.fixture
def site(template: Template, data: Path) -> Iterator[Site]:
    """A collector running on that copy."""
    with running_site(data, template.token) as running:
        yield running
