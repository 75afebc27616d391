"""Lines for a terminal: no wider than it is, words whole, measured in cells and not in characters."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptster.ui.wrapping import USUAL_WIDTH, cells, columns, fits, fold, shortened, wrap

WORDS = st.lists(
    st.sampled_from(["a", "word", "longer-word", "naïve", "漢字", "、", "👩‍💻", "e\u0301", "  ", "—", "x" * 30, "\t"]),
    max_size=40,
)


@given(WORDS, st.integers(20, 90))
def test_lines_fit_and_hold_every_word(words: list[str], width: int) -> None:
    """Only a single word may be too wide for a line; nothing but gaps is lost."""
    text = " ".join(words)
    lines = wrap(text, width)
    for line in lines:
        assert fits(line, width) or len(line.split()) == 1
    assert "".join("".join(lines).split()) == "".join(text.split())
    if text.isascii():
        assert " ".join(lines).split() == text.split()


def test_a_link_stays_whole_on_a_line_of_its_own() -> None:
    """However narrow the terminal is, a link can be copied."""
    link = "https://collector.example.com/i/" + "k" * 300
    assert wrap(f"Open {link} now", 40) == ["Open", link, "now"]


def test_further_lines_stand_below_the_text_of_the_first() -> None:
    """This holds after a bullet, a number, a label with its gap, or an indent."""
    text = "one two three four five six seven"
    assert fold(f"- {text}", 20) == ["- one two three four", "  five six seven"]
    assert fold(f"  2. {text}", 20) == ["  2. one two three", "     four five six", "     seven"]
    assert fold(f"signer  {text}", 20) == ["signer  one two", "        three four", "        five six", "        seven"]
    assert fold(f"    {text}", 20) == ["    one two three", "    four five six", "    seven"]
    assert fold(text, 20) == ["one two three four", "five six seven"]
    step = "  promptster pause          take a break (the clock keeps running)"
    assert fold(step, 60) == ["  promptster pause          take a break (the clock keeps", " " * 28 + "running)"]


def test_wide_characters_take_two_cells() -> None:
    """A line of ideographs ends where its cells do; a full stop does not begin a line."""
    assert cells("漢字") == 4
    assert cells("e\u0301") == 1
    assert wrap("漢" * 25, 20) == ["漢" * 10, "漢" * 10, "漢" * 5]
    assert wrap("漢" * 10 + "。漢", 20) == ["漢" * 9, "漢。漢"]
    assert shortened("漢字漢字", 6) == "漢字…"
    assert shortened("short", 6) == "short"


def test_endless_words_are_cut_in_one_pass() -> None:
    """Megabytes without a space, of any script, become lines: each piece is visited a limited number of times."""
    for letter in ("A", "é", "漢", "e\u0301"):
        lines = fold(letter * 300_000, 70)
        assert "".join(lines) == letter * 300_000
        assert all(fits(line, 70) for line in lines[:-1])


def test_the_width_is_what_columns_says_or_the_terminal_or_80(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that is not a terminal is 80 wide; an impossible width is ignored."""
    monkeypatch.delenv("COLUMNS", raising=False)
    assert columns(io.StringIO()) == USUAL_WIDTH
    for said, found in (("100", 100), ("0", 80), ("-5", 80), ("wide", 80), ("3", 20)):
        monkeypatch.setenv("COLUMNS", said)
        assert columns(io.StringIO()) == found
