"""Passages that stand between an opening and a closing tag, found in one walk over the text.

Much of what is looked through was written by others: a command's output may hold a tag a hundred thousand times. A
pattern with a lazy middle would look at the rest of the text again for each of them.
"""

from __future__ import annotations


def passage(text: str, tag: str) -> str | None:
    """What stands inside the first ``<tag>`` that is closed."""
    inside, _ = passages(text, tag, most=1)
    return inside[0] if inside else None


def passages(text: str, tag: str, *, most: int | None = None) -> tuple[list[str], str]:
    """What stands inside every ``<tag>``, up to ``most``, and the text without them and their tags."""
    opening, closing = f"<{tag}>", f"</{tag}>"
    inside: list[str] = []
    around: list[str] = []
    at = 0
    while most is None or len(inside) < most:
        begin = text.find(opening, at)
        end = text.find(closing, begin + len(opening)) if begin >= 0 else -1
        if end < 0:
            break
        around.append(text[at:begin])
        inside.append(text[begin + len(opening) : end])
        at = end + len(closing)
    return inside, "".join([*around, text[at:]])


def widest(text: str, tag: str) -> str | None:
    """From the first ``<tag>`` to the last ``</tag>``, both included."""
    begin, end = text.find(f"<{tag}>"), text.rfind(f"</{tag}>")
    return text[begin : end + len(tag) + 3] if 0 <= begin < end else None
