"""Beginning a session: consent by a person, lost answers, and a recorder that keeps no stream of the caller open."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from tests.helpers.hiring import NOWHERE, UPSTREAMS, hiring_in
from tests.helpers.people import BIN
from tests.helpers.relay import Relay
from tests.helpers.terminal import Terminal

from promptster.clock import SystemClock
from promptster.commands import start
from promptster.protocol.consent import Certificate, Consent
from promptster.protocol.privacy import Tombstone
from promptster.protocol.signing import Envelope
from promptster.session_folder.folder import SessionFolder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.hiring import Hiring, Invited


QUESTION = "Type agree to start, read for the full policy, or leave: "
AGAIN = "Type the whole word: agree, read or leave: "
NOTHING = "Nothing was changed and nothing was recorded."


def terminal(invited: Invited, *words: str) -> Terminal:
    """Run the program in a terminal."""
    return Terminal([str(BIN / "promptster"), *words], environ=invited.person.environment(), cwd=invited.folder)


def begin(invited: Invited) -> Terminal:
    """Start in a terminal."""
    return terminal(
        invited, "start", invited.link, "--workspace", str(invited.workspace), "--secrets", "file", *UPSTREAMS
    )


def read_on(screen: Terminal, key: str = "") -> None:
    """Read the policy to the question; ``key`` is typed at the end of each screen."""
    while screen.wait_for(r"more lines?: Enter for more, q for the question -- ", QUESTION) == 0:
        screen.type(key)


def everything(folder: Path) -> list[str]:
    """All names below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_person_reads_agrees_and_begins(invited: Invited) -> None:
    """Five lines come first; the full policy is shown page by page on demand; one word begins the session."""
    with begin(invited) as screen:
        screen.wait_for(QUESTION)
        first = screen.shown.splitlines()
        assert 'Acme asks to record how you use AI coding agents in "Build a parser".' in first[0]
        assert [line.split()[0] for line in first[1:5]] == ["Time", "Recorded", "Not", "Rights"]
        assert "WHAT IS NOT RECORDED" not in screen.shown
        screen.type("read")
        read_on(screen)
        assert "WHAT IS NOT RECORDED" in screen.shown
        screen.type("agree")
        screen.wait_for("Recording until ")
        assert screen.end() == 0
    status = invited.person.result("status", "--json")
    assert (status["state"], status["time_over"]) == ("recording", False)
    invited.session.update(record_until=SystemClock().wall_ms() - 60_000)
    assert invited.person.result("status", "--json")["time_over"] is True
    assert "agents are no longer recorded" in invited.person.call("status").stdout


def test_one_enter_too_many_neither_refuses_nor_agrees(invited: Invited) -> None:
    """After one Enter too many at the end of the policy, the question is asked again and can still be answered."""
    with begin(invited) as screen:
        screen.wait_for(QUESTION)
        screen.type("r")
        for _ in range(40):
            screen.type("")
        screen.wait_for(QUESTION)
        screen.wait_for(AGAIN)
        assert not list(invited.state.glob("sessions/*"))
        screen.type("agree")
        screen.wait_for("Recording until ")
        assert screen.end() == 0


@pytest.mark.parametrize("word", ["yes", "y", "I agree", ""])
def test_what_is_none_of_the_words_is_asked_again(invited: Invited, word: str) -> None:
    """Another answer, even a yes, is asked about again: only this question's own words agree or refuse."""
    before = everything(invited.folder)
    with begin(invited) as screen:
        screen.wait_for(QUESTION)
        screen.type(word)
        screen.wait_for(AGAIN)
        screen.type("leave")
        assert screen.end() == 3
    assert everything(invited.folder) == before


