"""Differences: what an edit changed, computed only where the agent did not say it itself."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.sessions import Script

from promptster.replay.differences import count_changes, unified
from promptster.replay.edits import edit_diff
from promptster.replay.timeline import build

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
    """Setting common lines aside first changes nothing about what the difference says, line numbers included."""
    before, after = [*head, *old, *head], [*head, *new, *head]
    diff = unified("\n".join(before), "\n".join(after))
    expected = "\n".join(after).splitlines()
    assert _applied("\n".join(before).splitlines(), diff) == expected


def test_very_long_texts_are_replaced_as_one_block() -> None:
    """Where a difference line by line would take too long, it still says exactly what was and what is."""
    old, new = "\n".join(f"old {n}" for n in range(4000)), "\n".join(f"new {n}" for n in range(3500))
    diff = unified(f"same\n{old}\nsame", f"same\n{new}\nsame")
    assert count_changes(diff) == (3502, 4002)
    assert _applied(["same", *old.split("\n"), "same"], diff) == ["same", *new.split("\n"), "same"]


def test_a_patch_is_shown_as_the_agent_gave_it() -> None:
    """Nothing is computed where the agent said it."""
    script = Script()
    script.add("hook", "file_edit", path="a", patch="*** Begin Patch\n+x\n-y\n", before="1", after="2")
    (entry,) = build(script.events).entries
    assert edit_diff(entry) == "*** Begin Patch\n+x\n-y\n"
    assert count_changes("*** Begin Patch\n+x\n-y\n") == (1, 1)


def test_an_edit_of_which_nothing_is_known_has_no_difference() -> None:
    """An unknown change is not an empty one."""
    script = Script()
    script.add("hook", "file_edit", path="a")
    script.add("hook", "file_edit", path="a", after="new\n")
    unknown, created = build(script.events).entries
    assert edit_diff(unknown) is None
    assert edit_diff(created) == "@@ -0,0 +1 @@\n+new"


def test_file_headers_are_not_counted_as_changes() -> None:
    """Only lines inside hunks count."""
    assert count_changes("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-a\n+b\n+c\ndiff --git a/y b/y\n") == (
        2,
        1,
    )
