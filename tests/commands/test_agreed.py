"""What a candidate agrees to is what applies: the policy's text, its version, and the agents that it allows."""

from __future__ import annotations

import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.helpers.answering import Answering
from tests.helpers.hiring import UPSTREAMS
from tests.helpers.inviting import Inviting
from tests.helpers.older import exchange_policy_in, make_older_in
from tests.helpers.people import BIN, Person
from tests.helpers.practice_agent import install
from tests.helpers.terminal import Terminal

from promptster.protocol.agents import IDS, one_of
from promptster.protocol.policy import NEWEST_TEXT, Policy, PolicyV2, policy_sha256, render_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.hiring import Hiring

HOUR_MS = 3_600_000
LIE = (
    "Acme asks to record your work.\nNothing but the final difference is recorded. It is kept for one day.\n"
    "Traffic goes to https://api.anthropic.com only.\n"
)
KEPT = Path(__file__).resolve().parents[1] / "protocol" / "policies"


def _lying(name: str) -> Inviting:
    """A collector whose policy allows all kinds, 180 days, a model and its own host, but whose text omits them."""
    honest = Policy.parse((KEPT / f"{name}.json").read_bytes())
    own = {"anthropic": "https://llm.acme.example"}
    policy = replace(honest, text=LIE, retention_days=180, analysis_by_llm=True, providers=own)
    expires = time.time_ns() // 1_000_000 + HOUR_MS
    return Inviting(policy=policy, changes={"expires": expires})


@pytest.fixture
def server() -> Iterator[Answering]:
    """The lying collector's address."""
    with Answering() as made:
        yield made


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """A candidate with an invite."""
    (tmp_path / "home").mkdir()
    return Person(name="ada", home=tmp_path / "home")


@pytest.mark.parametrize("name", ["version-1", "version-2", "version-2-text-3"])
def test_a_collector_whose_text_says_less_than_it_would_do_is_refused(
    server: Answering, person: Person, tmp_path: Path, name: str
) -> None:
    """It is refused when reading, with the hash of exactly that policy, and at a terminal; no file remains."""
    inviting = _lying(name)
    server.answer.body = inviting.offer()
    link = inviting.code.link(server.url)
    start = ("start", link, "--workspace", str(tmp_path / "work"))
    accept = ("--accept-policy", f"sha256:{policy_sha256(inviting.policy.payload())}")
    for words in (("policy", link), (*start, *accept)):
        answer = person.call(*words, "--json")
        error = answer.document["error"]
        assert (answer.code, error["code"]) == (1, "policy_text")
        assert error["message"] == "the policy's text does not match its settings"
        assert "Nothing but the final difference" not in answer.stderr
    with Terminal([str(BIN / "promptster"), *start], environ=person.environment(), cwd=tmp_path) as screen:
        assert screen.end() == 1
        assert "Nothing was changed. Do not use this invite. Tell Acme" in " ".join(screen.shown.split())
        assert "Type agree" not in screen.shown
    assert all(asked.method == "GET" for asked in server.asked)
    assert list(person.home.iterdir()) == []
    assert not (tmp_path / "work").exists()


def test_a_whole_session_of_an_older_assessment(acme: Hiring) -> None:
    """A session from before an upgrade continues as agreed: with any agent, and with the same bundle."""
    assessment = acme.assessment("Older")
    policy = make_older_in(acme.running.data, assessment)
    with acme.invited("older", assessment=assessment) as invited:
        assert invited.policy_hash() == f"sha256:{policy_sha256(policy)}"
        invited.start("--ide", "cursor")
        assert invited.session.read_document("policy.json") == policy
        done = invited.person.result("submit", "--yes")
        assert invited.person.call("verify", done["bundle"]).code == 0
        with zipfile.ZipFile(done["bundle"]) as archive:
            assert archive.namelist()[0] == "keys.json"
        exported = invited.folder / "team.promptster"
        words = ("export", done["session"], "--format", "bundle", "-o", str(exported))
        assert acme.owner.call(*words).code == 0
        assert exported.read_bytes()[30:39] == b"keys.json"


def test_an_agent_that_is_not_allowed_is_refused_by_name(acme: Hiring, tmp_path: Path) -> None:
    """It is refused before it starts, by run and in the shell; the message names the allowed ones if there are any."""
    assessment = acme.assessment("Only Codex", "--agent", "codex")
    install(tmp_path)
    with acme.invited("only-codex", assessment=assessment) as invited:
        person = Person(name="only-codex", home=invited.person.home, tools=tmp_path)
        text = person.result("policy", invited.link)["text"]
        assert "You may use Codex. Agents started with" in text
        refused = person.call(*invited.start_words("--ide", "claude", "--json"))
        assert (refused.code, refused.document["error"]["code"]) == (2, "agent_not_allowed")
        assert not list(invited.state.glob("sessions/*"))
        started = person.call(*invited.start_words())
        assert started.code == 0, started.stderr
        assert "  promptster run codex      or: promptster shell\n" in started.stdout
        assert person.call("status").stdout.rstrip().endswith("promptster run codex")
        for name in ("claude", "cursor-agent"):
            answer = person.call("run", name, "-p", "hello", cwd=invited.workspace)
            assert (answer.code, answer.stdout) == (125, "")
            assert answer.stderr == f"error: this assessment does not allow {name}\nUse `promptster run codex`.\n"
        inside = person.call("shell", "-c", "claude -p hello", cwd=invited.workspace)
        assert (inside.code, inside.stdout) == (125, "")
        assert "this assessment does not allow claude" in inside.stderr
        kinds = {entry["kind"] for entry in person.result("inspect", "--all")["entries"]}
        assert "prompt" not in kinds


