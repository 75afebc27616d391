"""Questions to the person at the terminal, asked by every command in the same way.

A question takes y, yes, n and no; anything else, including Enter, asks again. Ctrl-C and the end of the input mean no.
If there is nobody to ask, ``--yes`` is needed, and without it nothing is done.
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
    """Ask on standard error and read one line without surrounding spaces; ``None`` at the end of the input."""
    width = columns(sys.stderr) if sys.stderr.isatty() else 0
    sys.stderr.write("\n".join(wrap(question, width)) if width else escape_text(question))
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        sys.stderr.write("\n")
    return line.strip() if line else None


def ask_yes(question: str) -> bool:
    """Ask until the answer is yes or no; the end of the input means no, and Ctrl-C is left to the caller.

    If the question ends with a newline, the two answers are on the next line.
    """
    asked = f"{question}{'' if question.endswith(chr(10)) else ' '}(yes/no) "
    while (line := ask_line(asked)) is not None:
        answer = _ANSWERS.get(line.lower())
        if answer is not None:
            return answer
        asked = "Type yes or no: "
    return False


def ask_word(question: str, words: Collection[str], again: str) -> str | None:
    """Ask until the answer is one of ``words``, in lower case; ``None`` at the end of the input.

    Args:
        question: what is asked first.
        words: the possible answers.
        again: the question after any other answer.
    """
    asked = question
    while (line := ask_line(asked)) is not None:
        answer = _word(line)
        if answer in words:
            return answer
        asked = again
    return None


def confirm(question: str, *, yes: bool, json: bool, act: str, refused: str = NOTHING_CHANGED, code: str) -> None:
    """Return if the person agrees; a no, or Ctrl-C, is reported as their choice.

    Args:
        question: a yes-or-no question.
        yes: ``--yes`` was given, so nobody is asked.
        json: the output is for a script, so nobody can be asked.
        act: what needs confirmation, such as ``stopping``.
        refused: what to say after a no.
        code: the code for scripts after a no.

    Raises:
        ChoiceError: the person said no; nothing was changed.
        ConfirmationNeededError: nobody can be asked, and there is no ``--yes``.
    """
    _confirm(lambda: ask_yes(question), yes=yes, json=json, act=act, refused=refused, code=code)


def confirm_by_word(question: str, word: str, *, yes: bool, json: bool, act: str, code: str) -> None:
    """Return only if the person types ``word``; used for what destroys a whole recording.

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
    """Whether the answer is this word; the end of the input is not."""
    line = ask_line(question)
    return line is not None and _word(line) == word


def _word(line: str) -> str:
    """An answer in lower case and without quotes."""
    return line.lower().strip("\"'")


def require_person(*, json: bool, act: str) -> None:
    """Return if a person can be asked.

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
