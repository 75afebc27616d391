"""Markup that cannot be broken by its content: every text is escaped where it enters, once."""

from __future__ import annotations

import html

from promptster.replay.invisible_characters import replace_invisible

_VOID = frozenset({"meta", "br", "hr", "input"})
_SHAPES = frozenset({"rect", "line"})


class Html(str):
    """Markup made by this module; the only text that is not escaped again."""

    __slots__ = ()


def visible(text: str) -> str:
    """Text with its invisible characters written as codes."""
    return replace_invisible(text.replace("\r\n", "\n"), lambda code: f"\\u{{{code:x}}}")


def escaped(text: str) -> Html:
    """Text for an element's content or an attribute's value."""
    return text if isinstance(text, Html) else Html(html.escape(visible(text)))


def join(*parts: str) -> Html:
    """Several pieces of markup or text, one after the other."""
    return Html("".join(escaped(part) for part in parts))


def element(name: str, /, *children: str, **attributes: str | int | bool | None) -> Html:
    """One element.

    Args:
        name: its name.
        children: markup, or text that is escaped.
        attributes: their names with ``_`` for ``-`` and a trailing ``_`` for Python's own words; ``None`` and ``False``
            are left out, ``True`` is written without a value.
    """
    head = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = key.rstrip("_").replace("_", "-")
        head.append(attribute if value is True else f'{attribute}="{escaped(str(value))}"')
    if name in _SHAPES:
        return Html(f"<{' '.join(head)}/>")
    opening = f"<{' '.join(head)}>"
    return Html(opening if name in _VOID else f"{opening}{join(*children)}</{name}>")


def island(text: str) -> str:
    """JSON text for a data island: no character of it can end a script element or begin a comment.

    Nor can one of them change how the file looks to whoever opens it in an editor or a pager: what is not seen, or
    turns the direction of writing, is written as JSON's own escape, and is the same text again for the script.
    """
    safe = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return replace_invisible(safe, _escape)


def _escape(code: int) -> str:
    pair = chr(code).encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{pair[at : at + 2].hex()}" for at in range(0, len(pair), 2))