@pytest.mark.parametrize("word", ["leave", "q", "no", "LEAVE"])
def test_leaving_changes_nothing(invited: Invited, word: str) -> None:
    """There is no folder, no file, no redemption: the invite can be used later, and the screen says until when."""
    before = everything(invited.folder)
    with begin(invited) as screen:
        screen.wait_for(QUESTION)
        screen.type(word)
        screen.wait_for(f"You did not agree. {NOTHING}")
        screen.wait_for(r"Acme can see that the invite was opened, but not this answer\.")
        screen.wait_for(r"Your invite stays valid until \d+ \w+, \d\d:\d\d\.")
        assert screen.end() == 3
    assert "error:" not in screen.shown
    assert everything(invited.folder) == before
    assert invited.policy_hash().startswith("sha256:")


@pytest.mark.parametrize("at", ["question", "policy"])
def test_ctrl_c_before_the_consent_is_130_and_leaves_nothing(invited: Invited, at: str) -> None:
    """Interrupting counts as leaving, at the question and in the middle of the policy, and the message says so."""
    before = everything(invited.folder)
    with begin(invited) as screen:
        screen.wait_for(QUESTION)
        if at == "policy":
            screen.type("read")
            screen.wait_for("q for the question -- ")
        screen.interrupt()
        screen.wait_for(NOTHING)
        screen.wait_for(r"To return until .*: promptster start LINK")
        assert screen.end() == 130
    assert "error:" not in screen.shown
    assert everything(invited.folder) == before


def test_the_invite_is_asked_for_when_none_is_given(invited: Invited) -> None:
    """Pasting it keeps the secret out of the shell's history."""
    with terminal(invited, "policy") as screen:
        screen.wait_for("Paste the link from your invitation")
        screen.type(invited.link)
        screen.wait_for("Acme invites you to")
        assert screen.end() == 0
    assert invited.link.partition("#")[2] not in screen.shown


def test_the_invite_is_read_from_standard_input_when_none_is_given(invited: Invited) -> None:
    """Without a terminal one line is read from standard input, without a dash as argument."""
    assert invited.person.result("policy", given=f"{invited.link}\n")["organisation"] == "Acme"


def test_company_providers_need_a_typed_yes(acme: Hiring) -> None:
    """Recording by hooks only needs the candidate's yes, which is in the consent."""
    with acme.invited("company", CLAUDE_CODE_USE_VERTEX="1") as invited:
        with begin(invited) as screen:
            screen.wait_for("Claude is set to use Google Vertex")
            screen.wait_for(r"\(yes/no\) ")
            screen.type("perhaps")
            screen.wait_for("Type yes or no: ")
            screen.type("yes")
            screen.wait_for(QUESTION)
            screen.type("AGREE")
            screen.wait_for("Recording until")
            assert screen.end() == 0
        (folder,) = (invited.state / "sessions").iterdir()
        consent = Envelope.decode(SessionFolder(folder).read_document("consent.json"))
        assert Consent.parse(consent.payload).choices == {"hooks_only": "claude"}


@pytest.mark.parametrize("answer", ["no", "Ctrl-C"])
def test_a_no_to_hooks_only_is_no_error(acme: Hiring, answer: str) -> None:
    """After a no, the candidate reads that nothing was changed."""
    with acme.invited(f"company-{answer}", CLAUDE_CODE_USE_VERTEX="1") as invited:
        before = everything(invited.folder)
        with begin(invited) as screen:
            screen.wait_for(r"\(yes/no\) ")
            screen.interrupt() if answer == "Ctrl-C" else screen.type(answer)
            screen.wait_for(NOTHING)
            assert screen.end() == (130 if answer == "Ctrl-C" else 3)
        assert "error:" not in screen.shown
        assert everything(invited.folder) == before


@pytest.mark.parametrize(
    ("words", "question"), [(("start",), "Paste the link"), (("login", "--collector", NOWHERE), "Token")]
)
def test_ctrl_c_where_a_secret_is_typed_is_a_no(invited: Invited, words: tuple[str, ...], question: str) -> None:
    """The question's line is ended, and no error is shown."""
    with terminal(invited, *words) as screen:
        screen.wait_for(question)
        screen.interrupt()
        screen.wait_for(r"\n(?:\r)?Nothing was changed\.")
        assert screen.end() == 130
    assert "error:" not in screen.shown


