"""Merging: the richer value is used, differences stay visible, nothing is invented."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.sessions import CLAUDE, Script

from promptster.replay.entry_merging import merge, richest

VALUES = st.one_of(st.text(max_size=8), st.lists(st.integers(0, 9), max_size=3))
REPORTS = st.dictionaries(st.sampled_from(["content", "error", "usage"]), VALUES)
"""Fields that hold any JSON."""


@settings(deadline=None)
@given(REPORTS, REPORTS)
def test_every_merged_value_is_some_sources_value(proxy: dict[str, Any], hook: dict[str, Any]) -> None:
    """No field appears or disappears, and what a source said is either merged or in its view."""
    script = Script()
    script.add("proxy", "model_response", **proxy)
    script.add("hook", "model_response", **hook)
    entry = merge(script.events)
    assert entry.fields.keys() == proxy.keys() | hook.keys()
    for source, said in (("proxy", proxy), ("hook", hook)):
        for name, value in said.items():
            assert entry.fields[name] == value or entry.views[source][name] == value


def test_the_richer_text_wins_and_the_other_stays_in_its_view() -> None:
    """A result that one source has in full and the other cut is shown in full."""
    script = Script()
    script.add("proxy", "tool_result", content="all of the output", is_error=False, tool_use_id="t", **CLAUDE)
    script.add("hook", "tool_result", content="all of", duration_ms=40, tool_use_id="t", **CLAUDE)
    entry = merge(script.events)
    assert entry.fields["content"] == "all of the output"
    assert entry.fields["duration_ms"] == 40
    assert entry.views == {"hook": {"content": "all of"}}


def test_the_words_that_the_model_read_win_over_a_structure_around_them() -> None:
    """A result as text is shown as text, however much the other source wraps around it."""
    assert richest([{"file": {"content": "the text", "lines": 1}}, "the text"]) == "the text"
    assert richest([{"file": 1}, ""]) == {"file": 1}


def test_what_the_agent_knows_when_it_is_done_wins() -> None:
    """Only the agent's own report knows whether a file was created or modified."""
    script = Script()
    script.add("proxy", "file_edit", operation="modify", path="a")
    script.add("hook", "file_edit", operation="create", path="a")
    entry = merge(script.events)
    assert entry.fields["operation"] == "create"
    assert entry.views == {"proxy": {"operation": "modify"}}


def test_of_numbers_and_flags_the_first_report_stands() -> None:
    """If neither is richer, the first is used, and the other is kept."""
    assert richest([3, 7]) == 3
    script = Script()
    script.add("proxy", "tool_result", is_error=True)
    script.add("hook", "tool_result", is_error=False)
    entry = merge(script.events)
    assert entry.fields["is_error"] is True
    assert entry.views == {"hook": {"is_error": False}}


def test_a_value_withheld_by_one_source_and_shown_by_the_other_is_shown() -> None:
    """Only a value that no source shows counts as withheld."""
    script = Script()
    script.add("proxy", "prompt", withheld=frozenset({"text", "images"}))
    script.add("hook", "prompt", text="hello", withheld=frozenset({"images"}))
    entry = merge(script.events)
    assert entry.fields == {"text": "hello"}
    assert entry.withheld == ("images",)


def test_the_lane_is_the_first_one_that_names_a_conversation() -> None:
    """A source that does not know the conversation does not hide it."""
    script = Script()
    script.add("hook", "prompt", text="x")
    script.add("proxy", "prompt", text="x", lane=4)
    assert merge(script.events).lane == 4
