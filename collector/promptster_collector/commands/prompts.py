"""The question before an act that cannot be undone: it needs a typed word."""

from __future__ import annotations

import sys

from promptster.errors import ChoiceError, ConfirmationNeededError

_NOTHING = "Nothing was changed."


def require_person(*, json: bool, act: str) -> None:
    """Demand a terminal at which a question can be answered.

    Args:
        json: the output is for a script.
        act: what needs confirmation.

    Raises:
        ConfirmationNeededError: there is none.
    """
    if json:
        raise ConfirmationNeededError(
            f"{act} needs your confirmation, and --json asks no questions", hint=f"{_NOTHING} Add --yes."
        )
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfirmationNeededError(
            f"{act} needs your confirmation, and there is no terminal",
            hint=f"{_NOTHING} Run it in a terminal, or add --yes.",
        )


def confirm_by_word(word: str, *, code: str) -> None:
    """Ask for a word.

    Args:
        word: the word that confirms the act.
        code: the error code for anything else.

    Raises:
        ChoiceError: anything else was typed, Ctrl-C included.
    """
    sys.stderr.write(f"Type {word} to do it, anything else to keep everything: ")
    sys.stderr.flush()
    try:
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise ChoiceError(_NOTHING, code=code, interrupted=True) from None
    if line.strip().lower() != word:
        raise ChoiceError(_NOTHING, code=code)
