"""Fixtures for the tests of the whole program: a collector for each file, and a candidate with an invite."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.helpers.gateway import Gateway
from tests.helpers.hiring import hiring_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.hiring import Hiring, Invited


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hiring]:
    """One collector for the tests of a file, its owner signed in."""
    with hiring_in(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture
def gateway(acme: Hiring) -> Iterator[Gateway]:
    """A relay between the candidate and the collector."""
    with Gateway(acme.running.url) as made:
        yield made


@pytest.fixture
def person_name(request: pytest.FixtureRequest) -> str:
    """A name that no other test's person has."""
    return re.sub(r"\W+", "-", request.node.name)


@pytest.fixture
def invited(acme: Hiring, person_name: str) -> Iterator[Invited]:
    """A candidate with a fresh invite; files that need a later state override this fixture."""
    with acme.invited(person_name) as person:
        yield person
