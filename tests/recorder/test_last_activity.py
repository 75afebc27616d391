"""The last thing that an agent did, and since when the session is paused."""

from __future__ import annotations

from typing import Any

import pytest

from promptster.protocol.events.kinds import Kind
from promptster.recorder.last_activity import LastActivity
from promptster.session_folder.wording import last_thing


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        (Kind.PROMPT, {"agent": "claude", "text": "a secret plan"}, "you asked claude"),
        (Kind.PROMPT, {"agent": "claude", "machine": True}, "claude went on by itself"),
        (Kind.FILE_EDIT, {"agent": "codex", "path": "src/errors.py"}, "codex edited errors.py"),
        (Kind.COMMAND, {"agent": "claude", "command": "pytest -q\n"}, "claude ran pytest -q"),
        (Kind.TOOL_CALL, {"agent": "claude", "name": "Read"}, "claude used Read"),
        (Kind.TOOL_CALL, {}, "an agent used a tool"),
        (Kind.MODEL_REQUEST, {"agent": "claude"}, "claude asked the model"),
        (Kind.MODEL_RESPONSE, {"agent": "claude", "outcome": "complete"}, "claude got the model's answer"),
        (Kind.MODEL_RESPONSE, {"agent": "claude", "outcome": "error"}, "claude got an error from the model"),
        (Kind.MODEL_RESPONSE, {"agent": "claude", "outcome": "cut"}, "claude got part of an answer"),
    ],
)
def test_what_was_done_is_told_in_a_few_words(kind: Kind, fields: dict[str, Any], words: str) -> None:
    """Who, and what on; a prompt's text is not repeated."""
    latest = LastActivity()
    latest.see(kind, 5, fields)
    assert latest.document()["ms"] == 5
    assert last_thing(latest.document()) == words


def test_a_long_command_is_cut() -> None:
    """The answer stays small whatever an agent ran."""
    latest = LastActivity()
    latest.see(Kind.COMMAND, 1, {"command": "x" * 1_000_000})
    assert len(latest.document()["subject"]) == 60


def test_what_tells_nothing_does_not_hide_what_does() -> None:
    """A tool's result follows its call, and the session's own events are nobody's work."""
    latest = LastActivity()
    assert latest.document() == {}
    latest.see(Kind.TOOL_CALL, 1, {"name": "Read"})
    for kind in (Kind.TOOL_RESULT, Kind.AGENT_OTHER, Kind.CAPTURE_HEARTBEAT, Kind.NOTE):
        latest.see(kind, 2, {"agent": "claude"})
    assert latest.document()["ms"] == 1


def test_a_pause_lasts_from_its_first_word_to_the_resumption() -> None:
    """A recorder that stops in a pause does not begin another one."""
    latest = LastActivity()
    for kind, ms, since in ((Kind.PAUSED, 3, 3), (Kind.PAUSED, 7, 3), (Kind.RESUMED, 9, 0), (Kind.PAUSED, 11, 11)):
        latest.see(kind, ms, {})
        assert latest.paused_ms == since
