"""Questions to the person at the terminal: every command asks and hears its answers in this one way.

A question takes y, yes, n and no; anything else, Enter too, asks again. Ctrl-C and the end of the input are a no. Where
nobody can be asked, ``--yes`` is the answer, and without it nothing is done.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from promptster.errors import ChoiceError, ConfirmationNeededError
from promptster.ui.escape import escape_text
from promptster.ui.wrapping import columns, wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_ANSWERS = {"y": True, "yes": True, "n": False, "no": False}
NOTHING_CHANGED = "Nothing was changed."


def is_terminal() -> bool:
    """Whether a person can be asked: standard input and standard error are a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask_line(question: str) -> str | None:
    """Ask on standard error and read one line, without the spaces around it; ``None`` at the end of the input."""
    width = columns(sys.stderr) if sys.stderr.isatty() else 0
    sys.stderr.write("\n".join(wrap(question, width)) if width else escape_text(question))
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        sys.stderr.write("\n")
    return line.strip() if line else None


def ask_yes(question: str) -> bool:
    """Ask until the answer is a yes or a no; Ctrl-C is left to the caller, the end of the input is a no.

    A question that ends its line has its two answers on the next one.
    """
    asked = f"{question}{'' if question.endswith(chr(10)) else ' '}(yes/no) "
    while (line := ask_line(asked)) is not None:
        answer = _ANSWERS.get(line.lower())
        if answer is not None:
            return answer
        asked = "Type yes or no: "
    return False


def ask_word(question: str, words: Collection[str], again: str) -> str | None:
    """Ask until the answer is one of ``words``, in small letters; ``None`` at the end of the input.

    Args:
        question: what is asked first.
        words: what is taken for an answer.
        again: what is asked after anything else.
    """
    asked = question
    while (line := ask_line(asked)) is not None:
        answer = _word(line)
        if answer in words:
            return answer
        asked = again
    return None


def confirm(question: str, *, yes: bool, json: bool, act: str, refused: str = NOTHING_CHANGED, code: str) -> None:
    """Return if the person agrees; a no, Ctrl-C included, is told as their choice.

    Args:
        question: a yes or a no answers it.
        yes: ``--yes`` was given: nobody is asked.
        json: the output is for a script, so nobody is asked either.
        act: what needs the yes, such as ``stopping``.
        refused: what to say after a no.
        code: the no's code for scripts.

    Raises:
        ChoiceError: the person said no; nothing was changed.
        ConfirmationNeededError: nobody can be asked, and there is no ``--yes``.
    """
    _confirm(lambda: ask_yes(question), yes=yes, json=json, act=act, refused=refused, code=code)


def confirm_by_word(question: str, word: str, *, yes: bool, json: bool, act: str, code: str) -> None:
    """For what destroys a whole recording: only the typed word does it, anything else keeps everything.

    Raises:
        ChoiceError: anything else was typed, Ctrl-C included; nothing was changed.
        ConfirmationNeededError: nobody can be asked, and there is no ``--yes``.
    """
    _confirm(lambda: _types(word, question), yes=yes, json=json, act=act, refused=NOTHING_CHANGED, code=code)


def _confirm(agrees: Callable[[], bool], *, yes: bool, json: bool, act: str, refused: str, code: str) -> None:
    if yes:
        return
    require_person(json=json, act=act)
    try:
        agreed = agrees()
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise ChoiceError(refused, code=code, interrupted=True) from None
    if not agreed:
        raise ChoiceError(refused, code=code)


def _types(word: str, question: str) -> bool:
    """Whether the one answer is this word; the end of the input is none."""
    line = ask_line(question)
    return line is not None and _word(line) == word


def _word(line: str) -> str:
    """An answer in small letters, without the quotes that it may have around it."""
    return line.lower().strip("\"'")


def require_person(*, json: bool, act: str) -> None:
    """Return if somebody can be asked.

    Raises:
        ConfirmationNeededError: there is no terminal, or the output is for a script.
    """
    if json:
        raise ConfirmationNeededError(
            f"{act} needs your confirmation, and --json asks no questions", hint=f"{NOTHING_CHANGED} Add --yes."
        )
    if not is_terminal():
        raise ConfirmationNeededError(
            f"{act} needs your confirmation, and there is no terminal",
            hint=f"{NOTHING_CHANGED} Run it in a terminal, or add --yes.",
        )
