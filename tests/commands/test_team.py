"""The hiring team's commands against a real collector: login, assessment, invite, sessions, token, export, replay."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import stat
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.helpers.candidate import bearer, started
from tests.helpers.hiring import hiring_in
from tests.helpers.people import Person

from promptster.client import CollectorClient
from promptster.config import PinnedKeys
from promptster.paths import Paths
from promptster.protocol.key_succession import parse_keyfile
from promptster.protocol.verification import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.helpers.candidate import Candidate
    from tests.helpers.hiring import Hiring


@pytest.fixture(scope="module")
def session(acme: Hiring) -> Candidate:
    """A submitted session."""
    with httpx.Client(base_url=acme.running.url, trust_env=False) as client:
        candidate = started(client, acme.running.token, name="Grace Example", email="grace@example.com")
        candidate.say("the first prompt", "the second prompt")
        candidate.close()
        for n in range(2):
            assert candidate.put(client, n).status_code == 200
        _when(client, acme, candidate, lambda head: bool(head["closed"]))
    return candidate


def _when(client: httpx.Client, acme: Hiring, candidate: Candidate, holds: Callable[[dict[str, Any]], bool]) -> None:
    """Return once this is true of a session: the collector checks after it answers."""
    path = f"/v1/sessions/{candidate.session}/head"
    while not holds(client.get(path, headers=bearer(acme.running.token)).json()):
        time.sleep(0.02)  # another process checks; there is no event to wait for


@pytest.fixture
def stranger(tmp_path: Path) -> Person:
    """A person who never signed in."""
    return Person(name="stranger", home=tmp_path)


def _paths(person: Person) -> Paths:
    return Paths(config=person.home / ".config" / "promptster", data=person.home, state=person.home)


def test_login_keeps_the_token_apart_and_pins_the_keys(acme: Hiring, stranger: Person) -> None:
    """The token goes into an announced 0600 file and nowhere else; the keys are pinned."""
    token, url = acme.running.token, acme.running.url
    answer = stranger.call("login", "--collector", url + "/", "--token-stdin", given=f"{token}\n")
    assert answer.code == 0
    assert answer.stdout.startswith("Signed in to Acme as owner.\n")
    assert acme.running.fingerprint in answer.stdout
    assert re.search(r"^This .*this sign-in will be kept in [^\n]*\.$", answer.stderr, re.MULTILINE)
    assert token not in answer.stdout + answer.stderr
    holding = [path for path in stranger.home.rglob("*") if path.is_file() and token in path.read_text()]
    assert [path.name for path in holding] == ["tokens.json"]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600
    assert PinnedKeys(_paths(stranger)).fingerprints() == {acme.running.fingerprint}


def test_login_refuses_what_is_no_token_and_leaves_nothing(acme: Hiring, stranger: Person) -> None:
    """A wrong token is exit 4, an empty one a usage error; neither pins a key or keeps anything."""
    words = ("login", "--collector", acme.running.url, "--token-stdin", "--json")
    assert stranger.call(*words, given="pt_wrong").code == 4
    assert stranger.call(*words, given="\n").code == 2
    assert stranger.call("login", "--token-stdin", "--json", given="x").document["error"]["code"] == "usage"
    assert stranger.call(*words[:3], "--json").document["error"]["hint"].startswith("Add --token-stdin")
    assert not _paths(stranger).config.exists()


def test_login_never_tells_to_sign_in(acme: Hiring, stranger: Person) -> None:
    """A person who is signing in reads what is wrong with the token, and whom to ask for another one."""
    words = ("login", "--collector", acme.running.url, "--token-stdin")
    revoked = acme.owner.result("token", "create", "--role", "reviewer")
    acme.owner.result("token", "revoke", revoked["id"])
    for token, said in {
        "pt_nobody": "error: the collector does not know this token\nCopy all of it; it starts with pt_.",
        revoked["token"]: "error: this token has been revoked\nAsk an owner for a new token.\n",
        "pa_candidate": "error: not a token\nCopy all of it; it starts with pt_.\n",
    }.items():
        answer = stranger.call(*words, given=token)
        assert answer.stderr.startswith(said)
        assert "promptster login" not in answer.stderr


def test_login_refuses_keys_that_do_not_continue_the_pinned_ones(acme: Hiring, stranger: Person) -> None:
    """A collector that presents other keys gets no token, and the pin stays."""
    with hiring_in(stranger.home / "other") as other:
        with CollectorClient(other.running.url) as client:
            keyfile = client.keys()
        PinnedKeys(_paths(stranger)).pin(acme.running.url, keyfile)
    answer = stranger.call(
        "login", "--collector", acme.running.url, "--token-stdin", "--json", given=acme.running.token
    )
    assert answer.code == 1
    assert answer.document["error"]["code"] == "collector_keys_changed"
    assert PinnedKeys(_paths(stranger)).fingerprints() == set(parse_keyfile(keyfile).fingerprints)
    assert not (_paths(stranger).config / "tokens.json").exists()


def test_plain_http_beyond_this_machine_is_refused(stranger: Person) -> None:
    """No token is sent unencrypted."""
    answer = stranger.call("login", "--collector", "http://collector.example", "--token-stdin", "--json", given="pt_x")
    assert answer.document["error"]["code"] == "plain_http"


@pytest.mark.parametrize(
    "words",
    [
        ("sessions",),
        ("assessment", "list"),
        ("assessment", "create", "--title", "x"),
        ("invite", "a", "--name", "n", "--email", "e@example.com"),
        ("token", "list"),
        ("replay", "AAAAAAAAAAAAAAAAAAAAAA"),
    ],
)
def test_without_a_sign_in_every_command_says_so(stranger: Person, words: tuple[str, ...]) -> None:
    """The exit code is 4, and the message says what to do."""
    answer = stranger.call(*words, "--json")
    assert answer.code == 4
    assert answer.document["error"]["code"] == "not_signed_in"
    assert "promptster login" in answer.document["error"]["hint"]


@pytest.mark.parametrize(
    "address", ["/nonexistent", "ext::sh -c true", "--upload-pack=x", "plain", "http://example.com/x"]
)
def test_a_repository_that_nobody_could_clone_is_refused(acme: Hiring, tmp_path: Path, address: str) -> None:
    """It is refused at once, and not at every candidate's start."""
    (tmp_path / "plain").mkdir()
    done = acme.owner.call("assessment", "create", "--title", "T", f"--repo={address}", "--json", cwd=tmp_path)
    assert (done.code, done.document["error"]["code"]) == (2, "usage")


