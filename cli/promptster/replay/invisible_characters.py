r"""Characters that people cannot see, or that change how others look: what shows captured text writes them as codes.

Some of them are companions of letters and pictures: joiners inside a word in a joining script, selectors after emoji
and ideographs, the tags of a flag. Those stay where their companion is, and only there; anywhere else they could hide
something (``pay\u200dpal``). The terminal, the page's markup and the page's script share one rule, ``INVISIBLE``.

The class is Unicode's ``Default_Ignorable_Code_Point`` with the control and format characters (``Cc``, ``Cf``), less
the few of these that are drawn (signs that come before a number in Arabic and other scripts).
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_NEVER = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but for tab and newline, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\uffa0"  # nothing to see, or a gap
    "\u2028\u2029\ufeff\ufff0-\ufffb"  # separators that some terminals break lines at, interlinear marks
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # shorthand and musical controls
    "\U000e0000-\U000e001f\U000e0080-\U000e00ff\U000e01f0-\U000e0fff"  # tags of languages, and what is unassigned there
    "\ud800-\udfff"  # lone surrogates: cannot be encoded
)
"""Shown as codes everywhere."""
_JOINERS = "\u200c\u200d"
_MONGOLIAN_SELECTORS = "\u180b-\u180d\u180f"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_TAGS = "\U000e0020-\U000e007f"
_HIEROGLYPH_CONTROLS = "\U00013430-\U0001343f"

_VIRAMAS = (
    "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d3b\u0d3c\u0d4d\u0dca\u1039\u103a\u17d2\u1a60\u1b44\u1baa\u1bab"
    "\ua806\ua82c\ua8c4\ua953\ua9c0\uaaf6\uabed\U00011046\U000110b9\U00011133\U000111c0\U00011235\U0001134d\U00011442"
)
"""Signs after which a joiner chooses the form of a consonant, at a word's end too."""
_JOINING = (
    "\u0620-\u065f\u066e-\u06d3\u06d5-\u06dc\u06df-\u06ef\u06fa-\u06ff\u0710-\u077f\u07ca-\u07f5\u0840-\u085b\u0860-\u088e"
    "\u0898-\u08e1\u08e3-\u0963\u0971-\u0df3\u1000-\u1049\u1050-\u109f\u1780-\u17b3\u17b6-\u17d3\u1820-\u18aa\u1a20-\u1a7c"
    "\u1b00-\u1b4b\u1b80-\u1bad\ua800-\ua827\ua880-\ua8c5\ua930-\ua953\ua980-\ua9c0\ufb50-\ufdfb\ufe70-\ufefc"
    "\U00010d00-\U00010d27\U00011000-\U00011046\U00011080-\U000110ba\U00011100-\U00011134\U00011180-\U000111c4"
    "\U00011200-\U00011237\U00011300-\U0001134d\U00011400-\U00011446\U0001e900-\U0001e94b"
)
"""Letters and marks of scripts whose words need joiners."""
_PICTURES = (
    "\xa9\xae\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u231a\u231b\u2328\u2388\u23cf\u23e9-\u23f3\u23f8-\u23fa"
    "\u24c2\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u2600-\u2605\u2607-\u2612\u2614-\u2685\u2690-\u2705\u2708-\u2712\u2714"
    "\u2716\u271d\u2721\u2728\u2733\u2734\u2744\u2747\u274c\u274e\u2753-\u2755\u2757\u2763-\u2767\u2795-\u2797\u27a1\u27b0"
    "\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001f1ff\U0001f201-\U0001f20f"
    "\U0001f21a\U0001f22f\U0001f232-\U0001f23a\U0001f23c-\U0001f23f\U0001f249-\U0001f3fa\U0001f400-\U0001f53d"
    "\U0001f546-\U0001f64f\U0001f680-\U0001f6ff\U0001f774-\U0001f77f\U0001f7d5-\U0001f7ff\U0001f90c-\U0001f93a"
    "\U0001f93c-\U0001f945\U0001f947-\U0001faff"
)
"""Emoji and the signs that have a form as one (``Extended_Pictographic``)."""
_TONES = "\U0001f3fb-\U0001f3ff"
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_HIEROGLYPHS = "\U00013000-\U0001345f"
_MONGOLIAN = "\u1820-\u18aa"
_FLAGS = ("gbeng", "gbsct", "gbwls")
"""What the tags of a flag may spell: the flags that there are."""


def _tags_of_flags() -> str:
    """Each tag of each flag in its own place, after the black flag and before the rest."""
    found: list[str] = []
    for flag in _FLAGS:
        tags = "".join(chr(0xE0000 + ord(letter)) for letter in flag) + "\U000e007f"
        found += [f"(?!(?<=\U0001f3f4{tags[:end]}){tags[end:]})" for end in range(1, len(tags) + 1)]
    return "".join(found)


INVISIBLE: Final = (
    # The class comes first: a search looks for nothing else, and its neighbours are looked at only where one was found.
    f"[{_NEVER}{_JOINERS}{_MONGOLIAN_SELECTORS}{_SELECTORS}{_TAGS}{_HIEROGLYPH_CONTROLS}]"
    f"(?<![{_VIRAMAS}][{_JOINERS}])"
    f"(?!(?<=[{_JOINING}][{_JOINERS}])[{_JOINING}])"
    f"(?!(?<=[{_PICTURES}{_TONES}\ufe0f]\u200d)[{_PICTURES}])"
    f"(?<![{_PICTURES}][\ufe0e\ufe0f])"
    "(?!(?<=[0-9#*]\ufe0f)\u20e3)"
    f"(?<![{_IDEOGRAPHS}][\ufe00-\ufe02\U000e0100-\U000e01ef])"
    f"(?<![{_MONGOLIAN}][{_MONGOLIAN_SELECTORS}])"
    f"(?<![{_HIEROGLYPHS}][{_HIEROGLYPH_CONTROLS}])"
    f"{_tags_of_flags()}"
)
"""A regular expression that matches one character to be shown as its code; Python and a browser read it alike."""


def for_script() -> str:
    """``INVISIBLE`` for a browser's ``new RegExp(..., "u")``, in ASCII."""
    return "".join(
        letter if letter.isascii() and letter.isprintable() else f"\\u{{{ord(letter):x}}}" for letter in INVISIBLE
    )


_CONTROLS = bytes((*range(0x09), *range(0x0B, 0x20), 0x7F))
"""The ASCII characters that ``INVISIBLE`` matches."""


@cache
def _one() -> re.Pattern[str]:
    """``INVISIBLE``, compiled when it is first needed: that takes longer than many a command."""
    return re.compile(INVISIBLE)


def is_encodable(text: str) -> bool:
    """Whether a text has no lone surrogates, which represent bytes on a command line that are not UTF-8."""
    return not any("\ud800" <= each <= "\udfff" for each in text)


def replace_invisible(text: str, code: Callable[[int], str]) -> str:
    """The text with every invisible character written as ``code`` says for its number."""
    if text.isascii():
        # Most of what agents print is: one fast pass shows that there is nothing to do.
        data = text.encode()
        if len(data.translate(None, _CONTROLS)) == len(data):
            return text
    return _one().sub(lambda match: code(ord(match[0])), text)
