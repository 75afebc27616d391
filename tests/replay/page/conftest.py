"""Fixtures for the tests of the page in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.helpers.chromium import chromium, find_chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.chromium import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser, if there is one."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium is installed: the page was not opened in a browser")
    with chromium(path) as found:
        yield found