def test_an_assessment_has_the_terms_that_it_was_given(acme: Hiring, tmp_path: Path) -> None:
    """Durations are accepted as people write them, a folder as a whole path; the list shows what was made."""
    subprocess.run(["git", "init", "-q", str(tmp_path / "task")], check=True)
    words = (
        "assessment",
        "create",
        "--title",
        "Terms",
        "--time-limit",
        "1h30m",
        "--retention",
        "45d",
        "--repo",
        "task",
    )
    made = acme.owner.result(*words, cwd=tmp_path)
    assert (made["time_limit_minutes"], made["retention_days"]) == (90, 45)
    assert made["repository"] == str(tmp_path / "task")
    listed = acme.owner.result("assessment", "list")["assessments"]
    assert made in listed
    assert made["assessment"] == made["id"]  # as sessions name it
    shown = acme.owner.call("assessment", "list").stdout.splitlines()
    assert shown[0].split() == ["Assessment", "Id", "Time", "Kept", "Repository"]
    assert any(line.split()[:6] == ["Terms", made["id"][:8], "90", "min", "45", "days"] for line in shown)


def test_a_new_assessment_says_its_terms_and_what_is_next(acme: Hiring) -> None:
    """The next command works as printed: by title while it is unique, by id afterwards."""
    words = ("assessment", "create", "--title", "Said & done", "--time-limit", "90m")
    first, second = acme.owner.call(*words).stdout.splitlines(), acme.owner.call(*words).stdout.splitlines()
    assert first[0] == 'Created "Said & done": 90 min, kept for 30 days.'
    assert first[1] == 'Next: promptster invite "Said & done" --name NAME --email ADDRESS'
    named = shlex.split(second[1])[3]
    ids = [entry["id"] for entry in acme.owner.result("assessment", "list")["assessments"]]
    assert named in ids
    long = acme.owner.call("assessment", "create", "--title", "wordy " * 30).stdout.splitlines()
    assert len(long[1]) <= 80
    dashed = acme.owner.call("assessment", "create", "--title", "-- no option").stdout.splitlines()
    assert re.fullmatch(r"Next: promptster invite [0-9a-f]{16} --name NAME --email ADDRESS", dashed[1])