def test_nothing_is_recorded_for_a_provider_that_the_policy_does_not_name(acme: Hiring) -> None:
    """If a policy names one provider, its text names no other, and the recorder forwards to no other."""

    def only_anthropic(policy: Policy) -> Policy:
        changed = replace(policy, providers={"anthropic": policy.providers["anthropic"]})
        return replace(changed, text=render_text(changed))

    assessment = acme.assessment("One provider")
    exchange_policy_in(acme.running.data, assessment, only_anthropic)
    with acme.invited("one-provider", assessment=assessment) as invited:
        refused = invited.person.call(*invited.start_words("--json"))
        assert (refused.code, refused.document["error"]["message"]) == (
            2,
            "the policy does not name the provider 'openai'",
        )
        words = ("start", invited.link, "--workspace", str(invited.workspace), "--secrets", "file")
        accept = ("--accept-policy", invited.policy_hash(), *UPSTREAMS[:2])
        assert invited.person.call(*words, *accept, "--json").code == 0
        assert list(invited.session.facts().upstreams) == ["anthropic"]
        codex = invited.person.call("run", "codex", cwd=invited.workspace)
        assert (codex.code, codex.stdout) == (125, "")


def test_what_a_team_states_is_what_a_candidate_reads(acme: Hiring) -> None:
    """The options of ``assessment create`` appear in the text; an unknown agent is a usage error."""
    words = ("--contact", "hiring@acme.example", "--alternative", "a pairing session", "--agent", "claude")
    made = acme.owner.result("assessment", "create", "--title", "Stated", *words, "--agent", "cursor")
    assert (made["agents"], made["contact"]) == (["claude", "cursor"], "hiring@acme.example")
    with acme.invited("stated", assessment=made["id"]) as invited:
        text = invited.person.result("policy", invited.link)["text"]
        left = Terminal(
            [str(BIN / "promptster"), "start", invited.link, "--workspace", str(invited.workspace), *UPSTREAMS],
            environ=invited.person.environment(),
            cwd=invited.folder,
        )
        with left as screen:
            screen.wait_for("read for the full policy, or leave: ")
            screen.type("leave")
            assert screen.end() == 3
            assert screen.shown.splitlines()[-1] == "Acme offers a pairing session instead."
        assert "You may use Claude Code or Cursor." in text
        assert "write to hiring@acme.example." in text
        assert "If you refuse, Acme offers a pairing session instead." in text
    odd = acme.owner.call("assessment", "create", "--title", "x", "--agent", "nobodys-agent", "--json")
    assert (odd.code, odd.document["error"]["message"]) == (
        2, f"--agent takes {one_of(IDS)}, not 'nobodys-agent'",
    )  # fmt: skip
    empty = acme.owner.call("assessment", "create", "--title", "x", "--contact", " ", "--json")
    assert (empty.code, empty.document["error"]["code"]) == (2, "contact")


def test_a_text_that_only_a_newer_version_knows_costs_no_invite(acme: Hiring) -> None:
    """The commands ask for an update before they show or write anything, and the invite is not redeemed."""

    def later(policy: Policy) -> Policy:
        assert isinstance(policy, PolicyV2)
        return replace(policy, text_version=NEWEST_TEXT + 1, text="Later words.\n")

    assessment = acme.assessment("Later text")
    policy = exchange_policy_in(acme.running.data, assessment, later)
    with acme.invited("later-text", assessment=assessment) as invited:
        accept = ("--accept-policy", f"sha256:{policy_sha256(policy)}")
        start = ("start", invited.link, "--workspace", str(invited.workspace), *accept)
        for words in (("policy", invited.link), start):
            refused = invited.person.call(*words, "--json")
            error = refused.document["error"]
            assert (refused.code, error["code"]) == (1, "newer_version")
            assert error["hint"] == "Nothing was changed. Update Promptster, then run the same command again."
            assert "Later words" not in refused.stdout + refused.stderr
        assert not list(invited.state.glob("sessions/*"))
        assert not invited.workspace.exists()
    sessions = acme.owner.result("sessions")["sessions"]
    assert not [session for session in sessions if {"Later text", assessment} & set(map(str, session.values()))]
