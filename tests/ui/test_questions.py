"""Questions: what counts as yes, what counts as no, and what happens without a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from promptster.errors import ChoiceError, ConfirmationNeededError
from promptster.ui import questions


class _Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return true."""
        return True


class _Interrupted(_Terminal):
    """A keyboard on which Ctrl-C is pressed."""

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]  # the base class of text says bytes
        """Raise the interrupt; ``size`` is ignored."""
        del size
        raise KeyboardInterrupt


def _typed(monkeypatch: pytest.MonkeyPatch, keyboard: io.StringIO) -> _Terminal:
    shown = _Terminal()
    monkeypatch.setattr(sys, "stdin", keyboard)
    monkeypatch.setattr(sys, "stderr", shown)
    return shown


@pytest.mark.parametrize(("typed", "agreed"), [("y", True), ("YES", True), ("n", False), (" no ", False)])
def test_a_letter_is_enough(monkeypatch: pytest.MonkeyPatch, typed: str, agreed: bool) -> None:  # noqa: FBT001 - a table's column
    """Yes, y, no and n are accepted, in any case and with spaces around."""
    _typed(monkeypatch, _Terminal(f"{typed}\n"))
    assert questions.ask_yes("Go on?") is agreed


def test_anything_else_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enter is not an answer, so a slip does not decide."""
    shown = _typed(monkeypatch, _Terminal("\nmaybe\ny\n"))
    assert questions.ask_yes("Go on?")
    assert shown.getvalue() == "Go on? (yes/no) Type yes or no: Type yes or no: "


def test_the_end_of_the_input_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-D never confirms something that cannot be undone."""
    _typed(monkeypatch, _Terminal(""))
    assert not questions.ask_yes("Go on?")
    assert questions.ask_word("Which?", {"agree"}, "Again: ") is None


def test_a_word_is_asked_for_until_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotes and capitals around the word are accepted."""
    shown = _typed(monkeypatch, _Terminal('yes\n"Agree"\n'))
    assert questions.ask_word("Which? ", {"agree", "leave"}, "Again: ") == "agree"
    assert shown.getvalue() == "Which? Again: "


@pytest.mark.parametrize(("keyboard", "code"), [(_Terminal("n\n"), 3), (_Interrupted(), 130)])
def test_a_no_is_a_choice_and_no_error(monkeypatch: pytest.MonkeyPatch, keyboard: io.StringIO, code: int) -> None:
    """Ctrl-C is a no with the exit code that shells know for it."""
    _typed(monkeypatch, keyboard)
    with pytest.raises(ChoiceError, match=r"Kept as it is\.") as no:
        questions.confirm("Go on?", yes=False, json=False, act="going on", refused="Kept as it is.", code="kept")
    assert (no.value.exit_code, no.value.is_choice, no.value.code) == (code, True, "kept")


@pytest.mark.parametrize(
    ("keyboard", "code"), [(_Terminal("y\n"), 3), (_Terminal(""), 3), (_Terminal("\n"), 3), (_Interrupted(), 130)]
)
def test_only_the_word_destroys(monkeypatch: pytest.MonkeyPatch, keyboard: io.StringIO, code: int) -> None:
    """A habitual yes keeps the recording."""
    _typed(monkeypatch, keyboard)
    with pytest.raises(ChoiceError, match=r"Nothing was changed\.") as no:
        questions.confirm_by_word("Type it: ", "withdraw", yes=False, json=False, act="withdrawing", code="kept")
    assert no.value.exit_code == code


def test_the_word_or_yes_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both return; with ``--yes`` there is no question."""
    shown = _typed(monkeypatch, _Terminal("withdraw\n"))
    questions.confirm_by_word("Type it: ", "withdraw", yes=False, json=False, act="withdrawing", code="kept")
    assert shown.getvalue() == "Type it: "
    _typed(monkeypatch, io.StringIO())
    questions.confirm_by_word("Type it: ", "withdraw", yes=True, json=True, act="withdrawing", code="kept")
    questions.confirm("Go on?", yes=True, json=True, act="going on", code="kept")


@pytest.mark.parametrize(("json", "words"), [(True, "--json asks no questions"), (False, "there is no terminal")])
def test_without_a_person_nothing_is_done(monkeypatch: pytest.MonkeyPatch, json: bool, words: str) -> None:  # noqa: FBT001 - a table's column
    """Neither a closed standard input nor a script counts as yes."""
    keyboard = _Terminal("yes\n") if json else io.StringIO("yes\n")
    _typed(monkeypatch, keyboard)
    with pytest.raises(ConfirmationNeededError, match=f"^stopping needs your confirmation, and {words}$") as no:
        questions.confirm("Go on?", yes=False, json=json, act="stopping", code="kept")
    assert no.value.exit_code == 5
    assert "Nothing was changed." in (no.value.hint or "")
    with pytest.raises(ConfirmationNeededError, match=f"^stopping needs your confirmation, and {words}$"):
        questions.confirm_by_word("Type: ", "stop", yes=False, json=json, act="stopping", code="kept")
