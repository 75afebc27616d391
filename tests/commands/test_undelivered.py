"""Submitting to a collector that accepts nothing more, or whose signatures do not verify: the candidate can end."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.gateway import Gateway, Reply
from tests.helpers.hiring import hiring_in

from promptster.protocol.bundle import read_bundle
from promptster.protocol.events import Source
from promptster.protocol.events.kinds import SubmissionFinal
from promptster.session_folder.control_calls import SentEvent
from promptster.session_folder.control_client import ControlClient
from promptster.session_folder.folder import SessionState

if TYPE_CHECKING:
    from tests.helpers.hiring import Hiring, Invited

BATCHES = "^PUT .*/batches/"
EVIDENCE = "^GET .*/evidence"


@pytest.fixture
def invited(gateway: Gateway, invited: Invited) -> Invited:
    """A candidate at work, with an editor's file that must be put back."""
    invited.start("--collector", gateway.url, "--ide", "claude")
    (invited.workspace / "answer.py").write_text("print(42)\n")
    return invited


def full(_reply: Reply) -> Reply:
    """The collector's refusal of a session that has reached its size limit."""
    return Reply.problem(413, "session_full", "The session holds as much as it may.")


def error(invited: Invited, *words: str) -> dict[str, Any]:
    """The error of a command that fails."""
    answer = invited.person.call(*words, "--json")
    assert answer.code == 1
    found: dict[str, Any] = answer.document["error"]
    return found


def copy_named_in(text: str) -> Path:
    """The candidate's own copy, as an error's hint names it."""
    return Path(text[text.index("/") : text.index(".promptster", text.index("/")) + len(".promptster")])


def editor_file(invited: Invited) -> Path:
    """The file that was made for the editor's agent."""
    return invited.workspace / ".claude" / "settings.local.json"


def test_a_full_session_is_not_waited_for(invited: Invited, gateway: Gateway) -> None:
    """The candidate reads what the collector said, has a copy and their files, and can continue once there is room."""
    gateway.exchange(BATCHES, full)
    told = error(invited, "submit", "--yes")
    assert told["code"] == "session_full"
    assert "holds as much as it may" in told["message"]
    copy = copy_named_in(told["hint"])
    contents = read_bundle(copy.read_bytes())
    assert any(b'"kind":"submission_final"' in event for event in contents.events)
    assert invited.person.call("verify", str(copy)).code == 11
    assert not editor_file(invited).exists()
    assert invited.processes() == []
    status = invited.person.result("status")
    assert (status["state"], status["refused"], status["running"]) == ("closing", "session_full", False)
    for words in (("status",), ("inspect",)):
        answer = invited.person.call(*words)
        assert "no longer accepts uploads for this session: it is full" in " ".join(
            (answer.stdout + answer.stderr).split()
        )
    assert invited.person.result("inspect")["refused"] == "session_full"
    refusals = gateway.refused
    assert error(invited, "submit", "--yes")["code"] == "session_full"
    assert gateway.refused > refusals
    gateway.behave()
    done = invited.person.result("submit", "--yes")
    assert (done["verdict"], done["received"]) == ("verified", done["events"])
    assert done["events"] >= len(contents.events)
    assert invited.person.result("status")["refused"] is None


def test_a_recorder_that_is_refused_records_on_and_says_so(invited: Invited, gateway: Gateway) -> None:
    """Before submitting: nothing is lost, status reports it, and resume tries again."""
    gateway.exchange(BATCHES, full)
    invited.person.result("pause")
    assert invited.person.result("resume")["state"] == "recording"
    folder = invited.session
    while not folder.facts().refused:  # another process's state; each question is an event of its own
        invited.person.result("status")
    status = invited.person.result("status")
    assert status["state"] == "recording"
    assert status["collector"]["refused"]["code"] == "session_full"
    assert status["received"] < status["events"] == status["durable"]
    gateway.behave()
    invited.person.result("resume")
    done = invited.person.result("submit", "--yes")
    assert done["verdict"] == "verified"


def test_a_session_that_cannot_be_handed_in_can_be_stopped(acme: Hiring, invited: Invited, gateway: Gateway) -> None:
    """Otherwise no other session could ever begin on this computer."""
    words = ("invite", acme.assessment(), "--name", "again", "--email", "again@example.com")
    second = replace(invited, link=acme.owner.result(*words)["link"]).start_words()
    gateway.exchange(BATCHES, full)
    assert error(invited, "submit", "--yes")["code"] == "session_full"
    assert error(invited, *second)["code"] == "session_active"
    assert invited.person.result("stop", "--yes")["state"] == "stopped"
    assert error(invited, "submit", "--yes")["code"] == "session_over"
    assert invited.processes() == []
    gateway.behave()
    assert invited.person.result(*second)["session"]


def test_a_session_whose_time_is_over_leaves_the_candidate_their_copy(invited: Invited) -> None:
    """It can no longer be submitted, and nothing of it is lost or left in the candidate's files."""
    invited.person.result("pause")
    invited.end_processes()
    folder = invited.session
    folder.update(state=SessionState.LAPSED)
    shown = invited.person.call("status").stdout
    assert shown.startswith("Expired    Build a parser, for Acme\n")
    assert "`promptster submit` writes your own copy" in " ".join(shown.split())
    told = error(invited, "submit", "--yes")
    assert told["code"] == "session_lapsed"
    assert invited.person.call("verify", str(copy_named_in(told["hint"]))).code == 11
    assert not editor_file(invited).exists()
    assert invited.person.result("status")["state"] == "lapsed"


