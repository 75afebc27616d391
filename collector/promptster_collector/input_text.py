"""Titles, names and labels, checked where they come in.

Accepted is what can be shown as it is, on one line. A character that is invisible, or that reverses or breaks
the line, is refused unless its script needs it.
"""

from __future__ import annotations

import re
import unicodedata

from promptster.protocol.documents import is_printable
from promptster.replay.invisible_characters import is_encodable, replace_invisible

_EMAIL = re.compile(r"[^\s@<>]{1,200}@[^\s@<>]{1,200}")


def is_email(text: str) -> bool:
    """Whether a text looks like an e-mail address."""
    return _EMAIL.fullmatch(text) is not None and text.isprintable()


def normalised_text(text: str) -> str:
    """The text without surrounding spaces, and with every Unicode space as a plain one."""
    return "".join(" " if unicodedata.category(each) == "Zs" else each for each in text).strip()


def text_fault(text: str, what: str, *, least: int = 1, most: int) -> str | None:
    """Why a normalised text cannot be used, as an error message; ``None`` if it can.

    Args:
        text: the text.
        what: what it is, such as ``a title``.
        least: the fewest characters.
        most: the most characters.
    """
    if not least <= len(text) <= most:
        return (
            f"{what} must have {least} to {most} characters" if least else f"{what} can have at most {most} characters"
        )
    if not is_encodable(text):
        return f"{what} contains bytes that are not UTF-8"
    if not is_printable(text) or replace_invisible(text, lambda _: "") != text:
        return f"{what} must be one line without control or invisible characters"
    return None
