"""What a candidate sees while they work: the last thing recorded, counts before submitting, and what is wrong."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from tests.helpers.people import BIN
from tests.helpers.relay import Relay
from tests.helpers.running import kill_and_wait
from tests.helpers.terminal import Terminal

from promptster.clock import SystemClock
from promptster.commands import status
from promptster.session.leaving.submitting import changed_lines
from promptster.session_folder.control_client import ControlClient
from promptster.session_folder.control_messages import BatchCounts, CollectorStatus, RecorderStatus
from promptster.session_folder.folder import SessionFacts, SessionState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.hiring import Hiring, Invited


AWAY = CollectorStatus(reachable=False, last_error=None, refused=None)
"""What a recorder says of a collector that it cannot reach."""


@pytest.fixture
def invited(acme: Hiring, person_name: str) -> Iterator[Invited]:
    """A candidate at work, in another time zone."""
    limited = acme.assessment("Limiter", "--time-limit", "90m")
    with acme.invited(person_name, assessment=limited, TZ="Asia/Tokyo") as person:
        person.start()
        yield person


def hook(invited: Invited, event: str, **payload: Any) -> None:
    """Report something as Claude Code's hooks do."""
    ticket = ControlClient(invited.session).launch()
    body = {"session_id": "s1", "cwd": str(invited.workspace), "hook_event_name": event, **payload}
    answer = httpx.post(
        ticket.hook_url("claude"), json=body, headers={"x-promptster-token": ticket.token}, trust_env=False
    )
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
    """The status once the recorder has recorded the edit; each question is an event of another process."""
    while (found := invited.person.result("status"))["last"] is None or found["last"]["kind"] != "file_edit":
        pass
    return found


def test_status_names_the_last_thing_that_was_recorded(invited: Invited) -> None:
    """Status shows when, who and what, on the reader's clock, even after the recorder was started again."""
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
    """Both show prompts and tool calls, files with their lines, what is only hashed, and what is paused or not sent."""
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
    assert "  Not sent     content of .env (ignored by git; name, size and hash are sent)\n" in shown
    assert "warning: claude was active just now; what it does after this is not recorded\n" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_the_last_minutes_and_the_end_of_the_time_name_the_next_step(invited: Invited) -> None:
    """Nothing is submitted automatically, and status says so while there is time to act."""
    folder = invited.session
    folder.update(record_until=SystemClock().wall_ms() + 4 * 60_000)
    shown = invited.person.call("status").stdout
    assert "recording ends. Nothing is submitted unless you submit it." in shown
    assert "then recording ends" not in shown
    assert shown.endswith("Next       promptster submit\n")
    folder.update(record_until=SystemClock().wall_ms() - 60_000)
    shown = invited.person.call("status").stdout
    assert "(1 min ago); agents are no longer recorded\n" in shown
    assert shown.startswith("Time up ")
    assert shown.endswith("Next       promptster submit\n")
    assert invited.person.call("pause").stdout == (
        "Paused. Time is up: agents are no longer recorded.\nRun `promptster submit` to submit your work.\n"
    )
    assert invited.person.call("status").stdout.startswith("Time up    Limiter, for Acme\n")  # not since its pause


def test_a_recorder_that_was_ended_is_not_told_as_the_candidates_pause(invited: Invited) -> None:
    """It is shown before submitting and in the verdict after it, next to the candidate's own pause."""
    kill_and_wait(invited.processes()[0], signal.SIGTERM)
    invited.person.result("resume")
    invited.person.result("pause")
    invited.person.result("resume")
    asked = invited.person.call("submit")
    assert asked.code == 5
    told = "Not covered recorder not running for less than 1 min; paused for less than 1 min "
    assert told in " ".join(asked.stderr.split())
    invited.person.result("submit", "--yes")
    (copy,) = invited.person.home.glob(".local/share/promptster/bundles/*")
    gaps = " ".join(invited.person.call("verify", str(copy)).stdout.split())
    assert "the recorder was not running" in gaps
    assert re.search(r" paused for (a moment|less than 1 min) by the candidate", gaps)


def test_a_recorder_that_stopped_is_said_to_have_stopped(invited: Invited) -> None:
    """Status says that nothing is recorded, that nothing is lost, and which command helps."""
    invited.end_processes()
    shown = invited.person.call("status").stdout
    assert shown.startswith("Not recording: the recorder has stopped. What it recorded is kept.\n")
    assert shown.endswith("Next       promptster resume\n")


def until_away(invited: Invited) -> dict[str, Any]:
    """The status once the recorder has tried to send; each question is an event of another process."""
    while (found := invited.person.result("status"))["collector"]["reachable"] is not False:
        ControlClient(invited.session).flush(seconds=0.1)
    return found


