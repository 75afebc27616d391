"""docs/glossary.md has each term once, in order, and says where the code defines it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from promptster.protocol.verdict import _VERDICTS  # pyright: ignore[reportPrivateUsage]
from promptster.session_folder.folder import SessionState
from promptster_collector.access.principal import Role
from promptster_collector.sessions.states import Activity, State

ROOT = Path(__file__).parents[2]
ROWS = re.findall(
    r"^\| (?!term|-)(.+?) \| (.+?) \| (.+?) \|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE
)
TERMS = [term for term, _, _ in ROWS]
HOMES = (ROOT / "cli" / "promptster", ROOT / "collector" / "promptster_collector", ROOT / "hooks")


def test_terms_are_in_order_and_stand_once() -> None:
    """A reader finds a term at its place in the alphabet."""
    assert len(TERMS) > 60
    assert sorted(set(TERMS)) == TERMS


@pytest.mark.parametrize(("term", "meaning", "place"), ROWS, ids=TERMS)
def test_a_term_has_a_sentence_and_a_place(term: str, meaning: str, place: str) -> None:
    """The meaning is a sentence, and every file that is named exists."""
    assert re.match(r"[A-Z].*\.$", meaning), term
    files = re.findall(r"`([a-z_/0-9]+\.py)`", place)
    assert files, term
    assert [file for file in files if not any((home / file).is_file() for home in HOMES)] == []


def test_what_the_wire_signs_is_explained() -> None:
    """Every type of signed document is a term."""
    table = (ROOT / "docs" / "protocol.md").read_text().partition("\n### Types\n")[2].partition("\n### ")[0]
    types = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert len(types) > 10
    assert set(types) <= set(TERMS)


def test_words_that_people_read_are_explained() -> None:
    """Every verdict, role, activity, and state of a session is somewhere in the glossary."""
    told = " ".join(f"{term} {meaning}" for term, meaning, _ in ROWS)
    words = [*(word for word, _ in _VERDICTS.values()), *Role, *Activity, *State, *SessionState]
    assert [str(word) for word in words if not re.search(rf"\b{word}\b", told)] == []
