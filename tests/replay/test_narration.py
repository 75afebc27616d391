"""Narration: one headline per entry, for every kind, from any fields."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.sessions import Script

from promptster.protocol.events.kinds import FIELD_TYPES, KINDS
from promptster.protocol.events.sources import OWN_SOURCES
from promptster.replay.formatting import counted, excerpt
from promptster.replay.model import Entry
from promptster.replay.narration import Narration, narrate, pretty
from promptster.replay.timeline import build
from promptster.times import duration, offset

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(max_size=60),
    "json": JSON,
    "int": st.integers(-5, 10**15),
    "bool": st.booleans(),
    "bytes": st.binary(max_size=20),
}


@st.composite
def any_entry(draw: st.DrawFn) -> Entry:
    """An entry of any kind with any of its fields, each of its type, as a redaction may leave it."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    names = draw(st.sets(st.sampled_from(sorted(KINDS[kind])))) if KINDS[kind] else set[str]()
    script = Script()
    source = draw(st.sampled_from(sorted({"proxy", *OWN_SOURCES.get(kind, ())})))
    script.add(source, kind, **{name: draw(BY_TYPE[FIELD_TYPES[name]]) for name in names})
    return build(script.events).entries[0]


@settings(deadline=None, max_examples=500)
@given(any_entry())
def test_every_kind_has_words_whatever_its_fields_are(entry: Entry) -> None:
    """Whatever fields are present, absent or odd, an entry has one line."""
    told = narrate(entry)
    assert told.label
    assert "\n" not in told.label + told.subject + told.note
    assert all(passage.text for passage in told.passages)


def test_a_tool_whose_name_is_blank_has_a_label() -> None:
    """A name of white space alone, of whichever kind, is as good as none."""
    assert {_tell("tool_call", name=name).label for name in ("", " ", "\x85", "\u2003\n")} == {"Tool call"}


def _tell(kind: str, src: str = "", **fields: Any) -> Narration:
    script = Script()
    script.add(src or min(OWN_SOURCES.get(kind, {"hook"})), kind, **fields)
    return narrate(build(script.events).entries[0])


HEADLINES: list[tuple[str, dict[str, Any], tuple[str, str, str, bool]]] = [
    ("prompt", {"text": "hi", "images": [{}, {}]}, ("Prompt", "", "2 images", False)),
    ("capture_clock_jump", {"delta_ms": -7_260_000}, ("The computer's clock jumped", "2 h 1 min backwards", "", True)),
    ("capture_clock_jump", {}, ("The computer's clock jumped", "", "", True)),
    ("prompt", {"text": "hi", "machine": True}, ("Notification to the agent", "", "", False)),
    ("model_response", {"outcome": "cut", "text": "I"}, ("Answer", "", "cut off", True)),
    ("model_response", {"outcome": "error", "status": 529}, ("Answer", "", "error 529", True)),
    (
        "model_response",
        {"outcome": "complete", "tool_use_ids": ["a", "b"]},
        ("Answer", "", "called 2 tools", False),
    ),
    ("tool_call", {"name": "Bash", "input": {"command": "ls  -l\n"}}, ("Bash", "ls -l", "", False)),
    ("tool_call", {"name": "shell", "input": {"command": ["ls", "-l"]}}, ("shell", "ls -l", "", False)),
    ("tool_call", {"name": "X", "input": {"strange": 1}}, ("X", "", "", False)),
    ("tool_call", {"name": "X", "input": "raw"}, ("X", "raw", "", False)),
    ("tool_call", {"name": "X", "input": ["ls", "-l", None]}, ("X", "ls -l None", "", False)),
    ("tool_call", {"name": "X", "input": True}, ("X", "true", "", False)),
    ("tool_call", {"name": "X", "input": 1.5}, ("X", "1.5", "", False)),
    ("tool_result", {"name": "Bash", "is_error": True}, ("Result", "Bash", "failed", True)),
    ("file_edit", {"path": "a.py", "operation": "create", "after": "x\n"}, ("Created", "a.py", "+1 −0", False)),  # noqa: RUF001
    ("file_edit", {"path": "a.py", "operation": "delete"}, ("Deleted", "a.py", "", False)),
    ("command", {"command": "make", "exit_code": 2, "duration_ms": 1500}, ("Ran", "make", "exit 2, 1.5 s", True)),
    ("command", {"command": "make", "is_error": True}, ("Ran", "make", "failed", True)),
    ("permission", {"name": "Bash", "decision": "deny"}, ("Permission", "Bash", "deny", True)),
    ("agent_other", {"agent": "codex", "raw_kind": "odd"}, ("Codex reported", "odd", "", False)),
    (
        "agent_other",
        {"agent": "claude", "raw_kind": "promptster_refused", "payload": {"command": "withdraw"}},
        ("Claude Code tried", "promptster withdraw", "refused", True),
    ),
    (
        "agent_other",
        {"raw_kind": "promptster_refused", "payload": {"request": "stop"}},
        ("The agent tried", "stop", "refused", True),
    ),
    ("submission_final", {"manifest": [{}]}, ("Work submitted", "1 file changed", "", False)),
]


