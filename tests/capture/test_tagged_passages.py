"""Passages between tags: the result of a lazy pattern, without its cost."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from promptster.agents.claude.requests import ClaudeRequests
from promptster.capture.providers.interface import UserText
from promptster.capture.tagged_passages import passage, passages, widest

TEXTS = st.lists(st.sampled_from(["<t>", "</t>", "a", "\n", "<", "t>"])).map("".join)
LAZY = re.compile(r"<t>(.*?)</t>", re.DOTALL)
GREEDY = re.compile(r"<t>.*</t>", re.DOTALL)
MANY = 200_000


@given(TEXTS)
def test_the_same_is_found_as_by_a_pattern(text: str) -> None:
    """The result is the same in any mix of tags and text."""
    found = LAZY.search(text)
    assert passage(text, "t") == (found[1] if found else None)
    assert passages(text, "t") == (LAZY.findall(text), LAZY.sub("", text))
    whole = GREEDY.search(text)
    assert widest(text, "t") == (whole[0] if whole else None)


def test_hostile_output_is_looked_through_once() -> None:
    """Megabytes of unclosed tags take one pass; one pass for each tag would take hours."""
    claude = ClaudeRequests()
    tags = "<task-notification><task-id><result>" * MANY
    assert claude.ended(tags) is None
    assert claude.ended(f"<status>completed</status>{tags}</task-notification>") is None
    unclosed = "<system-reminder>" * MANY
    assert [prompt.text for prompt in claude.prompts([UserText(text=unclosed)])] == [unclosed]
    assert claude.prompts([UserText(text=f"<system-reminder>{tags}</system-reminder>")]) == []
    queued = "The user sent a new message while you were working:\n" + "\n" * MANY + "go\n\nIMPORTANT: now"
    assert [prompt.text for prompt in claude.prompts([UserText(text=queued)])] == ["go"]
