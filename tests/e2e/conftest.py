"""Fixtures of all end-to-end tests: the installed agents, one collector, one recruiter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from tests.e2e.agents import Agents, install
from tests.e2e.world import Collector, Recruiter, collector_running, fixed_root

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, kw_only=True)
class Participants:
    """Agents, collector and recruiter."""

    agents: Agents
    collector: Collector
    recruiter: Recruiter


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest first, so that no worker is left alone with one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("kills") is None)


@pytest.fixture(scope="session")
def agents() -> Agents:
    """The real agents."""
    return install()


@pytest.fixture(scope="session")
def participants(agents: Agents) -> Iterator[Participants]:
    """One collector for all tests that do not harm it."""
    root = fixed_root("stage")
    with collector_running(root) as collector:
        yield Participants(agents=agents, collector=collector, recruiter=Recruiter.signed_in(root, collector))
