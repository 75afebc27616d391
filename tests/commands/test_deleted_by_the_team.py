"""A candidate whose session the hiring team deleted while it was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from promptster.session_folder.folder import SessionState

if TYPE_CHECKING:
    from tests.helpers.hiring import Invited


@pytest.mark.parametrize(
    ("deleted", "told"),
    [
        ("erased", "Acme deleted this session. What was recorded is still on this computer."),
        ("expired", "The time for keeping it is over: Acme deleted this session."),
    ],
)
def test_status_says_who_deleted_what(invited: Invited, deleted: str, told: str) -> None:
    """It does not say that the candidate withdrew, and the next step deletes the rest."""
    invited.start()
    invited.end_processes()
    invited.session.update(state=SessionState.WITHDRAWN, deleted=deleted)
    shown = " ".join(invited.person.call("status").stdout.split())
    assert shown.startswith("Deleted ")
    assert told in shown
    assert shown.endswith("Next promptster withdraw (deletes it here too)")
    assert (invited.session.path / "journal").exists()
