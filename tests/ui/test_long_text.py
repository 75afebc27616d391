"""Reading longer text in a terminal."""

from __future__ import annotations

import io

import pytest

from promptster.ui.long_text import show_paged, wrap


class _Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return true."""
        return True


@pytest.fixture(autouse=True)
def _size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "10")


def test_lines_are_wrapped_and_list_items_hang() -> None:
    """No line is wider than the limit; the second line of an item is aligned with its first word."""
    lines = wrap("- " + "word " * 12, 20)
    assert all(len(line) <= 20 for line in lines)
    assert lines[0].startswith("- word")
    assert lines[1].startswith("  word")


def test_a_terminal_gets_a_screen_at_a_time() -> None:
    """It waits between screens and names the keys; q and Enter skip the rest."""
    text = "\n".join(f"line {n}" for n in range(30))
    shown = _Terminal()
    show_paged(text, stream=shown, keyboard=_Terminal("\n\n\n\n"))
    assert "line 29" in shown.getvalue()
    assert "22 more lines: Enter for more, q for the question" in " ".join(shown.getvalue().split())
    assert all(len(line) <= 40 for line in shown.getvalue().split("\n"))
    skipped = _Terminal()
    show_paged(text, stream=skipped, keyboard=_Terminal("q\n"))
    assert "line 7" in skipped.getvalue()
    assert "line 8" not in skipped.getvalue()


def test_without_a_terminal_nothing_waits() -> None:
    """All of it is printed at once."""
    shown = io.StringIO()
    show_paged("\n".join(f"line {n}" for n in range(30)), stream=shown, keyboard=io.StringIO())
    assert shown.getvalue().count("\n") == 30