def test_a_no_to_submit_and_stop_keeps_the_session(invited: Invited) -> None:
    """Other answers are asked about again; a no is not an error; the screen first says what would happen."""
    invited.start()
    for command, told in (("submit", "Not submitted. Still recording until "), ("stop", "Nothing was changed.")):
        for word in ("n", "no"):
            with terminal(invited, command) as screen:
                screen.wait_for(r"\(yes/no\) ")
                screen.type("")
                screen.wait_for("Type yes or no: ")
                screen.type(word)
                screen.wait_for(told)
                assert screen.end() == 3
            assert "error:" not in screen.shown
        with terminal(invited, command) as screen:
            screen.wait_for(r"\(yes/no\) ")
            screen.interrupt()
            screen.wait_for(told)
            assert screen.end() == 130
    assert "Acme keeps what it received for 30 days" in screen.shown
    assert invited.person.result("status", "--json")["state"] == "recording"


@pytest.mark.parametrize("word", ["y", "yes"])
def test_a_yes_submits(invited: Invited, word: str) -> None:
    """Both spellings of yes submit, and afterwards the screen says how to read the copy."""
    invited.start()
    with terminal(invited, "submit") as screen:
        screen.wait_for("Before you submit:")
        screen.wait_for("none changed since the start")
        screen.wait_for(r"\(yes/no\) ")
        screen.type(word)
        screen.wait_for(r"Submitted at \d\d:\d\d: 0 files and \d+ events, received and checked by Acme\.")
        screen.wait_for("Read it: promptster replay FILE")
        assert screen.end() == 0


def test_withdrawing_says_first_what_it_does_and_takes_one_word(invited: Invited) -> None:
    """Anything else, and Ctrl-C, keeps everything; the word deletes it and leaves a certificate as a file."""
    invited.start()
    with terminal(invited, "withdraw") as screen:
        screen.wait_for("to keep it: ")
        for told in ("Here ", "Acme ", "Backups ", "Exports ", "This cannot be undone."):
            assert told in screen.shown
        screen.type("yes")
        screen.wait_for("Nothing was changed.")
        assert screen.end() == 3
    with terminal(invited, "withdraw") as screen:
        screen.wait_for("to keep it: ")
        screen.interrupt()
        screen.wait_for("Nothing was changed.")
        assert screen.end() == 130
    assert invited.person.result("status", "--json")["state"] == "recording"
    with terminal(invited, "withdraw") as screen:
        screen.wait_for("to keep it: ")
        screen.type("withdraw")
        screen.wait_for("Acme confirmed that the keys are destroyed")
        assert screen.end() == 0
    (certificate,) = (invited.person.home / ".local" / "share" / "promptster").glob("withdrawn-*.json")
    assert f"~/.local/share/promptster/{certificate.name}" in screen.shown
    assert certificate.stat().st_mode & 0o777 == 0o600
    tombstone = Tombstone.parse(Envelope.decode(certificate.read_bytes().strip()).payload)
    assert tombstone.session == invited.person.result("status", "--json")["session"]


def test_people_read_local_times_and_programs_utc(acme: Hiring) -> None:
    """People see the deadline on their own clock with the time left; scripts get the same moment as RFC 3339."""
    with acme.invited("far-east", assessment=acme.assessment("Clocks", "--time-limit", "90m"), TZ="Asia/Tokyo") as one:
        started = one.start()
        ends = datetime.fromisoformat(started["record_until"])
        assert started["record_until"].endswith("Z")
        status = one.person.result("status", "--json")
        assert status["record_until"] == started["record_until"]
        assert 0 < status["left_seconds"] <= 90 * 60
        there = ends.astimezone(ZoneInfo("Asia/Tokyo"))
        for command in ("status", "pause"):
            shown = one.person.call(command).stdout
            assert re.search(rf"until .*{there:%H:%M} \(\d+ min left\)", shown), shown
            assert "T" + f"{ends:%H:%M}" not in shown
        paused = one.person.result("status", "--json")["paused_since"]
        assert paused.endswith("Z")
        since = datetime.fromisoformat(paused).astimezone(ZoneInfo("Asia/Tokyo"))
        assert f"since {since:%H:%M} (" in one.person.call("status").stdout


