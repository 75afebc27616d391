"""What a candidate is told while they work: the last thing recorded, counts before submitting, and what is wrong."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from tests.helpers.people import BIN
from tests.helpers.terminal import Terminal

from promptster.clock import SystemClock
from promptster.session.control import ControlClient
from promptster.session.submission import changed_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.hiring import Invited, Stage


@pytest.fixture
def invited(acme: Stage, person_name: str) -> Iterator[Invited]:
    """A candidate at work, in a time zone of their own."""
    limited = acme.assessment("Limiter", "--time-limit", "90m")
    with acme.invited(person_name, assessment=limited, TZ="Asia/Tokyo") as person:
        person.start()
        yield person


def hook(invited: Invited, event: str, **payload: Any) -> None:
    """Report something as Claude Code's hooks do."""
    ticket = ControlClient(invited.session).launch()
    body = {"session_id": "s1", "cwd": str(invited.workspace), "hook_event_name": event, **payload}
    answer = httpx.post(ticket.hook_url, json=body, headers={"x-promptster-token": ticket.token}, trust_env=False)
    assert answer.status_code == 200


def work(invited: Invited) -> None:
    """One prompt, and one edit for it."""
    file = invited.workspace / "errors.py"
    edit = {"file_path": str(file), "old_string": "a", "new_string": "b"}
    call = {"tool_use_id": "t1", "tool_name": "Edit", "tool_input": edit}
    hook(invited, "UserPromptSubmit", prompt="Return Retry-After when the limit is hit", prompt_id="p1")
    hook(invited, "PreToolUse", **call)
    file.write_text("b\n")
    hook(invited, "PostToolUse", **call, tool_response={"filePath": str(file), "originalFile": "a\n"})


def until_seen(invited: Invited) -> dict[str, Any]:
    """The status once the recorder has taken in the edit; each question is an event of another process."""
    while (status := invited.person.result("status"))["last"] is None or status["last"]["kind"] != "file_edit":
        pass
    return status


def test_status_names_the_last_thing_that_was_recorded(invited: Invited) -> None:
    """When, who and what, on the reader's clock; a recorder that starts again still knows it."""
    assert invited.person.result("status")["last"] is None
    work(invited)
    last = until_seen(invited)["last"]
    assert (last["agent"], last["subject"]) == ("claude", "errors.py")
    assert last["at"].endswith("Z")
    there = datetime.fromisoformat(last["at"]).astimezone(ZoneInfo("Asia/Tokyo"))
    shown = invited.person.call("status").stdout
    assert f"\nLast       {there:%H:%M}  claude edited errors.py\n" in shown
    invited.end_processes()
    invited.person.result("resume")
    again = invited.person.result("status")["last"]
    assert (again["kind"], again["at"], again["subject"]) == ("file_edit", last["at"], "errors.py")


def test_what_is_shown_before_submitting_is_what_inspect_shows(invited: Invited) -> None:
    """Counts of prompts and tool calls, files with their lines, what is only hashed, paused and not sent."""
    work(invited)
    until_seen(invited)
    (invited.workspace / ".gitignore").write_text(".env\n")
    (invited.workspace / ".env").write_text("KEY=1\n")
    (invited.workspace / "data.bin").write_bytes(b"x\0y")
    invited.person.result("pause")
    invited.person.result("resume")
    kinds = Counter(entry["kind"] for entry in invited.person.result("inspect")["entries"])
    assert (kinds["prompt"], kinds["tool_call"]) == (1, 1)
    words = [str(BIN / "promptster"), "submit"]
    with Terminal(words, environ=invited.person.environment(), cwd=invited.folder) as screen:
        screen.wait_for(r"\(yes/no\) ")
        screen.type("n")
        assert screen.end() == 3
    shown = screen.shown.replace("\r", "")
    assert "  Files        3 new (+2 -0): .gitignore, data.bin, errors.py\n" in shown
    assert "  Not in full  data.bin (binary): only name, size and hash are sent\n" in shown
    assert "  Recording    1 prompt, 1 tool call, " in shown
    assert "  Not covered  paused for less than 1 min\n" in shown
    assert "  Not sent     .env (ignored by git: only name, size and hash)\n" in shown
    assert "warning: claude was active less than a minute ago; later work is not recorded\n" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_the_last_minutes_and_the_end_of_the_time_name_the_next_step(invited: Invited) -> None:
    """Nothing is submitted by itself, and status says so while something can be done about it."""
    folder = invited.session
    folder.update(record_until=SystemClock().wall_ms() + 4 * 60_000)
    shown = invited.person.call("status").stdout
    assert "recording ends. Nothing is submitted by itself." in shown
    assert shown.endswith("Next       promptster submit\n")
    folder.update(record_until=SystemClock().wall_ms() - 60_000)
    shown = invited.person.call("status").stdout
    assert "(over for 1 min); agents are no longer recorded\n" in shown
    assert shown.startswith("Over ")
    assert shown.endswith("Next       promptster submit\n")
    assert invited.person.call("pause").stdout == (
        "Paused. Time is up: agents are no longer recorded.\nRun `promptster submit` to submit your work.\n"
    )
    assert invited.person.call("status").stdout.startswith("Over ")


def test_a_recorder_that_stopped_is_said_to_have_stopped(invited: Invited) -> None:
    """Nothing is recorded, nothing is lost, and one command helps."""
    invited.end_processes()
    shown = invited.person.call("status").stdout
    assert shown.startswith("Not recording: the recorder has stopped. What it recorded is kept.\n")
    assert shown.endswith("Next       promptster resume\n")


@pytest.mark.parametrize(
    ("diff", "lines"),
    [
        ("", (0, 0)),
        ("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-old\n+new\n+more\n", (2, 1)),
        ("--- a/x\n+++ b/x\n@@ -1,3 +1,2 @@\n a\n--- looks like a header\n c\n", (0, 1)),
        ("@@ -0,0 +1 @@\n+++ looks like a header\n\\ No newline at end of file\n--- a/y\n+++ b/y\n", (1, 0)),
    ],
)
def test_lines_of_a_difference_are_counted_by_its_hunks(diff: str, lines: tuple[int, int]) -> None:
    """Headers are no lines, and lines that look like headers are."""
    assert changed_lines(diff) == lines
