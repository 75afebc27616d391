"""A candidate whose session the hiring team deleted while it was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.helpers.relay import Relay

from promptster.session_folder.folder import SessionState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.hiring import Hiring, Invited


@pytest.fixture
def relay(acme: Hiring) -> Iterator[Relay]:
    """The candidate's connection to the collector."""
    with Relay(acme.running.url) as made:
        yield made


def _deleted(invited: Invited, relay: Relay, how: str) -> None:
    """A session as its recorder leaves it after the collector signed that it was deleted."""
    invited.start("--collector", relay.url)
    invited.end_processes()
    invited.session.update(state=SessionState.WITHDRAWN, deleted=how)


def _status(invited: Invited) -> str:
    return " ".join(invited.person.call("status").stdout.split())


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("erased", "Acme deleted this session. What was recorded is still on this computer."),
        ("expired", "The time for keeping it is over: Acme deleted this session."),
    ],
)
def test_status_says_who_deleted_what(invited: Invited, relay: Relay, how: str, told: str) -> None:
    """It does not say that the candidate withdrew, and the next step deletes the rest."""
    _deleted(invited, relay, how)
    shown = _status(invited)
    assert shown.startswith("Deleted ")
    assert told in shown
    assert shown.endswith("Next promptster withdraw (deletes it here too)")
    assert invited.session.journal.exists()


def test_withdrawing_deletes_the_rest(invited: Invited, relay: Relay) -> None:
    """While no confirmation comes, status says that both have deleted it; the next attempt gets the confirmation."""
    _deleted(invited, relay, "erased")
    relay.cut()
    assert invited.person.call("withdraw", "--yes").code == 1
    shown = _status(invited)
    assert shown.startswith("Withdrawn ")
    assert shown.endswith("Acme deleted it too, but has not confirmed your withdrawal yet. Next promptster withdraw")
    assert not invited.session.journal.exists()
    relay.cut(cut=False)
    assert invited.person.result("withdraw", "--yes", "--json")["tombstone"]["payload"]
    assert _status(invited).startswith("Withdrawn ")
    assert "has not confirmed" not in _status(invited)