def test_an_invite_used_on_this_computer_is_called_so(acme: Hiring, invited: Invited) -> None:
    """The collector is not asked again: it would raise an alarm about the candidate's own second look."""
    invited.start()
    invited.person.result("withdraw", "--yes")
    with Relay(acme.running.url) as relay:
        for words in (("policy", invited.link), ("start", invited.link, "--workspace", str(invited.workspace))):
            refused = invited.person.call(*words, "--collector", relay.url, "--json").document["error"]
            assert (refused["code"], refused["message"]) == ("invite_used", "this invite was already used")
            assert "You used it on this computer" in refused["hint"]
        assert relay.wires == []


def test_the_result_names_everything_and_no_token(invited: Invited) -> None:
    """A script gets the session, the proxy and the folders, but nothing that would open the proxy."""
    started = invited.start()
    assert set(started["proxy"]) == {"url", "port", "upstreams"}
    assert started["proxy"]["upstreams"]["anthropic"]["ok"] is False
    assert started["workspace"] == str(invited.workspace)
    folder = SessionFolder(invited.state / "sessions" / started["session"])
    assert started["state_dir"] == str(folder.path)
    certificate = Certificate.parse(Envelope.decode(folder.read_document("certificate.json")).payload)
    assert certificate.session == started["session"]
    assert re.search(r"[0-9a-f]{64}", str({**started, "proxy": started["proxy"]["url"]})) is None
    shown = invited.person.result("inspect", "--json")
    assert shown["events"] == invited.person.result("status")["events"]
    kinds = [entry["kind"] for entry in shown["entries"]]
    assert kinds[:2] == ["consent", "opened"]
    assert kinds.count("capture_upstream_overridden") == 3
    assert kinds[-1] == "submission_baseline"


def test_no_background_process_keeps_the_callers_streams(invited: Invited) -> None:
    """A pipe from the command ends when the command ends, although the recorder keeps running."""
    words = [str(BIN / "promptster"), *invited.start_words("--json")]
    read, write = os.pipe()
    with subprocess.Popen(
        words, env=invited.person.environment(), stdin=subprocess.PIPE, stdout=write, stderr=write, cwd=invited.folder
    ) as process:
        os.close(write)
        with os.fdopen(read, "rb") as stream:
            assert b'"session"' in stream.read()  # returns only when every holder of the pipe is gone
    assert process.returncode == 0
    assert len(invited.processes()) == 2
    for pid in invited.processes():
        os.kill(pid, 0)


def test_a_lost_answer_is_asked_for_again_with_the_same_bytes(acme: Hiring, invited: Invited) -> None:
    """If the invite was redeemed but the answer got lost, the same command continues the same session."""
    with Relay(acme.running.url) as relay:
        words = invited.start_words("--json", "--collector", relay.url)
        relay.lose_answer_to(b"POST /v1/invites/")
        first = invited.person.call(*words)
        assert (first.code, relay.lost) == (1, 1)
        assert first.document["error"]["code"] == "collector_unreachable"
        assert "same `promptster start`" in first.document["error"]["hint"]
        (folder,) = (invited.state / "sessions").iterdir()
        request = (folder / "documents" / "request.json").read_bytes()
        second = invited.person.result(*words)
        assert second["session"] == folder.name
        assert second["proxy"]["upstreams"]["anthropic"]["ok"] is False
        assert sum(wire.sent.count(request) for wire in relay.wires) == 2
        invited.person.result("withdraw", "--yes", "--json")