def test_an_assessment_is_named_by_its_title_or_the_beginning_of_its_id(acme: Hiring) -> None:
    """What two assessments share is refused with their ids, and nobody is invited."""
    who = ("--name", "Ada", "--email", "ada@example.com")
    assessment = acme.assessment("By its title")
    for name in ("By its title", assessment[:6], assessment):
        assert acme.owner.result("invite", name, *who)["link"]
    other = acme.assessment("By its title")
    unclear = acme.owner.call("invite", "By its title", *who, "--json")
    assert (unclear.code, unclear.document["error"]["code"]) == (2, "ambiguous")
    assert all(each in unclear.document["error"]["hint"] for each in (assessment, other))
    assert acme.owner.call("invite", assessment[:3], *who).code == 1  # too short for an id


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--time-limit", "soon"), 2),
        (("--time-limit", "0m"), 2),
        (("--retention", "36h"), 2),
        (("--retention", "181d"), 2),
        (("--time-limit", "400d"), 2),
        (("--title", ""), 2),
    ],
)
def test_terms_that_cannot_be_are_refused(acme: Hiring, words: tuple[str, ...], code: int) -> None:
    """An invalid duration, or one beyond the collector's limit, is a usage error."""
    assert acme.owner.call("assessment", "create", "--title", "x", *words, "--json").code == code


def test_an_invite_is_shown_once_and_to_whoever_made_it(acme: Hiring) -> None:
    """Link and code are the same invite; the message says what to do with them."""
    assessment = acme.assessment("Inviting")
    made = acme.owner.result("invite", assessment, "--name", "Ada", "--email", "ada@example.com")
    assert made["link"] == f"{acme.running.url}/i/{made['code'].replace('.', '#', 1)}"
    assert made["expires_at"].endswith("Z")
    answer = acme.owner.call("invite", assessment, "--name", "Ada", "--email", "ada@example.com")
    lines = answer.stdout.splitlines()
    assert re.fullmatch(
        r"Invited Ada\. The link works once, until \d{1,2} \w+( \d{4})?, \d\d:\d\d \(72 h left\)\.", lines[0]
    )
    assert lines[1] == ""
    assert lines[2].startswith(f"{acme.running.url}/i/")
    assert "shown only once" in answer.stdout
    unknown = acme.owner.call("invite", "nothing", "--name", "A", "--email", "a@example.com", "--json")
    assert unknown.code == 1
    assert "promptster assessment list" in unknown.document["error"]["hint"]
    odd = acme.owner.call("invite", assessment, "--name", "A", "--email", "nobody", "--json")
    assert (odd.code, odd.document["error"]["code"]) == (2, "email")


def test_sessions_lists_who_finished(acme: Hiring, session: Candidate) -> None:
    """A submitted session is listed by name, with its events."""
    (entry,) = (e for e in acme.owner.result("sessions")["sessions"] if e["session"] == session.session)
    assert (entry["name"], entry["events"], entry["title"]) == ("Grace Example", 3, "Build a parser")
    assert (entry["state"] in {"closing", "sealed"}, entry["outcome"]) == (True, "submitted")
    heading, *rows = acme.owner.call("sessions").stdout.splitlines()
    assert heading.split() == ["Session", "Candidate", "Assessment", "Stage", "Started", "Used", "Events"]
    (row,) = (line for line in rows if "Grace Example" in line)
    assert row.startswith(f"{session.session[:8]} ")
    assert "submitted" in row
    assert re.search(r"\d{1,2} [A-Z][a-z]{2} \d\d:\d\d", row)
    assert not re.search(r"\d{4}-\d\d-\d\dT|sealed|closing", "\n".join(rows))
    assert max(map(len, [heading, *rows])) <= 80


def test_the_code_on_both_sides_is_the_same(acme: Hiring) -> None:
    """Start, status and the team's list show the same code, and the list shows when the invite was opened."""
    with acme.invited("cody", assessment=acme.assessment("Comparing")) as invited:
        words = invited.start_words()
        looked = invited.person.call("policy", invited.link)
        assert looked.code == 0
        begun = invited.person.call(*words)
        assert begun.code == 0, begun.stderr
        found = re.search(
            r"^Confirmation code: ([0-9A-Z]{3}-[0-9A-Z]{3})\nAcme sees the same code", begun.stdout, re.MULTILINE
        )
        assert found is not None, begun.stdout
        code = found[1]
        assert " If theirs differs, someone else used your invite: tell Acme." in begun.stdout.replace("\n", " ")
        status = invited.person.result("status")
        assert status["confirmation_code"] == code
        assert re.search(rf"^Code +{code}, to compare with Acme$", invited.person.call("status").stdout, re.MULTILINE)
        (entry,) = (e for e in acme.owner.result("sessions")["sessions"] if e["session"] == status["session"])
        assert entry["confirmation_code"] == code
        assert entry["openings"] == 1 + len(entry["opened_again_at"]) >= 3, "policy twice, then start"
        assert entry["opened_at"] <= min(entry["opened_again_at"])
        shown = acme.owner.call("sessions").stdout
        moment = r"\d{1,2} [A-Z][a-z]{2} \d\d:\d\d"
        assert re.search(rf"^  \S+  {code}  opened {moment}, again {moment}, {moment}$", shown, re.MULTILINE), shown
        assert invited.link not in shown


