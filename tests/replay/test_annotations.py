"""Notes on an entry: who ran a tool, what an agent left out, what broke off before an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.sessions import CLAUDE, Script

from promptster.replay.exporters import find
from promptster.replay.loading import from_opened
from promptster.replay.timeline import build
from promptster.ui.story import Layout, story

if TYPE_CHECKING:
    from promptster.replay.loading import Replay

SEARCHED: dict[str, Any] = {
    "type": "server_tool_use",
    "id": "s1",
    "name": "web_search",
    "input": {"query": "penguin facts"},
}
FOUND: dict[str, Any] = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
BY_OPENAI: dict[str, Any] = {
    "type": "web_search_call",
    "id": "s1",
    "status": "completed",
    "action": {"query": "penguin facts"},
}
BY_AGENT: dict[str, Any] = {
    "type": "function_call",
    "id": "i1",
    "call_id": "s1",
    "name": "web_search",
    "arguments": "{}",
}
LOCAL: dict[str, Any] = {"type": "local_shell_call", "id": "i1", "call_id": "s1"}


def _searched(content: list[dict[str, Any]], *, brought: bool = True) -> Script:
    script = Script()
    answer = script.add("proxy", "model_response", outcome="complete", content=content, **CLAUDE)
    given = {"query": "penguin facts"}
    call = script.add("proxy", "tool_call", refs=(answer,), tool_use_id="s1", name="web_search", input=given, **CLAUDE)
    if brought:
        refs = (answer, call)
        script.add("proxy", "tool_result", refs=refs, tool_use_id="s1", name="web_search", content=["a page"], **CLAUDE)
    return script


def _shown(replay: Replay) -> tuple[str, str]:
    """The terminal and the page."""
    lines = (line for block in story(replay, Layout()) for line in block.plain.split("\n"))
    exporter = find("html")
    return "\n".join(lines), b"".join(exporter.export(replay)).decode()


@pytest.mark.parametrize(
    ("content", "brought", "marked"),
    [
        ([SEARCHED, FOUND], True, (True, True)),
        ([SEARCHED], False, (True,)),
        ([BY_OPENAI], False, (True,)),
        ([BY_AGENT], False, (False,)),
        ([LOCAL], False, (False,)),
        ([], False, (False,)),
    ],
    ids=["anthropic", "no result", "openai", "the agent", "the agent's shell", "taken out"],
)
def test_tools_that_the_provider_ran(
    content: list[dict[str, Any]],
    brought: bool,  # noqa: FBT001 - a parameter
    marked: tuple[bool, ...],
) -> None:
    """A call that the provider ran, according to the answer, is marked with its result; an agent's own is not."""
    timeline = build(_searched(content, brought=brought).events)
    tools = [entry for entry in timeline.entries if entry.kind.startswith("tool_")]
    assert tuple("run by the provider" in entry.marks for entry in tools) == marked
    assert [entry.action for entry in tools[1:]] == [tools[0].seq] * (len(tools) - 1)


def test_they_are_shown_in_the_terminal_and_on_the_page() -> None:
    """They are shown with the tool, what it was asked, and who ran it."""
    for shown in _shown(from_opened(_searched([SEARCHED, FOUND]).events)):
        assert all(words in shown for words in ("web_search", "penguin facts", "run by the provider"))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ([{"kept": 30000, "size": 200001, "unit": "bytes"}, {"told": "195.3KB"}], "30,000 of 200,001 bytes kept"),
        ([{"told": "195.3KB\nx"}], "195.3KB x in full"),
        ([{"left_out": 5, "unit": "tokens"}, {"size": 9, "left_out": 5, "unit": "tokens"}], "9 tokens in full"),
        ([{"left_out": 20012, "unit": "characters"}], "20,012 characters left out"),
        ([{"left_out": True, "kept": "many"}], ""),
    ],
)
def test_what_an_agent_left_out(facts: list[dict[str, Any]], words: str) -> None:
    """The most specific of the statements is shown, once, at the command."""
    script = Script()
    call = script.add("proxy", "tool_call", tool_use_id="t1", name="Bash", input={"command": "make"}, **CLAUDE)
    script.add("proxy", "tool_result", refs=(call,), tool_use_id="t1", name="Bash", content="x", **CLAUDE)
    script.add("proxy", "command", refs=(call,), tool_use_id="t1", command="make", output="x", **CLAUDE)
    for fact in facts:
        script.add("proxy", "agent_other", refs=(call,), raw_kind="output_cut", payload=fact, **CLAUDE)
    marks = {entry.kind: entry.marks for entry in build(script.events).entries}
    assert marks["command"] == (f"truncated by the agent: {words}" if words else "truncated by the agent",)
    assert marks["tool_result"] == ()
    for shown in _shown(from_opened(script.events)):
        assert "truncated by the agent" in shown


def test_an_answer_that_was_begun_again() -> None:
    """The answer's line says so, and what broke off follows below with a label."""
    script = Script()
    error = {"type": "begun_again", "content": [{"type": "text", "text": "First try"}]}
    script.add("proxy", "model_response", outcome="complete", text="Second", error=error, **CLAUDE)
    blocks = story(from_opened(script.events), Layout(everything=True))
    assert any("cut off before the provider restarted the answer" in block.plain for block in blocks)
    assert any("Answer  cut off, restarted" in block.plain for block in story(from_opened(script.events), Layout()))
