"""Withdrawing tells the truth about what was handed out before: nobody knows who kept a copy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.helpers.hiring import stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.hiring import Stage


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One collector for these tests."""
    with stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.mark.parametrize(
    ("reads", "told"),
    [
        ([], None),
        (["replay"], "handed out once, to be read or saved"),
        (["replay", "export"], "handed out 2 times, to be read or saved"),
    ],
)
def test_a_replay_is_not_called_an_exported_copy(
    acme: Stage, tmp_path: Path, reads: list[str], told: str | None
) -> None:
    """The words count how often all of it was handed out, as the certificate does, and name saved copies apart."""
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
