"""Patches of edits, and when none is computed."""

from __future__ import annotations

from promptster.capture.actions import unified


def _lines(numbers: range) -> str:
    return "".join(f"{number % 102}\n" for number in numbers)


def test_a_patch_shows_what_changed() -> None:
    """A patch has the lines around a change, and a note if a text does not end its last line."""
    assert unified("/a.txt", "one\ntwo\n", "one\n2") == (
        "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n\\ No newline at end of file\n"
    )
    assert unified("a", "same", "same") is None


def test_long_texts_have_a_patch_where_little_changed() -> None:
    """A new file, a deleted file, and one changed line among many all have a patch."""
    text = _lines(range(9_000))
    for before, after in (("", text), (text, ""), (text, text.replace("\n7\n", "\nseven\n", 1))):
        patch = unified("a", before, after)
        assert patch is not None
        changed = [line for line in patch.splitlines()[2:] if line[:1] in {"+", "-"}]
        assert len(changed) == (2 if before and after else 9_000)


def test_texts_that_would_take_long_to_compare_have_none() -> None:
    """Texts with too many lines, or thousands of lines that recur a hundred times in the other text, have no patch."""
    assert unified("a", _lines(range(9_990)), _lines(range(9_990, 0, -1))) is None
    assert unified("a", "", _lines(range(20_001))) is None
