"""Invisible characters are kept if a word, an emoji or an ideograph needs them; anywhere else they are codes."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptster.replay.invisible_characters import INVISIBLE, for_script, replace_invisible
from promptster.replay.page.markup import visible
from promptster.ui.escape import escape_text

KEPT = {
    "Persian, non-joiner inside a word": "می\u200cپرسم",
    "Hindi, joiner after a virama": "क\u094d\u200dष",
    "Hindi, non-joiner after a virama": "क\u094d\u200cष",
    "Malayalam, joiner at a word's end": "അവന\u0d4d\u200d വന്നു",
    "a family": "👨\u200d👩\u200d👧\u200d👦",
    "an astronaut with a skin tone": "👩🏽\u200d🚀",
    "the rainbow flag": "🏳\ufe0f\u200d🌈",
    "a heart as a picture": "❤\ufe0f",
    "a heart as text": "❤\ufe0e",
    "a keycap": "1\ufe0f\u20e3",
    "the flag of Scotland": "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "a name with its own form of an ideograph": "葛\U000e0100飾",
    "Mongolian, selector after a letter": "\u1820\u180b\u1828",
}
SHOWN = {
    "pay\u200dpal": "pay\\u200dpal",
    "pay\u200cpal": "pay\\u200cpal",
    "1\u200d2": "1\\u200d2",
    "\u200dstart end\u200c": "\\u200dstart end\\u200c",
    "می\u200c پرسم": "می\\u200c پرسم",
    "می\u200c\u200cپرسم": "می\\u200c\\u200cپرسم",
    "می\u200cpal": "می\\u200cpal",
    "👩\u200d\u200d💻": "👩\\u200d\\u200d💻",
    "👩\u200dx": "👩\\u200dx",
    "x\ufe0f": "x\\ufe0f",
    "❤\ufe0f\ufe0f": "❤\ufe0f\\ufe0f",
    "1\ufe0f": "1\\ufe0f",
    "x\U000e0101\ufe01": "x\\U000e0101\\ufe01",
    "葛\U000e0100\U000e0101": "葛\U000e0100\\U000e0101",
    "🏴\U000e0068\U000e0069\U000e007f": "🏴\\U000e0068\\U000e0069\\U000e007f",
    "🏴\U000e0067\U000e0062\U000e0073": "🏴\\U000e0067\\U000e0062\\U000e0073",
    "a\u180bb": "a\\u180bb",
    "a\U00013430b": "a\\U00013430b",
    "a\ufff0b\U0001bca0c": "a\\ufff0b\\U0001bca0c",
    "a\u2061b\u2064c": "a\\u2061b\\u2064c",
    "word\u2060joiner\ufeff": "word\\u2060joiner\\ufeff",
    "\u115f\u1160\u3164\uffa0": "\\u115f\\u1160\\u3164\\uffa0",
    "a\U000e0001b": "a\\U000e0001b",
}
DRAWN = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
"""Visible format characters: signs around the number that follows them."""
IGNORABLE = (
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x200B, 0x2010)),
    *(*range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0),
    *(
        *range(0x13430, 0x13440),
        *range(0xFFF0, 0xFFF9),
        *range(0x1BCA0, 0x1BCA4),
        *range(0x1D173, 0x1D17B),
        *range(0xE0000, 0xE1000),
    ),
)
"""Unicode's ``Default_Ignorable_Code_Point``, and the controls of hieroglyphs that this Python does not know yet."""


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT.keys())
def test_what_a_script_or_an_emoji_needs_is_kept(text: str) -> None:
    """Words, names and pictures look as their writers meant them, in the terminal and on the page."""
    assert escape_text(text) == text
    assert visible(text) == text


@pytest.mark.parametrize(("text", "shown"), SHOWN.items(), ids=ascii)
def test_the_same_characters_are_shown_anywhere_else(text: str, shown: str) -> None:
    """Between letters that need none, at a word's edge, repeated, or after the wrong character they are codes."""
    assert escape_text(text) == shown
    assert visible(text).count("\\u{") == shown.count("\\")


def test_the_whole_class_is_shown_between_latin_letters() -> None:
    """This covers every control, every format character without a shape, and all that Unicode lets programs ignore."""
    ignorable = frozenset(IGNORABLE)
    for code in range(sys.maxunicode + 1):
        letter = chr(code)
        invisible = code in ignorable or (
            unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and letter not in DRAWN
        )
        kept = escape_text(f"a{letter}b") == f"a{letter}b"
        assert kept != (invisible and letter not in "\n\t"), hex(code)


@given(st.text(alphabet=st.one_of(st.characters(max_codepoint=0x7F), st.sampled_from("\u200dé❤\ufe0f"))))
def test_the_short_way_for_ascii_changes_nothing(text: str) -> None:
    """Text after a non-ASCII letter is escaped like the same text without it."""
    assert escape_text("é" + text.replace("\r\n", "")) == "é" + escape_text(text.replace("\r\n", ""))


def test_the_rule_is_one_character_long_and_can_be_written_in_ascii() -> None:
    """Each match is one character, and the browser's form of the rule cannot be changed by its encoding."""
    assert replace_invisible("a\x1b\u202e\U000e0041", lambda code: f"<{code:x}>") == "a<1b><202e><e0041>"
    assert for_script().isascii()
    assert len(for_script()) > len(INVISIBLE)
