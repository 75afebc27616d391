"""The last thing that an agent did, and since when the session is paused."""

from __future__ import annotations

from typing import get_args

import pytest

from promptster.protocol.events import kinds
from promptster.protocol.events.kinds import Event
from promptster.recorder.last_activity import LastActivity
from promptster.session_folder.control_messages import LastAction
from promptster.session_folder.last_action import last_thing


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (kinds.Prompt(agent="claude", text="a secret plan"), "you asked claude"),
        (kinds.Prompt(agent="claude", machine=True), "claude continued on its own"),
        (kinds.FileEdit(agent="codex", path="src/errors.py"), "codex edited errors.py"),
        (kinds.Command(agent="claude", command="pytest -q\n"), "claude ran pytest -q"),
        (kinds.ToolCall(agent="claude", name="Read"), "claude used Read"),
        (kinds.ToolCall(), "an agent used a tool"),
        (kinds.ModelRequest(agent="claude"), "claude asked the model"),
        (kinds.ModelResponse(agent="claude", outcome="complete"), "claude got the model's answer"),
        (kinds.ModelResponse(agent="claude", outcome="error"), "claude got an error from the model"),
        (kinds.ModelResponse(agent="claude", outcome="cut"), "claude got part of an answer"),
    ],
)
def test_what_was_done_is_told_in_a_few_words(event: Event, words: str) -> None:
    """It says who did what and on what; a prompt's text is not repeated."""
    latest = LastActivity()
    latest.see(event, 5)
    assert latest.action is not None
    assert latest.action.ms == 5
    assert last_thing(latest.action) == words


def test_every_kind_of_action_has_words_of_its_own() -> None:
    """A kind that is added to what agents do is not shown as "did something"."""
    told: dict[str, str] = {}
    for kind in get_args(kinds.AgentEvent):
        latest = LastActivity()
        latest.see(kind(), 1)
        if latest.action is not None:
            told[kind().kind] = last_thing(latest.action)
    assert len(told) == len(get_args(kinds.AgentEvent)) - 2  # a result and what is not understood add nothing
    assert len(set(told.values())) == len(told)
    assert not [words for words in told.values() if "did something" in words]


def test_a_long_command_is_cut() -> None:
    """The answer stays short whatever an agent ran."""
    latest = LastActivity()
    latest.see(kinds.Command(command="x" * 1_000_000), 1)
    assert latest.action is not None
    assert len(latest.action.subject) == 60


def test_what_tells_nothing_does_not_hide_what_does() -> None:
    """A tool's result follows its call, and the session's own events are not activity."""
    latest = LastActivity()
    assert latest.action is None
    latest.see(kinds.ToolCall(name="Read"), 1)
    for event in (
        kinds.ToolResult(agent="claude"),
        kinds.AgentOther(agent="claude"),
        kinds.CaptureHeartbeat(),
        kinds.CaptureHookSilent(agent="claude"),
        kinds.Note(),
    ):
        latest.see(event, 2)
    assert latest.action == LastAction(kind="tool_call", ms=1, agent="", subject="Read")


def test_a_pause_lasts_from_its_first_word_to_the_resumption() -> None:
    """A recorder that stops during a pause does not begin another one."""
    latest = LastActivity()
    course = ((kinds.Paused(), 3, 3), (kinds.Paused(), 7, 3), (kinds.Resumed(), 9, 0), (kinds.Paused(), 11, 11))
    for event, ms, since in course:
        latest.see(event, ms)
        assert latest.paused_ms == since