def test_a_consent_whose_answer_never_came_can_be_taken_back(acme: Hiring, invited: Invited) -> None:
    """The collector may know the session although no certificate arrived: withdrawing reaches it."""
    with Relay(acme.running.url) as relay:
        words = invited.start_words("--json", "--collector", relay.url)
        relay.lose_answer_to(b"POST /v1/invites/")
        assert invited.person.call(*words).code == 1
        done = invited.person.result("withdraw", "--yes")
        assert done["tombstone"]
        assert invited.person.call("withdraw", "--yes", "--json").document["error"]["code"] == "no_session"
        assert not list(invited.state.rglob("secrets.json"))


def test_every_folder_is_where_the_person_wants_it(acme: Hiring, tmp_path: Path) -> None:
    """XDG variables are honoured: state, settings and bundles of several users are separate."""
    places = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("STATE", "CONFIG", "DATA")}
    with acme.invited("elsewhere", **places) as invited:
        started = invited.start()
        assert started["state_dir"].startswith(str(tmp_path / "STATE"))
        done = invited.person.result("submit", "--yes")
        assert done["bundle"].startswith(str(tmp_path / "DATA"))
        assert everything(invited.person.home) == []


def test_a_start_that_died_before_its_last_step_is_finished_by_the_same_command(invited: Invited) -> None:
    """Until the baseline is recorded, the same command continues; after that it is a second start."""
    words = invited.start_words()
    started = invited.person.result(*words)
    pointer = invited.state / "attempts" / invited.code.partition(".")[0]
    assert not pointer.exists()
    pointer.write_text(started["session"])
    invited.end_processes()
    again = invited.person.result(*words)
    assert again["session"] == started["session"]
    kinds = [entry["kind"] for entry in invited.person.result("inspect", "--json")["entries"]]
    assert kinds.count("submission_baseline") == 1
    refused = invited.person.call(*words, "--json")
    assert refused.document["error"]["code"] == "session_active"


def test_an_invite_used_by_somebody_else_leaves_nothing(acme: Hiring, invited: Invited) -> None:
    """The collector refuses the second key; keys and folder of the attempt are deleted."""
    invited.start()
    with acme.invited("thief") as thief:
        words = ("start", invited.link, "--workspace", str(thief.workspace), "--secrets", "file", *UPSTREAMS, "--json")
        done = thief.person.call(*words, "--accept-policy", "sha256:" + "0" * 64)
        assert done.code == 1
        assert done.document["error"]["code"]
        assert not (thief.state / "sessions").exists()


