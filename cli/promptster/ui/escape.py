r"""The one escaper: no captured or received text reaches a terminal before it went through here.

Escaped are C0 and C1 controls with ESC among them (so no terminal sequence survives), DEL, every bidirectional control,
line and paragraph separators, invisible tag characters and lone surrogates. What is escaped stays visible, written as
Python writes it: ``\x1b``, ``\u202e``.
"""

from __future__ import annotations

import re

_UNSAFE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but for tab and newline, DEL, C1
    "\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls, zero-width space
    "\u2028\u2029\ufeff\ufff9-\ufffb"  # separators that some terminals break lines at, interlinear marks
    "\U000e0000-\U000e007f"  # tags: text that nobody sees
    "\ud800-\udfff"  # lone surrogates: cannot be encoded
)
_TEXT = re.compile(f"[{_UNSAFE}]")
_LINE = re.compile(f"[{_UNSAFE}\n\t]")


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
