"""What tables show: moments, durations, short ids and stages."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from promptster.commands.cells import when
from promptster.commands.invite import quoted
from promptster.commands.sessions import legend, stage
from promptster.commands.short_ids import shortened, the_one
from promptster.errors import UsageError
from promptster.times import counted_days, length, milliseconds

NOW = 1_796_025_600_000
"""30 November 2026, 08:00 UTC."""


def test_a_moment_has_its_hour_while_that_says_something() -> None:
    """Recent moments have an hour, those half a year away have a year, and an invalid moment is left out."""
    local = datetime.fromtimestamp(NOW / 1000, UTC).astimezone()
    assert when("2026-11-30T08:00:00Z", NOW) == f"{local.day} Nov {local:%H:%M}"
    assert when("2027-11-15T12:00:00Z", NOW) == "15 Nov 2027"
    assert when(None, NOW, missing="never") == "never"
    assert milliseconds("2026-11-30T08:00:00Z") == NOW
    for odd in ("soon", "2026-11-30T08:00:00", "0001-01-01T00:00:00+23:59", 7, None):
        assert when(odd, NOW) == ""


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(1, "1 min"), (60, "60 min"), (90, "90 min"), (120, "2 h"), (150, "150 min"), (1440, "24 h"), (2880, "2 days")],
)
def test_a_limit_is_told_exactly(minutes: int, words: str) -> None:
    """A larger unit is used only if nothing is rounded."""
    assert length(minutes) == words


def test_days_have_the_right_plural() -> None:
    """The unit is singular for one day and plural otherwise."""
    assert (counted_days(1), counted_days(30)) == ("1 day", "30 days")


def test_ids_are_as_short_as_they_may_be() -> None:
    """Ids have eight characters, or as many as are needed to make each of them unique."""
    ids = ["abcdefgh1234", "abcdefgh1299", "zzzzzzzz0000", "short"]
    shown = shortened(ids)
    assert shown == {ids[0]: "abcdefgh123", ids[1]: "abcdefgh129", ids[2]: "zzzzzzzz", "short": "short"}
    assert [the_one(each, ids, what="session") for each in shown.values()] == ids


def test_the_beginning_of_an_id_names_one_thing_or_nothing() -> None:
    """If several ids match they are listed; three characters are too few; the whole id always matches."""
    ids = ["abcdef", "abcdeg", "abcd"]
    assert the_one("abcd", ids, what="session") == "abcd"
    assert the_one("abc", ids, what="session") is None
    assert the_one("nothing", ids, what="session") is None
    with pytest.raises(UsageError) as caught:
        the_one("abcde", ids, what="session")
    assert (caught.value.code, caught.value.message) == ("ambiguous", "2 sessions begin with abcde")
    assert "abcdef, abcdeg" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({"state": "open", "outcome": None}, "started"),
        ({"state": "open", "outcome": None, "activity": "working"}, "working"),
        ({"state": "open", "outcome": None, "activity": "silent"}, "silent"),
        ({"state": "open", "outcome": None, "activity": "over"}, "over"),
        ({"state": "open", "outcome": None, "activity": "of a later version"}, "started"),
        ({"state": "closing", "outcome": "submitted", "activity": None}, "submitted"),
        ({"state": "closing", "outcome": "submitted"}, "submitted"),
        ({"state": "sealed", "outcome": "lapsed"}, "lapsed"),
        ({"state": "sealed"}, "ended"),
        ({"state": "withdrawn"}, "withdrawn"),
        ({"state": "erased"}, "erased"),
    ],
)
def test_a_stage_is_a_word_for_people(entry: dict[str, object], word: str) -> None:
    """A submitted session is called submitted, whatever the collector does with it meanwhile."""
    assert stage(entry) == word


def test_every_stage_is_explained_in_one_line_with_what_to_do() -> None:
    """Each line begins with the word of the table, and fits a terminal."""
    words = ["started", "working", "silent", "over", "submitted", "ended", "lapsed", "withdrawn", "erased"]
    told = list(legend(words))
    assert [line.partition(":")[0] for line in told] == words
    assert max(map(len, told)) <= 80
    for line in told:
        assert re.search("promptster replay SESSION|candidate\\.|It can no longer be read", line)


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("Twice", "Twice"),
        ("Rate limiter", '"Rate limiter"'),
        ("No $limit", "'No $limit'"),
        ("it's", '"it\'s"'),
        ('say "no"', "'say \"no\"'"),
        ("-rf", "-rf"),
        ("", '""'),
    ],
)
def test_a_title_is_quoted_as_a_shell_wants_it(text: str, typed: str) -> None:
    """Double quotes are used if they are enough."""
    assert quoted(text) == typed
