r"""The one escaper: no captured or received text reaches a terminal before it went through here.

Escaped is what ``promptster.replay.invisible_characters`` lists: C0 and C1 controls with ESC among them (so no terminal
sequence survives), DEL, every bidirectional control, line and paragraph separators, lone surrogates, and invisible
characters but for those that a word, an emoji or an ideograph needs where they stand. What is escaped stays visible,
written as Python writes it: ``\x1b``, ``\u202e``.
"""

from __future__ import annotations

from functools import cache

from promptster.replay.invisible_characters import replace_invisible


@cache
def _visible(code: int) -> str:
    if code <= 0xFF:  # noqa: PLR2004 - the form with two hex digits reaches this far
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - likewise with four


def escape_text(text: str) -> str:
    """Text of several lines, safe to print: newlines and tabs stay, CRLF becomes a newline."""
    return replace_invisible(text.replace("\r\n", "\n"), _visible)


def escape_line(text: str) -> str:
    """Text that must stay on one line, such as a name or a title: newlines and tabs are escaped too."""
    return replace_invisible(text, _visible).replace("\n", "\\n").replace("\t", "\\t")