def test_a_check_that_failed_does_not_keep_the_candidate(tmp_path: Path) -> None:
    """The collector signs that it could not open a batch that it damaged itself, and the submission ends well."""
    with hiring_in(tmp_path) as other, other.invited("unlucky") as invited:
        invited.start()
        while invited.person.result("status")["received"] == 0:  # another process's state
            pass
        other.running.stop()
        with closing(sqlite3.connect(other.running.data / "control" / "control.sqlite3")) as database:
            database.execute(
                "UPDATE batches SET body_sealed = x'00', checked_ms = NULL, check_sealed = NULL WHERE n = 0"
            )
            database.commit()
        other.running.start()
        answer = invited.person.call("submit", "--yes", "--json")
        assert answer.code == 0, answer.stdout + answer.stderr
        done = answer.document
        assert (done["verdict"], done["received"]) == ("incomplete", done["events"])
        assert "unreadable_span" in {finding["code"] for finding in done["findings"]}
        assert "warning: everything was received" in answer.stderr
        assert len(read_bundle(Path(done["bundle"]).read_bytes()).events) == done["events"]
        assert invited.processes() == []


def test_what_the_collector_has_not_checked_does_not_keep_the_candidate(invited: Invited, gateway: Gateway) -> None:
    """A check fails and the end is not signed: all was received, so it is submitted, with a warning."""
    gateway.exchange(EVIDENCE, without_the_last_word)
    answer = invited.person.call("submit", "--yes", "--json")
    assert answer.code == 0, answer.stderr
    done = answer.document
    assert (done["verdict"], done["received"]) == ("incomplete", done["events"])
    assert {"open_ended"} <= {finding["code"] for finding in done["findings"]}
    assert "warning: everything was received" in answer.stderr
    assert "nothing says that the session ended here" in answer.stderr
    assert invited.person.call("verify", done["bundle"]).code == 11
    assert not editor_file(invited).exists()
    assert invited.processes() == []
    folder = invited.session
    assert folder.journal.is_dir()
    assert "content_key" in json.loads(next(iter(json.loads(folder.secrets_file.read_bytes()).values())))
    gateway.behave()
    again = invited.person.result("submit", "--yes")
    assert again["verdict"] == "verified"
    assert not folder.journal.exists()
    assert error(invited, "submit", "--yes")["code"] == "already_submitted"


def without_the_last_word(reply: Reply) -> Reply:
    """Evidence without the last check and without a signed end; nothing more will come."""
    document = reply.document
    if document["close"] is None:
        return reply
    return reply.with_members(checks=document["checks"][:-1], close=None)


def test_a_submission_that_was_cut_off_after_the_last_receipt_goes_on(acme: Hiring, invited: Invited) -> None:
    """All arrived while no command waited: status says what is left to do, and another start does not replace it."""
    words = ("invite", acme.assessment(), "--name", "again", "--email", "again@example.com")
    second = replace(invited, link=acme.owner.result(*words)["link"]).start_words()
    folder = invited.session
    control = ControlClient(folder)
    control.close([SentEvent(src=Source.WORKSPACE, event=SubmissionFinal(commit="c", diff=""))])
    while folder.facts().state is not SessionState.CLOSED:  # another process's state
        control.flush(seconds=1.0)
    control.stop()
    assert "`promptster submit` writes your copy" in invited.person.call("status").stdout
    assert error(invited, *second)["code"] == "session_active"
    done = invited.person.result("submit", "--yes")
    assert (done["verdict"], done["received"]) == ("verified", done["events"])
    assert [entry["outcome"] for entry in done["restored"]] == ["put back"]


def test_a_copy_that_does_not_check_out_is_written_and_named(invited: Invited, gateway: Gateway) -> None:
    """If a signature was changed on its way, the error gives the verdict, and submitting again succeeds."""

    def forged(reply: Reply) -> Reply:
        receipts = reply.document["receipts"]
        return reply.with_members(receipts=[{**entry, "signature": receipts[-1]["signature"]} for entry in receipts])

    gateway.exchange(EVIDENCE, forged)
    told = error(invited, "submit", "--yes")
    assert told["code"] == "bundle_altered"
    assert told["message"].startswith("submitted, ")
    copy = copy_named_in(told["hint"])
    assert invited.person.call("verify", str(copy)).code == 10
    assert not editor_file(invited).exists()
    assert invited.processes() == []
    assert invited.person.result("status")["state"] == "closed"
    assert invited.person.result("inspect")["events"] > 0
    gateway.behave()
    assert invited.person.result("submit", "--yes")["verdict"] == "verified"


def test_after_a_warning_everything_can_be_withdrawn(invited: Invited, gateway: Gateway) -> None:
    """What was kept for a second look is deleted with the rest."""
    gateway.exchange(EVIDENCE, without_the_last_word)
    assert invited.person.result("submit", "--yes")["verdict"] == "incomplete"
    assert invited.person.result("withdraw", "--yes")["tombstone"]
    folder = invited.session
    assert not folder.journal.exists()
    assert not folder.batches.exists()
    assert not folder.secrets_file.exists()


def test_a_collector_that_is_away_at_the_last_step_keeps_nobody(invited: Invited, gateway: Gateway) -> None:
    """Everything was received before: the receipts on this computer are proof enough to end the session."""
    gateway.exchange(EVIDENCE, lambda _reply: Reply(status=503, body=b"<html>"))
    done = invited.person.result("submit", "--yes")
    assert (done["verdict"], done["received"]) == ("incomplete", done["events"])
    gateway.behave()
    assert invited.person.result("submit", "--yes")["verdict"] == "verified"
