"""Rows of labels and texts within 80 columns."""

from __future__ import annotations

from promptster.ui.labels import labelled, named, sentence_lines


def test_texts_stand_in_one_column_and_go_on_below() -> None:
    """No line is wider than 80 columns, and a continued text keeps its column."""
    lines = labelled([("Time", "word " * 40), ("Not covered", "x")], indent="  ")
    assert all(len(line) <= 80 for line in lines)
    assert {line.index("word") for line in lines[:-1]} == {15}
    assert lines[-1] == "  Not covered  x"


def test_a_long_path_stands_alone_and_whole() -> None:
    """It can be copied from the screen."""
    path = "~/" + "x" * 76
    assert labelled([("Your copy", path)], column=11) == ["Your copy", path]
    assert named("Certificate:", path) == ["Certificate:", path]
    assert named("Certificate:", "~/x") == ["Certificate: ~/x"]


def test_a_command_in_backticks_is_never_broken() -> None:
    """It stays in one piece whatever surrounds it."""
    for filler in range(60, 80):
        text = "x" * filler + " `promptster withdraw` deletes it."
        assert "`promptster withdraw`" in "\n".join(sentence_lines(text))
