"""What people call things: titles, names and labels, checked once where they come in.

Taken is what can be shown to others as it is, on one line. A character that cannot be seen, or that turns or breaks
the line, is refused unless the script that it stands in needs it.
"""

from __future__ import annotations

import unicodedata

from promptster.protocol.documents import is_printable
from promptster.replay.invisible_characters import is_encodable, replace_invisible


def normalised_text(text: str) -> str:
    """The text without spaces around it, every other script's space as a plain one."""
    return "".join(" " if unicodedata.category(each) == "Zs" else each for each in text).strip()


def text_fault(text: str, what: str, *, least: int = 1, most: int) -> str | None:
    """Why a normalised text cannot be used, as an error's message; ``None`` if it can.

    Args:
        text: the text.
        what: what it is, such as ``a title``.
        least: how many characters it has at least.
        most: how many at most.
    """
    if not least <= len(text) <= most:
        return f"{what} has {least} to {most} characters" if least else f"{what} has at most {most} characters"
    if not is_encodable(text):
        return f"{what} has bytes that are not UTF-8"
    if not is_printable(text) or replace_invisible(text, lambda _: "") != text:
        return f"{what} is one line, without control or invisible characters"
    return None
