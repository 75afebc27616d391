"""Text for a terminal goes through the escaper, and cannot control that terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptster.ui.escape import escape_line, escape_text

STEERING = {"Cc", "Cs"}
BIDI = {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)), "\u200e", "\u200f", "\u061c"}


@given(st.text(alphabet=st.characters()))
def test_no_control_and_no_bidirectional_mark_survives(text: str) -> None:
    """Whatever the text is, only newline and tab of all control characters are left."""
    for character in escape_text(text):
        assert character in "\n\t" or unicodedata.category(character) not in STEERING
        assert character not in BIDI
    assert "\n" not in escape_line(text)
    assert "\t" not in escape_line(text)


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_escaped_text_can_always_be_printed(text: str) -> None:
    """The result can be encoded, since no lone surrogate is left in it."""
    escape_text(text + "\ud800").encode()


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\x9b31mb", "a\\x9b31mb"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("line\rover", "line\\x0dover"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("a\u2028b", "a\\u2028b"),
        ("pass\xadword", "pass\\xadword"),
        ("if (a\u3164)", "if (a\\u3164)"),
        ("x\U000e0101\ufe01", "x\\U000e0101\\ufe01"),
        ("\x7f", "\\x7f"),
    ],
)
def test_what_is_escaped_stays_visible(hostile: str, shown: str) -> None:
    """Terminal sequences, direction marks and invisible text are written out."""
    assert escape_text(hostile) == shown


def test_ordinary_text_is_left_alone() -> None:
    """Letters of any script, emoji with joiners, newlines and tabs pass; CRLF becomes a newline."""
    text = "naïve 漢字 עברית 👩\u200d💻 ❤\ufe0f\n\tindented"
    assert escape_text(text) == text
    assert escape_text("a\r\nb") == "a\nb"
    assert escape_line("a\nb\tc") == "a\\nb\\tc"