@pytest.mark.parametrize(("kind", "fields", "expected"), HEADLINES)
def test_headlines(kind: str, fields: dict[str, Any], expected: tuple[str, str, str, bool]) -> None:
    """The headlines of the most frequent entries."""
    told = _tell(kind, **fields)
    assert (told.label, told.subject, told.note, told.bad) == expected


@pytest.mark.parametrize("kind", sorted(OWN_SOURCES))
def test_what_a_source_cannot_say_is_not_told_as_if_it_were_so(kind: str) -> None:
    """Only some sources report a session's course; from a hook it is a claim, and not a submission."""
    assert _tell(kind).label != "Claimed"
    told = _tell(kind, "hook")
    assert (told.label, told.subject) == ("Claimed", kind.replace("_", " "))
    assert told.note == "this source cannot report such an event"
    script = Script()
    script.add("hook", "submission_final", diff="", manifest=[])
    assert build(script.events).submission is None


def test_what_belongs_to_the_story_is_open() -> None:
    """Prompts, answers and notes are open at first; the rest on request."""
    assert [passage.open for passage in _tell("prompt", text="hi").passages] == [True]
    answer = _tell("model_response", outcome="complete", text="hi", thinking="hm")
    assert [(passage.label, passage.open) for passage in answer.passages] == [("", True), ("thinking", False)]
    assert [passage.open for passage in _tell("note", text="hi").passages] == [True]


def test_structures_are_written_for_people() -> None:
    """Short values stay on their line, texts of several lines begin below their name."""
    (passage,) = _tell("tool_call", name="Write", input={"path": "a", "content": "1\n2", "n": {"x": 1}}).passages
    assert passage.text == 'path: a\ncontent: \n1\n2\nn: {"x": 1}'
    assert pretty(b"abc") == '"3 bytes"'


def test_a_long_subject_ends_with_an_ellipsis() -> None:
    """A headline stays one line, whatever the text's length."""
    assert excerpt("x" * 5000) == "x" * 239 + "…"
    assert excerpt(" a\n\tb ") == "a b"


def test_lengths_and_moments_in_words() -> None:
    """Each duration has a fitting unit; a moment that no calendar has stays a number."""
    assert [duration(ms) for ms in (7, 1500, 61_000, 3_660_000)] == ["7 ms", "1.5 s", "1 min 01 s", "1 h 01 min"]
    assert [offset(ms) for ms in (0, 61_000, 3_661_000, -1_000)] == ["00:00", "01:01", "1:01:01", "-00:01"]
    assert [counted(1, "batch", "batches"), counted(2000, "batch", "batches")] == ["1 batch", "2,000 batches"]


def test_a_moved_file_is_told_from_where_to_where() -> None:
    """The path is the new one; the old one comes from the patch, even if the content is unchanged."""
    script = Script()
    patch = "*** Update File: old.py\n*** Move to: new.py"
    script.add("hook", "file_edit", path="new.py", operation="rename", patch=patch)
    script.add("hook", "file_edit", path="new.py", operation="modify", patch="*** Update File: new.py\n@@\n-a\n+b")
    told = [narrate(entry) for entry in build(script.events).entries]
    assert [(each.label, each.subject, each.note) for each in told] == [
        ("Renamed", "old.py → new.py", ""),
        ("Edited", "new.py", "+1 −1"),  # noqa: RUF001 - a minus sign next to a plus sign
    ]
