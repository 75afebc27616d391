"""Withdrawing says truthfully what was fetched before, since it cannot be known who kept a copy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.helpers.hiring import hiring_in
from tests.helpers.older import make_older_in
from tests.helpers.people import BIN
from tests.helpers.terminal import Terminal

from promptster.clock import SystemClock
from promptster.protocol.privacy import Tombstone
from promptster.protocol.signing import Envelope
from promptster.times import day

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.hiring import Hiring, Invited

DAY_MS = 24 * 60 * 60 * 1000
ASK = "Backups  Acme has not stated any: ask them."


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hiring]:
    """One collector for these tests."""
    with hiring_in(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.mark.parametrize(
    ("reads", "told"),
    [
        ([], None),
        (["replay"], "fetched once, to be read or saved"),
        (["replay", "export"], "fetched 2 times, to be read or saved"),
    ],
)
def test_a_replay_is_not_called_an_exported_copy(
    acme: Hiring, tmp_path: Path, reads: list[str], told: str | None
) -> None:
    """The message counts the fetches of the whole session, as the certificate does, and names saved copies apart."""
    with acme.invited(f"reader-{len(reads)}") as invited:
        session = invited.start()["session"]
        invited.person.result("submit", "--yes", "--json")
        for read in reads:
            more = ("-o", str(tmp_path / "copy.promptster")) if read == "export" else ()
            assert acme.owner.call(read, session, *more).code == 0
        answer = invited.person.call("withdraw", "--yes")
        assert answer.code == 0
        words = " ".join(answer.stdout.split())
        assert "exported cop" not in words
        assert ("Saved copies are not affected: ask Acme to delete them." in words) == bool(reads)
        assert told is None or told in words
        assert max(len(line) for line in answer.stdout.splitlines() if "/" not in line) <= 80
        path = Path(words.partition("Certificate: ")[2].split()[0].replace("~", str(invited.person.home), 1))
        assert set(json.loads(path.read_text())) >= {"payload"}


def _withdrawn_at_a_terminal(invited: Invited) -> tuple[str, Tombstone]:
    """The screen with single spaces, and the certificate that the person got."""
    invited.start()
    words = [str(BIN / "promptster"), "withdraw"]
    with Terminal(words, environ=invited.person.environment(), cwd=invited.folder) as screen:
        screen.wait_for("to keep it: ")
        screen.type("withdraw")
        assert screen.end() == 0
    (file,) = (invited.person.home / ".local" / "share" / "promptster").glob("withdrawn-*.json")
    stone = Tombstone.parse(Envelope.decode(file.read_bytes().strip()).payload)
    return screen.shown.replace("\r", ""), stone


def test_the_day_of_the_last_backup_is_named_before_where_the_policy_states_one(tmp_path: Path) -> None:
    """The day is shown before and after the question and in the certificate; without it, the advice is to ask."""
    with hiring_in(tmp_path, options=("--key-backup-days", "3")) as acme:
        with acme.invited("stated") as stated:
            assert "and at most 3 days later their backups." in stated.person.result("policy", stated.link)["text"]
            days = [day(SystemClock().wall_ms() + 3 * DAY_MS)]
            shown, stone = _withdrawn_at_a_terminal(stated)
            days.append(day(SystemClock().wall_ms() + 3 * DAY_MS))
        before, _, after = shown.partition("to keep it: ")
        assert any(f"  Backups  the last copy of the keys is gone by {each}.\n" in before for each in days)
        assert f"The last backup of the keys is gone by {day(stone.backups_until_ms)}.\n" in after
        assert stone.backups_until_ms == stone.at_ms + 3 * DAY_MS
        assessment = acme.assessment("Older")
        make_older_in(acme.running.data, assessment)
        with acme.invited("older", assessment=assessment) as older:
            before = _withdrawn_at_a_terminal(older)[0].partition("to keep it: ")[0]
        assert ASK in before
        assert "gone by" not in before


def test_no_day_is_named_where_nothing_is_stated(acme: Hiring) -> None:
    """No day is shown before or after the question or in the certificate."""
    with acme.invited("unstated") as invited:
        shown, stone = _withdrawn_at_a_terminal(invited)
    assert ASK in shown
    assert "gone by" not in shown
    assert stone.backups_until_ms == 0


def test_who_keeps_no_backups_of_keys_says_so(tmp_path: Path) -> None:
    """With 0 days the message says that there is no backup of keys to wait for."""
    with hiring_in(tmp_path, options=("--key-backup-days", "0")) as acme, acme.invited("none") as invited:
        shown, _ = _withdrawn_at_a_terminal(invited)
    assert "  Backups  Acme keeps none of the keys.\n" in shown.partition("to keep it: ")[0]
