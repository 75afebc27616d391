r"""Escaping: all captured or received text passes through here before it reaches a terminal.

The characters that ``promptster.replay.invisible_characters`` lists are escaped: C0 and C1 controls including ESC (so
no terminal sequence survives), DEL, bidirectional controls, line and paragraph separators, lone surrogates, and
invisible characters except those that a word, an emoji or an ideograph needs in its place. Escaped characters stay
visible, as Python writes them: ``\x1b``, ``\u202e``.
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
    """Several lines of text, safe to print: newlines and tabs are kept, CRLF becomes a newline."""
    return replace_invisible(text.replace("\r\n", "\n"), _visible)


def escape_line(text: str) -> str:
    """Text that must stay on one line, such as a name or a title: newlines and tabs are escaped too."""
    return replace_invisible(text, _visible).replace("\n", "\\n").replace("\t", "\\t")
