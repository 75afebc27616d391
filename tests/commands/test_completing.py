"""Submitting before the log is ready: the session ends well, and ``promptster export FILE`` completes the copy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import pytest
from tests.helpers.gateway import Gateway, Reply
from tests.helpers.hiring import NOWHERE

from promptster.protocol.bundle import read_bundle, write_bundle

if TYPE_CHECKING:
    from tests.helpers.hiring import Hiring, Invited

EVIDENCE = "^GET .*/evidence"
BUNDLE = "^GET .*/bundle"


@pytest.fixture
def invited(gateway: Gateway, invited: Invited) -> Invited:
    """A candidate at work."""
    invited.start("--collector", gateway.url)
    (invited.workspace / "answer.py").write_text("print(42)\n")
    return invited


def without_log(reply: Reply) -> Reply:
    """Evidence from a collector whose log lags."""
    return reply.with_members(checkpoint=None, proofs=[])


def bundle_without_log(reply: Reply) -> Reply:
    """Its bundle at that time."""
    parts = read_bundle(reply.body)
    return Reply(status=reply.status, body=write_bundle(replace(parts, checkpoint=None, proofs=())))


def test_a_log_that_is_late_keeps_nobody(invited: Invited, gateway: Gateway) -> None:
    """The session is over and its keys are deleted; the copy says what it lacks, and one command completes it later."""
    gateway.exchange(EVIDENCE, without_log)
    gateway.exchange(BUNDLE, bundle_without_log)
    answer = invited.person.call("submit", "--yes", "--json")
    assert answer.code == 0, answer.stderr
    done = answer.document
    assert (done["verdict"], done["received"]) == ("incomplete", done["events"])
    assert {finding["code"] for finding in done["findings"]} == {"not_in_log"}
    assert f"promptster export {done['bundle']}\n" in answer.stderr
    assert "warning: your copy is not complete yet: no log proof for the receipt" in answer.stderr
    folder = invited.session
    assert not folder.journal.exists()
    assert invited.person.result("status")["state"] == "closed"
    copy = Path(done["bundle"])
    early = copy.read_bytes()
    told = invited.person.call("verify", str(copy))
    assert told.code == 11
    headline, finding, *rest = told.stdout.splitlines()
    assert headline == "INCOMPLETE: what is here is genuine, but something is missing"
    assert finding.startswith("  not_in_log: no log proof for the receipt")
    assert f"To complete your own copy: promptster export {copy}" in rest

    late = invited.person.call("export", str(copy))
    assert (late.code, copy.read_bytes() == early) == (11, True)
    assert late.stderr == (
        "error: Acme's collector has nothing new for your copy yet\n"
        f"Nothing was changed. Try again later: promptster export {copy}\n"
    )
    gateway.behave()
    moved = copy.rename(invited.folder / "my copy.promptster")
    told = invited.person.call("verify", str(moved))
    assert f"To complete your own copy: promptster export {quote(str(moved))}" in told.stdout.splitlines()
    completed = invited.person.result("export", moved.name, cwd=invited.folder)
    assert (completed["file"], completed["verdict"], completed["completed"]) == (str(moved), "verified", True)
    assert read_bundle(moved.read_bytes()).events == read_bundle(early).events
    assert invited.person.call("verify", str(moved)).code == 0
    again = invited.person.call("export", moved.name, cwd=invited.folder)
    assert (again.code, again.stdout.splitlines()[0]) == (0, f"{moved.name} is complete: nothing is missing.")
    assert invited.person.call("withdraw", "--yes").code == 0
    moved.write_bytes(early)
    told = invited.person.call("verify", str(moved))
    assert (told.code, "promptster export" in told.stdout) == (11, False)
    assert invited.person.call("export", str(moved), "--json").document["error"]["code"] == "session_gone"


def test_a_damaged_copy_is_completed_from_the_collectors_bundle(invited: Invited) -> None:
    """If values are missing, the collector's signatures are not enough, but its own bundle is."""
    copy = Path(invited.person.result("submit", "--yes")["bundle"])
    whole = read_bundle(copy.read_bytes())
    copy.write_bytes(write_bundle(replace(whole, values={}, blocks={}, proofs=whole.proofs[1:])))
    assert invited.person.call("verify", str(copy)).code == 11
    answer = invited.person.call("export", str(copy))
    assert answer.code == 0, answer.stderr
    receipts = len(whole.receipts)
    said = "the one receipt is" if receipts == 1 else f"all {receipts} receipts are"
    assert answer.stdout == (f"Completed {copy}: {said} in the collector's log.\nCheck it: promptster verify {copy}\n")
    assert read_bundle(copy.read_bytes()).values == whole.values


def test_a_copy_that_cannot_be_completed_says_why(acme: Hiring, invited: Invited, gateway: Gateway) -> None:
    """No collector, no right, no session there or here: each has its own message, and the file is unchanged."""
    copy = Path(invited.person.result("submit", "--yes")["bundle"])
    whole = read_bundle(copy.read_bytes())
    stripped = write_bundle(replace(whole, checkpoint=None, proofs=()))
    copy.write_bytes(stripped)
    folder = invited.session
    url = folder.facts().collector_url

    def refusal() -> str:
        answer = invited.person.call("export", str(copy), "--json")
        assert answer.code == 1, answer.stdout
        assert copy.read_bytes() == stripped
        return str(answer.document["error"]["code"])

    folder.update(collector_url=NOWHERE)
    assert refusal() == "collector_unreachable"
    folder.update(collector_url=url)
    gateway.exchange(EVIDENCE, lambda _reply: Reply.problem(401, "unauthorised", "No."))
    assert refusal() == "token_refused"
    gateway.exchange(EVIDENCE, lambda _reply: Reply.problem(410, "erased", "Gone."))
    assert refusal() == "session_gone"
    gateway.behave()
    secrets = folder.secrets_file.read_bytes()
    folder.secrets_file.unlink()
    assert refusal() == "token_gone"
    folder.secrets_file.write_bytes(secrets)
    theirs = acme.folder / "theirs.promptster"
    theirs.write_bytes(stripped)
    answer = acme.owner.call("export", "theirs.promptster", "--json", cwd=acme.folder)
    assert (answer.code, answer.document["error"]["code"]) == (2, "not_own_copy")
    assert theirs.read_bytes() == stripped
    shown = acme.owner.call("verify", str(theirs))
    assert (shown.code, "promptster export" in shown.stdout) == (11, False)
    assert invited.person.call("export", str(copy)).code == 0
