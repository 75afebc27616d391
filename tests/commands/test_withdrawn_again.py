"""A collector's whole folder was put back: the candidate's program has it destroy again what came back."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from promptster.session.current import TOMBSTONE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.hiring import Hiring, Invited


def state_of(acme: Hiring, session: str) -> str:
    """The session's state as the hiring team sees it."""
    listed = acme.owner.result("sessions", "--json")["sessions"]
    return next(str(entry["state"]) for entry in listed if entry["session"] == session)


def put_back(acme: Hiring, folder: Path) -> None:
    """Replace the collector's whole folder by an earlier copy of it, tombstones included."""
    acme.running.stop()
    shutil.rmtree(acme.running.data)
    shutil.copytree(folder, acme.running.data, copy_function=shutil.copy2)
    acme.running.start()


@pytest.mark.parametrize("submitted", [False, True])
def test_what_came_back_is_destroyed_again(acme: Hiring, invited: Invited, tmp_path: Path, *, submitted: bool) -> None:
    """A repeated `withdraw` asks the collector, which destroys the session again on its own earlier certificate."""
    session = invited.start()["session"]
    if submitted:
        (invited.workspace / "answer.py").write_text("print(42)\n")
        invited.person.result("submit", "--yes", "--json")
    copy = tmp_path / "yesterday"
    acme.running.stop()
    shutil.copytree(acme.running.data, copy, copy_function=shutil.copy2)
    acme.running.start()
    first = invited.person.result("withdraw", "--yes", "--json")
    put_back(acme, copy)
    assert state_of(acme, session) != "withdrawn"
    again = invited.person.result("withdraw", "--json")
    assert (again["again"], again["tombstone"], again["others"]) == (True, first["tombstone"], [])
    assert "certificate" not in again
    assert state_of(acme, session) == "withdrawn"
    told = invited.person.call("withdraw")
    assert told.code == 0
    assert "Acme confirmed it again (signed)." in told.stdout
    assert "Ask Acme whether it keeps backups." in told.stdout


def test_a_collector_that_is_away_takes_nothing_from_the_certificate(acme: Hiring, invited: Invited) -> None:
    """If nobody answers the repeated request, the error says what is certain, and the certificate stays."""
    invited.start()
    invited.person.result("withdraw", "--yes", "--json")
    before = (invited.session.documents / TOMBSTONE).read_bytes()
    acme.running.stop()
    try:
        refused = invited.person.call("withdraw", "--json")
    finally:
        acme.running.start()
    error = json.loads(refused.stdout)["error"]
    assert (refused.code, error["code"]) == (1, "collector_unreachable")
    assert error["message"].startswith("Acme confirmed this earlier, and could not be asked again: cannot reach")
    assert error["hint"] == "Your certificate is kept. Run `promptster withdraw` again later."
    assert (invited.session.documents / TOMBSTONE).read_bytes() == before


def test_a_stated_day_is_told(acme: Hiring, invited: Invited) -> None:
    """If the collector states how long backups of its keys are kept, the day of the last one is printed."""
    acme.running.stop()
    acme.running.options = ("--key-backup-days", "3")
    acme.running.start()
    try:
        invited.start()
        done = invited.person.call("withdraw", "--yes")
        assert "The last backup of the keys is gone by " in done.stdout
        assert "ask them" not in done.stdout
        again = invited.person.result("withdraw", "--json")
        assert again["backups_until"] > again["destroyed_at"]
    finally:
        acme.running.stop()
        acme.running.options = ("--key-backup-days", "none")
        acme.running.start()
