"""The catalogue of agents, and how a sentence lists them."""

from __future__ import annotations

import pytest

from promptster.protocol.agents import BY_ID, BY_PROGRAM, CATALOGUE, NOT_RECORDED, PROGRAMS, all_of, one_of


@pytest.mark.parametrize(
    ("words", "one", "every"),
    [
        ((), "", ""),
        (("a",), "a", "a"),
        (("a", "b"), "a or b", "a and b"),
        (("a", "b", "c"), "a, b or c", "a, b and c"),
    ],
)
def test_names_are_listed_as_a_sentence_lists_them(words: tuple[str, ...], one: str, every: str) -> None:
    """The names have commas between them, and one word before the last."""
    assert (one_of(words), all_of(words)) == (one, every)


def test_every_agent_is_found_by_its_id_and_its_program() -> None:
    """No two agents share either."""
    assert [BY_ID[agent.id] for agent in CATALOGUE] == list(CATALOGUE) == [BY_PROGRAM[a.program] for a in CATALOGUE]


def test_no_agent_is_also_listed_as_one_that_cannot_be_recorded() -> None:
    """An agent that gets a line leaves the other list."""
    marks = {mark for agent in CATALOGUE for mark in agent.marks}
    assert NOT_RECORDED.keys().isdisjoint(PROGRAMS)
    assert marks.isdisjoint(mark for others in NOT_RECORDED.values() for mark in others)
