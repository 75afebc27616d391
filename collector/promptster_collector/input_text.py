"""What people call things: titles, names and labels, checked once where they come in.

Taken is what can be shown to others as it is, on one line. A character that cannot be seen, or that turns or breaks
the line, is refused unless the script that it stands in needs it.
"""

from __future__ import annotations

import unicodedata

from promptster.protocol.documents import is_printable
from promptster.replay.unseen import is_encodable, replace_unseen


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
        return (
            f"{what} must have {least} to {most} characters" if least else f"{what} can have at most {most} characters"
        )
    if not is_encodable(text):
        return f"{what} contains bytes that are not UTF-8"
    if not is_printable(text) or replace_unseen(text, lambda _: "") != text:
        return f"{what} must be one line without control or invisible characters"
    return None
