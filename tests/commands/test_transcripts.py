"""What a person sees, command by command, against the real collector."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.helpers.hiring import UPSTREAMS
from tests.helpers.transcripts import matches, play, read

if TYPE_CHECKING:
    from tests.helpers.hiring import Hiring

FOLDER = Path(__file__).parents[1] / "transcripts"


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.txt")))
def test_transcript(acme: Hiring, name: str) -> None:
    """Every command shows what the transcript says, and ends with the exit code that it names."""
    with acme.invited(name) as invited:
        given = {
            "LINK": invited.link,
            "CODE": invited.code,
            "WORK": str(invited.workspace),
            "UPSTREAMS": " ".join(UPSTREAMS),
            "HASH": acme.owner.result("policy", invited.link, "--json")["sha256"],
        }
        given["HASH"] = f"sha256:{given['HASH']}"
        play(FOLDER / f"{name}.txt", cwd=invited.folder, environ={**invited.person.environment(), **given})


def test_transcripts_are_read_as_they_are_written() -> None:
    """The reader of transcripts knows continued commands, wildcards and blank lines."""
    steps = read("words\n\n$ one \\\n two\nout\n\nmore\n\n$ three\n")
    assert [(step.command, step.expected) for step in steps] == [("one  two", "out\n\nmore"), ("three", "")]
    assert matches("a [...] c\n...\nend", "a b c\nx\ny\nend")
    assert not matches("a [...] c", "a b d")
    assert not matches("", "something")
