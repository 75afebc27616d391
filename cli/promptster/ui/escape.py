r"""The one escaper: no captured or received text reaches a terminal before it went through here.

Escaped is what ``promptster.replay.unseen`` lists: C0 and C1 controls with ESC among them (so no terminal sequence
survives), DEL, every bidirectional control, line and paragraph separators, invisible characters and lone surrogates.
What is escaped stays visible, written as Python writes it: ``\x1b``, ``\u202e``.
"""

from __future__ import annotations

import re

from promptster.replay.unseen import UNSEEN

_TEXT = re.compile(f"[{UNSEEN}]")
_LINE = re.compile(f"[{UNSEEN}\n\t]")


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code == ord("\n"):
        return "\\n"
    if code == ord("\t"):
        return "\\t"
    if code <= 0xFF:  # noqa: PLR2004 - the form with two hex digits reaches this far
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - likewise with four


def escape_text(text: str) -> str:
    """Text of several lines, safe to print: newlines and tabs stay, CRLF becomes a newline."""
    return _TEXT.sub(_visible, text.replace("\r\n", "\n"))


def escape_line(text: str) -> str:
    """Text that must stay on one line, such as a name or a title: newlines and tabs are escaped too."""
    return _LINE.sub(_visible, text)
