"""The counter that computes the policy's reading grade counts as a person would."""

from __future__ import annotations

import pytest
from tests.helpers.readability import Counts, count, syllables


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("you", 1),
        ("code", 1),
        ("table", 2),
        ("used", 1),
        ("edited", 3),
        ("changes", 2),
        ("images", 3),
        ("policy", 3),
        ("idea", 3),
        ("region", 2),
        ("science", 2),
        ("misconduct", 3),
        ("agent's", 2),
        ("90", 2),
    ],
)
def test_syllables_are_those_that_are_spoken(word: str, expected: int) -> None:
    """Silent endings do not count."""
    assert syllables(word) == expected


def test_headings_and_addresses_are_left_out_and_points_of_a_list_are_sentences() -> None:
    """An abbreviation inside an address does not end a sentence."""
    text = "WHAT IS RECORDED\n- one cat\n- a dog\nAsk us. Write to a.b@example.com, or see https://x.example/a.html.\n"
    assert count(text)[:2] == (10, 4)


def test_the_grade_is_the_published_formula() -> None:
    """The grade is 0.39 times the words per sentence plus 11.8 times the syllables per word, less 15.59."""
    assert Counts(words=100, sentences=5, syllables=150).grade == pytest.approx(9.91)


def test_hard_text_has_a_higher_grade_than_easy_text() -> None:
    """The policy's limit of 9 separates the two."""
    easy = "We record what you ask. You can stop at any time."
    hard = (
        "Notwithstanding the aforementioned provisions, participation constitutes irrevocable authorisation of "
        "comprehensive telemetric documentation of professional activities."
    )
    assert count(easy).grade < 4
    assert count(hard).grade > 15
