"""Differences: what an edit changed, computed only if the agent did not report it itself."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from promptster.replay.differences import agrees, classify, count_changes, passages, unified, unplaced

LINES = st.lists(st.sampled_from(["a", "b", "c", "+d", "-e", ""]), max_size=40)


def _applied(before: list[str], diff: str) -> list[str]:
    """The text after a unified difference is applied to the lines before."""
    result: list[str] = []
    position = 0
    for line in diff.split("\n"):
        if line.startswith("@@"):
            start, _, length = line.split(" ")[1][1:].partition(",")
            first = int(start) - (1 if length != "0" else 0)
            result += before[position:first]
            position = first
        elif line.startswith("+"):
            result.append(line[1:])
        elif line.startswith("-"):
            assert before[position] == line[1:]
            position += 1
        elif line.startswith(" "):
            assert before[position] == line[1:]
            result.append(line[1:])
            position += 1
    return result + before[position:]


@settings(deadline=None)
@given(LINES, LINES, LINES)
def test_a_difference_applied_to_the_text_before_gives_the_text_after(
    head: list[str], old: list[str], new: list[str]
) -> None:
    """Removing common lines first changes nothing in the difference, line numbers included."""
    before, after = [*head, *old, *head], [*head, *new, *head]
    diff = unified("\n".join(before), "\n".join(after))
    expected = "\n".join(after).splitlines()
    assert _applied("\n".join(before).splitlines(), diff) == expected


def test_very_long_texts_are_replaced_as_one_block() -> None:
    """If a comparison line by line would take too long, the difference still has exactly the old and the new text."""
    old, new = "\n".join(f"old {n}" for n in range(4000)), "\n".join(f"new {n}" for n in range(3500))
    diff = unified(f"same\n{old}\nsame", f"same\n{new}\nsame")
    assert count_changes(diff) == (3502, 4002)
    assert _applied(["same", *old.split("\n"), "same"], diff) == ["same", *new.split("\n"), "same"]


def test_file_headers_are_not_counted_as_changes() -> None:
    """Only lines inside hunks count."""
    assert count_changes("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-a\n+b\n+c\ndiff --git a/y b/y\n") == (
        2,
        1,
    )


def _letters(diff: str) -> str:
    """The first letter of each line's kind; ``u`` for a hunk's head."""
    return "".join("u" if kind == "hunk" else kind[0] for kind in classify(diff.split("\n")))


def test_lines_are_told_by_the_counts_of_their_hunk() -> None:
    """A removed ``-- x`` and an added ``++ x`` are changes inside a hunk; names of files between hunks are not."""
    diff = (
        "diff --git a/q.sql b/q.sql\nindex 1..2 100644\n--- a/q.sql\n+++ b/q.sql\n@@ -1,3 +1,4 @@ select\n select 1;\n"
        "--- a comment\n+++ counter;\n+@@ -1 +1 @@\n\n@@ -9 +9 @@\n-x\n\\ No newline at end of file\n+y\n"
        "\\ No newline at end of file\ndiff --git a/b b/b\n--- a/b\n+++ b/b\n@@ -0,0 +1 @@\n+z"
    )
    assert _letters(diff) == "hhhhucraacurnanhhhua"
    assert count_changes(diff) == (4, 2)


def test_lines_of_hunks_without_counts_are_told_by_the_heads_around_them() -> None:
    """These are passages without a place, and Codex's patch language, in which no file is named by ``---``."""
    assert _letters("--- a/x\n+++ b/x\n@@\n--- old\n+++ new\n@@\n same\n+more") == "hhurauca"
    patch = "*** Begin Patch\n*** Update File: a\n*** Move to: b\n@@ def f():\n keep\n--- x\n*** Add File: c\n+++ y"
    assert _letters(f"{patch}\n*** End Patch") == "hhhucrhah"
    assert _letters("*** Update File: a\n keep\n-x\n+y\n*** End of File") == "hcrah"


def test_a_hunk_that_does_not_keep_its_word_harms_only_itself() -> None:
    """Cut lines, more lines than announced, counts without lines: nothing else is misread."""
    assert _letters("@@ -1,9 +1,9 @@\n a\n-b\n[cut]\n@@ -20 +20 @@\n-c\n+d\n+e") == "ucrhurah"
    assert _letters("") == "c"


@settings(deadline=None)
@given(LINES, LINES)
def test_what_is_computed_is_read_back_as_it_was_meant(old: list[str], new: list[str]) -> None:
    """Every line of a computed difference is recognised by its mark, whatever text follows the mark."""
    lines = unified("\n".join(old), "\n".join(new)).split("\n")
    marks = {"+": "added", "-": "removed", " ": "context", "@": "hunk", "\\": "note"}
    assert lines == [""] or [str(kind) for kind in classify(lines)] == [marks[line[0]] for line in lines]


def test_only_a_line_feed_ends_a_line() -> None:
    """A form feed, a carriage return and Unicode's separators are inside lines; a missing last newline is noted."""
    assert unified("a\x0cb\u2028c\r\n", "a\x0cb\u2028c\n") == "@@ -1 +1 @@\n-a\x0cb\u2028c\r\n+a\x0cb\u2028c"
    assert unified("a", "a\n") == "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a"


def test_passages_have_no_place_and_no_end_of_a_file() -> None:
    """They have neither line numbers nor a note about the newline after the last line."""
    assert passages([("hello", "bonjour"), ("x\ny\n", "x\nz\n")]) == "@@\n-hello\n+bonjour\n@@\n x\n-y\n+z"
    assert unplaced(["@@ -1 +1 @@", "-a", "\\ No newline at end of file", "+b"]) == ["@@", "-a", "+b"]


def test_a_patch_agrees_with_its_texts_whatever_its_tabs_became() -> None:
    """Two spaces may stand for each tab at the beginning of a line; any other difference counts."""
    patch = "--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n-    b\n+    c\n d\n\\ No newline at end of file\n"
    assert agrees("a\n\t\tb\nd", "a\n\t\tc\nd", patch)
    assert not agrees("a\n\t\tb\nd", "a\n\t\tB\nd", patch)
    assert not agrees("a\nb\nd", "a\nc\nd", patch)
    assert not agrees("a", "b", "@@\n-a\n+b")
    assert not agrees("a\nb\n", "b\nb\n", "@@ -2 +2 @@\n-b\n+a\n@@ -1 +1 @@\n-a\n+b")