def test_states_that_occur_are_explained(acme: Hiring, session: Candidate) -> None:
    """A legend below the table explains only the stages that are in it."""
    with httpx.Client(base_url=acme.running.url, trust_env=False) as client:
        gone = started(client, acme.running.token, name="Wim Example", email="wim@example.com")
        assert client.post(f"/v1/sessions/{gone.session}/withdraw", json=gone.withdrawal()).status_code == 200
    shown = acme.owner.call("sessions").stdout
    assert "\nwithdrawn: the candidate withdrew consent" in shown
    assert "\nlapsed:" not in shown
    unreadable = acme.owner.call("replay", gone.session[:8])
    assert unreadable.stderr == "error: the session was withdrawn\nIts keys are destroyed, so nobody can read it.\n"
    assert session.session[:8] in shown


def test_a_session_that_was_stopped_is_not_told_as_one_at_work(acme: Hiring) -> None:
    """For an open session the list shows whether anything arrives, how long it lasted, and what to do next."""
    where = acme.running.data / "control" / "control.sqlite3"

    def row() -> tuple[str, str]:
        shown = acme.owner.call("sessions", "--json").document["sessions"]
        (entry,) = (each for each in shown if each["session"] == begun)
        lines = acme.owner.call("sessions").stdout.splitlines()
        assert all(len(line) <= 80 for line in lines)
        return entry["activity"], next(line for line in lines if begun[:8] in line)

    with acme.invited("moss", assessment=acme.assessment("Stopping", "--time-limit", "90m")) as invited:
        begun = str(invited.start()["session"])
        assert row()[0] == "working"
        invited.person.result("pause")
        assert " working " in row()[1]
        invited.person.result("stop", "--yes")
        with closing(sqlite3.connect(where)) as database, database:
            database.execute("update batches set received_ms = received_ms - 720000 where session = ?", [begun])
            database.execute("update sessions set started_ms = started_ms - 900000 where id = ?", [begun])
        activity, line = row()
        assert activity == "silent"
        assert re.search(r" silent +\d{1,2} \w{3} \d\d:\d\d  [23] min ", line)
        assert "\nsilent: nothing is arriving." in acme.owner.call("sessions").stdout
        assert acme.owner.call("replay", begun[:8]).code == 0
        with closing(sqlite3.connect(where)) as database, database:
            database.execute("update sessions set record_until_ms = started_ms + 1 where id = ?", [begun])
        assert row()[0] == "over"


def test_a_session_is_named_by_what_the_table_shows_of_it(acme: Hiring, session: Candidate, tmp_path: Path) -> None:
    """The id's first characters are enough; the file is named after the day, the title and them, not after a person."""
    done = acme.owner.result("export", session.session[:8], "-f", "jsonl", cwd=tmp_path)
    assert done["session"] == session.session
    (written,) = tmp_path.iterdir()
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d-build-a-parser-{session.session[:8]}\.jsonl", written.name)
    unknown = acme.owner.call("replay", "zzzzzzzz")
    assert (unknown.code, unknown.stderr) == (
        2,
        "error: no session or file named zzzzzzzz\nTo see the sessions: promptster sessions\n",
    )


def test_a_session_is_exported_and_read_from_the_collector(acme: Hiring, session: Candidate, tmp_path: Path) -> None:
    """The bundle is verified here, with the keys pinned at sign-in, before a page or a line is made of it."""
    owner = acme.owner
    exported = owner.result("export", session.session, "--format", "bundle", "-o", str(tmp_path / "g.promptster"))
    assert exported["verdict"] == "verified"
    assert owner.call("verify", str(tmp_path / "g.promptster")).code == 0
    lines = owner.call("export", session.session, "--format", "jsonl", "-o", "-").stdout.splitlines()
    texts = [entry["text"] for entry in map(json.loads, lines) if entry["kind"] == "prompt"]
    assert texts == ["the first prompt", "the second prompt"]
    owner.result("export", session.session, "--format", "html", "-o", str(tmp_path / "g.html"))
    assert "the second prompt" in (tmp_path / "g.html").read_text()
    shown = owner.call("replay", session.session).stdout
    assert "verified: nothing was changed" in shown
    assert "the first prompt" in shown
    unknown = owner.call("export", "A" * 22, "-o", str(tmp_path / "no"), "--json")
    assert unknown.code == 1
    assert "promptster sessions" in unknown.document["error"]["hint"]
    assert not (tmp_path / "no").exists()