def test_who_comes_too_late_with_an_invite_has_no_prepared_folder(acme: Hiring) -> None:
    """If several agree at once, only the first gets a session; the others have neither session nor repository."""
    with contextlib.ExitStack() as stack:
        people = [stack.enter_context(acme.invited(f"late-{number}")) for number in range(3)]
        first = people[0]
        accepted = ("--accept-policy", first.policy_hash(), "--secrets", "file", *UPSTREAMS, "--json")
        starts = [
            subprocess.Popen(
                [str(BIN / "promptster"), "start", first.link, "--workspace", str(one.workspace), *accepted],
                env=one.person.environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for one in people
        ]
        answers = [process.communicate() for process in starts]
        assert sorted(process.returncode for process in starts) == [0, 1, 1], answers
        for one, process in zip(people, starts, strict=True):
            assert one.workspace.exists() == (process.returncode == 0)


@pytest.mark.parametrize("broken", ["text", "link"])
def test_an_editors_file_that_cannot_be_prepared_costs_no_invite(invited: Invited, broken: str) -> None:
    """It is refused before anything begins; after a repair, or without the option, the same command works."""
    file = invited.workspace / ".claude" / "settings.local.json"
    file.parent.mkdir(parents=True)
    subprocess.run(["git", "init", "-q"], cwd=invited.workspace, check=True)
    file.symlink_to("x") if broken == "link" else file.write_text("{bad //")
    words = invited.start_words("--json")
    refused = invited.person.call(*words, "--ide", "claude")
    assert refused.document["error"]["code"] == ("touched_link" if broken == "link" else "ide_file_invalid")
    assert not (invited.state / "sessions").exists()
    file.unlink()
    assert invited.person.result(*words, "--ide", "claude")["ide_files"] == [str(file)]


def test_a_repository_is_cloned_and_is_the_baseline(acme: Hiring, tmp_path: Path) -> None:
    """The assessment names the repository, and the baseline is its tree."""
    source = tmp_path / "source"
    source.mkdir()
    for words in (
        ["init", "-q"],
        ["-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *words], cwd=source, check=True)
    assessment = acme.assessment("With code", "--repo", str(source))
    with acme.invited("cloner", assessment=assessment) as invited:
        started = invited.start()
        assert (invited.workspace / ".git").is_dir()
        entries = invited.person.result("inspect", "--json")["entries"]
        (baseline,) = [entry for entry in entries if entry["kind"] == "submission_baseline"]
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=source, check=True, capture_output=True, text=True)
        assert baseline["commit"] == head.stdout.strip()
        assert baseline["repository"] == str(source)
        assert started["files"] == 0


def test_a_collector_that_is_not_the_inviting_one_is_not_believed(acme: Hiring, tmp_path: Path) -> None:
    """The invite pins its collector's key: another collector, or another invite's answer, is refused."""
    with hiring_in(tmp_path) as other, acme.invited("misled") as invited:
        done = invited.person.call("policy", invited.link, "--collector", other.running.url, "--json")
        assert done.code == 1
        assert done.document["error"]["code"]
        assert everything(invited.person.home) == []


def test_two_starts_at_once_make_one_session(invited: Invited) -> None:
    """The second one is refused, or finds the session that the first one made."""
    words = [str(BIN / "promptster"), *invited.start_words("--json")]
    both = [
        subprocess.Popen(
            words, env=invited.person.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    answers = [process.communicate() for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes == [0, 1], answers
    assert len(list((invited.state / "sessions").iterdir())) == 1


def test_an_address_for_practice_must_be_known_by_name(invited: Invited) -> None:
    """Only names of a fixed table are accepted as upstreams."""
    words = (
        "start",
        invited.link,
        "--accept-policy",
        invited.policy_hash(),
        "--upstream",
        f"nobody={NOWHERE}",
        "--json",
    )
    done = invited.person.call(*words, "--workspace", str(invited.workspace))
    assert done.code == 2
    assert done.document["error"]["code"] == "usage"


def test_a_session_runs_also_where_nothing_can_be_pinned(acme: Hiring) -> None:
    """Keys that cannot be pinned for later checks cause a warning, and the session is recorded all the same."""
    with acme.invited("no-pins") as invited:
        config = invited.person.home / ".config" / "promptster"
        config.mkdir(parents=True)
        (config / "keys").symlink_to("/nonexistent/folder")
        answer = invited.person.call(*invited.start_words("--json"))
        assert answer.code == 0, answer.stderr
        assert "could not save the collector's keys for promptster verify" in answer.stderr
        assert invited.person.result("status")["state"] == "recording"


def test_the_agents_fit_into_a_line() -> None:
    """Of many agents those that fit are named, and always the shell, which records any of them."""
    assert start.agents_line(("claude", "codex", "cursor-agent")) == (
        "  promptster run claude     or: promptster run codex, promptster shell"
    )
    names = ("claude", "codex", "another-agent", "gem")
    assert (
        start.agents_line(names, often=names)
        == "  promptster run claude     or: promptster run codex, promptster shell"
    )
    assert (
        start.agents_line(("codex", "gem"), often=names)
        == "  promptster run codex      or: promptster run gem, promptster shell"
    )
    assert start.agents_line(("claude",), often=names) == "  promptster run claude     or: promptster shell"