def test_a_collector_that_is_away_is_told_with_since_when(acme: Hiring) -> None:
    """Status shows what arrived last and what waits here, on the reader's clock; programs get the moment in UTC."""
    with Relay(acme.running.url) as relay, acme.invited("away", TZ="Asia/Tokyo") as invited:
        invited.start("--collector", relay.url)
        control = ControlClient(invited.session)
        while (received := control.flush(seconds=10))[0] != received[1]:
            pass
        before = invited.person.result("status")
        assert before["last_received_at"].endswith("Z")
        assert "nothing has arrived" not in invited.person.call("status").stdout
        relay.cut()
        hook(invited, "UserPromptSubmit", prompt="Are you there?", prompt_id="p1")
        assert until_away(invited)["last_received_at"] == before["last_received_at"]
        moment = SystemClock().wall_ms() / 1000 - 12.5 * 60
        for receipt in invited.session.batches.glob("*.receipt"):
            os.utime(receipt, (moment, moment))
        found = invited.person.result("status")
        assert found["events"] > found["received"]
        there = datetime.fromtimestamp(moment, ZoneInfo("Asia/Tokyo"))
        assert datetime.fromisoformat(found["last_received_at"]) == there.replace(microsecond=0)
        shown = invited.person.call("status").stdout
        words = " ".join(shown.split())
        assert "cannot reach Acme's collector; nothing has arrived since " in words
        assert re.search(rf"since (\d+ \w+, )?{there:%H:%M} \(1[23] min\) ", words)
        assert "waiting. Keep working." in words
        assert re.search(r"Everything is kept here and sent later\.", words)
        prose = [line for line in shown.splitlines() if "&& promptster run" not in line]
        assert all(len(line) <= 80 for line in prose), "only a command, whose path may be long, goes beyond"


def test_a_receipt_that_is_gone_makes_no_moment_up(acme: Hiring) -> None:
    """Without a receipt the last arrival is unknown, and status shows no other moment instead."""
    with Relay(acme.running.url) as relay, acme.invited("gone") as invited:
        invited.start("--collector", relay.url)
        relay.cut()
        hook(invited, "UserPromptSubmit", prompt="Are you there?", prompt_id="p1")
        until_away(invited)
        for receipt in invited.session.batches.glob("*.receipt"):
            receipt.unlink()
        assert invited.person.result("status")["last_received_at"] is None
        words = " ".join(invited.person.call("status").stdout.split())
        assert "warning: cannot reach Acme's collector" in words
        assert "since" not in words
        assert "waiting. " in words


@pytest.mark.parametrize(
    ("collector", "received", "state", "told"),
    [
        (
            CollectorStatus(reachable=True, last_error="storage_full", refused=None),
            30,
            SessionState.RECORDING,
            [
                "warning: the collector cannot accept anything right now: its disk is full",
                "1 event is waiting. Keep working. Everything is kept here and sent later.",
            ],
        ),
        (CollectorStatus(reachable=True, last_error="storage_full", refused=None), 31, SessionState.RECORDING, []),
        (CollectorStatus(reachable=True, last_error=None, refused=None), 0, SessionState.RECORDING, []),
        (
            AWAY,
            0,
            SessionState.RECORDING,
            [
                "warning: cannot reach Acme's collector; nothing has arrived yet",
                "31 events are waiting. Keep working. Everything is kept here and sent later.",
            ],
        ),
        (
            AWAY,
            31,
            SessionState.CLOSING,
            [
                "warning: cannot reach Acme's collector",
                "Everything recorded so far has been received.",
            ],
        ),
        (
            AWAY,
            30,
            SessionState.CLOSING,
            [
                "warning: cannot reach Acme's collector",
                "1 event is waiting. Everything is kept here and sent later.",
            ],
        ),
    ],
)
def test_what_waits_is_told_in_whole_words(
    collector: CollectorStatus, received: int, state: SessionState, told: list[str]
) -> None:
    """Each state has its sentence, and after submitting there is no advice to keep working."""
    facts = SessionFacts(
        session="A" * 22,
        collector_url="https://c.example",
        organisation="Acme",
        title="Limiter",
        workspace="/w",
        created_ms=0,
        secrets="file",
        upstreams={},
    )
    running = RecorderStatus(
        session=facts.session,
        state=state,
        events=31,
        durable=31,
        received=received,
        checked=0,
        batches=BatchCounts(sealed=1, received=min(received, 1)),
        sources={},
        dropped={},
        collector=collector,
        port=1,
        record_until=0,
        upload_until=0,
        restarts=0,
    )
    assert list(status.warnings(facts, running, None, 0)) == told


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
    """Headers are not counted as lines, and lines that look like headers are."""
    assert changed_lines(diff) == lines