def test_a_reader_waits_until_a_session_can_be_read(acme: Hiring) -> None:
    """Between the inbox and the segment a session has no content for a moment; the bundle comes after that moment."""
    with httpx.Client(base_url=acme.running.url, trust_env=False) as client:
        candidate = started(client, acme.running.token, name="Eva Example", email="eva@example.com")
        candidate.say("early")
        assert candidate.put(client, 0).status_code == 200
        _when(client, acme, candidate, lambda head: head["checked"] == 0)
    where = acme.running.data / "control" / "control.sqlite3"
    with closing(sqlite3.connect(where)) as database:
        (body,) = database.execute("select body_sealed from batches where session = ?", [candidate.session]).fetchone()

    def hold(content: bytes | None) -> None:
        with closing(sqlite3.connect(where)) as database, database:
            database.execute("update batches set body_sealed = ? where session = ?", [content, candidate.session])

    hold(None)
    told: list[str] = []

    def preparing() -> None:
        told.append("once")
        hold(body)

    with CollectorClient(acme.running.url, token=acme.running.token, preparing=preparing) as reader:
        bundle = reader.bundle(candidate.session)
    assert told == ["once"]
    assert verify_bundle(bundle, trusted=[acme.running.fingerprint]).events == 1


def test_a_token_does_what_its_role_may_until_it_is_revoked(acme: Hiring, stranger: Person) -> None:
    """A reviewer's token signs in, reads, cannot invite, and stops working at once when revoked."""
    made = acme.owner.result("token", "create", "--role", "reviewer", "--label", "Rita", "--expires", "7d")
    stranger.result("login", "--collector", acme.running.url, "--token-stdin", given=made["token"])
    assert "sessions" in stranger.result("sessions")
    refused = stranger.call("assessment", "create", "--title", "x", "--json")
    assert refused.code == 1
    assert refused.document["error"]["message"] == "reviewers cannot do this"
    assert refused.document["error"]["hint"] == "Ask an owner or a recruiter."
    unknown = acme.owner.call("token", "revoke", "nothing", "--json")
    assert "promptster token list" in unknown.document["error"]["hint"]
    (entry,) = (e for e in acme.owner.result("token", "list")["tokens"] if e["id"] == made["id"])
    assert (entry["role"], entry["label"], entry["revoked_at"]) == ("reviewer", "Rita", None)
    assert made["token"] not in json.dumps(entry)
    assert acme.owner.result("token", "revoke", made["id"][:8]) == {"id": made["id"], "revoked": True}
    assert stranger.call("sessions", "--json").code == 4
    shown = acme.owner.call("token", "list").stdout
    assert any(line.split()[:4] == [made["id"][:8], "Rita", "reviewer", "revoked"] for line in shown.splitlines())
    words = acme.owner.call("token", "create", "--role", "recruiter")
    assert words.stdout.startswith("pt_")
    assert "shown only once" in words.stderr
    assert "(365 days left)" in words.stderr


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("token", "create", "--role", "reviewer", "--expires", "soon"), "not a duration: soon", "Use 30d"),
        (("token", "create", "--role", "reviewer", "--expires", "36h"), "not whole days: 36h", "Use 30d"),
        (("assessment", "create", "--title", "x", "--retention", "1w"), "not a duration: 1w", "Use 30d"),
        (
            ("assessment", "create", "--title", "x", "--time-limit", "1.5h"),
            "not a duration: 1.5h",
            "Use 90m, 2h or 30d",
        ),
    ],
)
def test_what_is_no_duration_is_told_with_one_that_is(
    acme: Hiring, words: tuple[str, ...], message: str, hint: str
) -> None:
    """Every option that takes a duration names a valid form."""
    answer = acme.owner.call(*words)
    assert (answer.code, answer.stderr) == (2, f"error: {message}\n{hint}, for example.\n")


def test_groups_of_commands_explain_themselves(stranger: Person) -> None:
    """A command with sub-commands lists them; a missing one is a usage error."""
    assert "create" in stranger.call("assessment", "--help").stdout
    for words in (("token",), ("token", "--json"), ("assessment", "--json")):
        answer = stranger.call(*words)
        assert answer.code == 2
        assert "no command given" in answer.stdout + answer.stderr
