"""A provider at an unusual address needs a separate yes, and the record says where calls went."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.hiring import NOWHERE, UPSTREAMS
from tests.helpers.older import exchange_policy_in
from tests.helpers.people import BIN, Person
from tests.helpers.practice_agent import install
from tests.helpers.servers import scripted_provider
from tests.helpers.terminal import Terminal

from promptster.protocol.consent import Consent
from promptster.protocol.policy import Policy, PolicyV2, render_text
from promptster.protocol.signing import Envelope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.helpers.hiring import Hiring, Invited

AWAY = "https://llm.acme.example/v1"
USUAL = "https://api.anthropic.com"
QUESTION = r"Send them there\? \(yes/no\) "
CONSENT = "Type agree to start, read for the full policy, or leave: "
OTHERS = UPSTREAMS[2:]
"""No real provider is reached; only where the policy sends Claude's traffic is left open."""


def _with(**providers: str) -> Callable[[Policy], Policy]:
    """The assessment's policy, honestly rendered, with providers elsewhere."""

    def change(policy: Policy) -> Policy:
        changed = replace(policy, providers={**policy.providers, **providers})
        assert isinstance(changed, PolicyV2)
        return replace(changed, text=render_text(changed))

    return change


@pytest.fixture
def away(acme: Hiring, person_name: str) -> Iterator[Invited]:
    """A candidate whose invite sends Claude's traffic to a host of the team."""
    assessment = acme.assessment(person_name)
    exchange_policy_in(acme.running.data, assessment, _with(anthropic=AWAY))
    with acme.invited(person_name, assessment=assessment) as invited:
        yield invited


def _words(invited: Invited, *more: str) -> tuple[str, ...]:
    base = ("start", invited.link, "--workspace", str(invited.workspace), "--secrets", "file")
    return (*base, *OTHERS, *more)


def _at_a_terminal(invited: Invited, *more: str) -> Terminal:
    words = [str(BIN / "promptster"), *_words(invited, *more)]
    return Terminal(words, environ=invited.person.environment(), cwd=invited.folder)


def _refused(invited: Invited, *more: str) -> tuple[int, dict[str, Any]]:
    answer = invited.person.call(*_words(invited, *more, "--json"))
    assert not list(invited.state.glob("sessions/*"))
    assert not invited.workspace.exists()
    return answer.code, answer.document["error"]


def test_the_policys_hash_is_no_yes_to_an_unusual_address(away: Invited) -> None:
    """Without a terminal the address must be given exactly as it is offered; nothing is changed before that."""
    accept = ("--accept-policy", away.policy_hash())
    code, error = _refused(away, *accept)
    assert (code, error["code"]) == (5, "provider_consent_needed")
    assert error["hint"].endswith(f"--accept-provider {AWAY}")
    for other in ("https://llm.acme.example", f"{AWAY}/", USUAL):
        code, error = _refused(away, *accept, "--accept-provider", other)
        assert (code, error["code"]) == (1, "provider_address")
        assert AWAY in error["hint"]
    code, error = _refused(away, *accept, "--accept-provider", AWAY, "--accept-provider", USUAL)
    assert (code, error["code"]) == (1, "provider_address")


def test_an_accepted_address_is_in_consent_and_record(away: Invited) -> None:
    """The signed consent names the provider, and a capture gap says where its traffic goes, in the replay too."""
    words = _words(away, "--accept-policy", away.policy_hash(), "--accept-provider", AWAY)
    assert away.person.call(*words, "--json").code == 0
    consent = Consent.parse(Envelope.decode(away.session.read_document("consent.json")).payload)
    assert consent.choices == {"accept_provider": "anthropic"}
    done = away.person.result("submit", "--yes")
    assert done
    gaps = away.person.result("verify", done["bundle"])["gaps"]
    (told,) = (gap["text"] for gap in gaps if AWAY in gap["text"])
    assert told == f"traffic for anthropic was sent to {AWAY} instead of the provider's own address"
    assert AWAY in away.person.call("replay", done["bundle"], "--all").stdout


def test_at_a_terminal_the_address_is_a_question_of_its_own(away: Invited) -> None:
    """The question follows the consent and shows the usual address; after a no, nothing is changed."""
    with _at_a_terminal(away) as screen:
        screen.wait_for(CONSENT)
        screen.type("agree")
        screen.wait_for(QUESTION)
        shown = screen.shown
        assert "Acme sends your agent's traffic, with your API key, to an unusual address:" in shown
        assert f"  anthropic  {AWAY}    usually {USUAL}" in shown.replace("\r", "")
        assert "Whoever runs it can read your prompts, answers and key." in shown
        screen.type("perhaps")
        screen.wait_for("Type yes or no: ")
        screen.type("no")
        assert screen.end() == 3
        assert "You did not agree. Nothing was changed and nothing was recorded." in screen.shown
    assert not list(away.state.glob("sessions/*"))
    assert not away.workspace.exists()
    with _at_a_terminal(away) as screen:
        screen.wait_for(CONSENT)
        screen.type("agree")
        screen.wait_for(QUESTION)
        screen.type("yes")
        screen.wait_for("Recording until ")
        assert screen.end() == 0


def test_an_address_accepted_on_the_command_line_is_not_asked_again(away: Invited) -> None:
    """An address that was accepted on the command line is not asked about at a terminal either."""
    with _at_a_terminal(away, "--accept-provider", AWAY) as screen:
        screen.wait_for(CONSENT)
        screen.type("agree")
        screen.wait_for("Recording until ")
        assert screen.end() == 0
        assert "unusual" not in screen.shown


def test_ctrl_c_at_the_question_leaves_nothing(away: Invited) -> None:
    """Ctrl-C at this question changes nothing, like Ctrl-C at the question before it."""
    with _at_a_terminal(away) as screen:
        screen.wait_for(CONSENT)
        screen.type("agree")
        screen.wait_for(QUESTION)
        screen.interrupt()
        assert screen.end() == 130
    assert not list(away.state.glob("sessions/*"))


def test_reading_the_policy_names_the_address_apart_from_its_text(away: Invited, acme: Hiring) -> None:
    """People see the address above the text, and programs find it under a key of its own."""
    shown = away.person.call("policy", away.link).stdout
    assert shown.index("to an unusual address") < shown.index("WHAT IS RECORDED")
    assert away.person.result("policy", away.link)["unusual_providers"] == {"anthropic": AWAY}
    with acme.invited("usual") as usual:
        assert "unusual" not in usual.person.call("policy", usual.link).stdout
        assert usual.person.result("policy", usual.link)["unusual_providers"] == {}


@pytest.mark.parametrize("url", ["http://llm.acme.example", "http://10.0.0.1:8080", "http://127.0.0.1.acme.example"])
def test_nothing_goes_beyond_this_computer_in_clear(acme: Hiring, person_name: str, url: str) -> None:
    """A plain http address beyond this computer is refused, whether it comes from the policy or the command line."""
    assessment = acme.assessment(person_name)
    exchange_policy_in(acme.running.data, assessment, _with(anthropic=url))
    with acme.invited(person_name, assessment=assessment) as invited:
        accept = ("--accept-policy", invited.policy_hash(), "--accept-provider", url)
        code, error = _refused(invited, *accept)
        assert (code, error["code"]) == (1, "plain_http")
        code, error = _refused(invited, *accept[:2], "--upstream", f"anthropic={url}")
        assert (code, error["code"]) == (2, "usage")


@pytest.mark.parametrize("url", ["https://user:pass@llm.example", "https://[::1", "https://api.anthr\u043epic.com"])
def test_an_address_that_cannot_be_used_is_refused_before_the_question(
    acme: Hiring, person_name: str, url: str
) -> None:
    """Addresses with passwords, malformed ones, and ones with letters that only look alike are refused."""
    assessment = acme.assessment(person_name)
    exchange_policy_in(acme.running.data, assessment, _with(anthropic=url))
    with acme.invited(person_name, assessment=assessment) as invited:
        code, error = _refused(invited, "--accept-policy", invited.policy_hash(), "--accept-provider", url)
        assert (code, error["code"]) == (1, "configuration")
        assert error["hint"] == "Nothing was changed. Tell Acme that its policy names this address."


def test_an_address_of_the_command_line_is_shown_at_consent(away: Invited) -> None:
    """It replaces the policy's address, so that one is not asked about; it is shown with the policy's hash, too."""
    upstream = ("--upstream", f"anthropic={NOWHERE}")
    words = (str(BIN / "promptster"), *_words(away, *upstream))
    with Terminal(words, environ=away.person.environment(), cwd=away.folder) as screen:
        screen.wait_for(CONSENT)
        before = screen.shown.replace("\r", "")
        assert "With --upstream, your agent's traffic goes to this computer instead:" in before
        assert f"  anthropic  {NOWHERE}    usually {USUAL}" in before
        screen.type("agree")
        screen.wait_for("Recording until ")
        assert screen.end() == 0
        assert "Send them there" not in screen.shown
    assert away.person.call("stop", "--yes").code == 0


def test_an_address_of_the_command_line_is_named_without_a_terminal_too(acme: Hiring, person_name: str) -> None:
    """The address is named on standard error, since standard output is for the script."""
    with acme.invited(person_name) as invited:
        answer = invited.person.call(*invited.start_words("--json"))
        assert answer.code == 0
        lines = answer.stderr.splitlines()
        assert f"  anthropic  {NOWHERE}    usually {USUAL}" in lines
        assert f"  openai     {NOWHERE}    usually https://api.openai.com/v1" in lines


def test_calls_go_where_the_candidate_said_yes_to(acme: Hiring, person_name: str, tmp_path: Path) -> None:
    """A provider on this computer is unusual, too; after the yes the agent works with it."""
    install(tmp_path)
    conversation = {"prompt": "hello", "turns": [{"text": "Hello from elsewhere."}]}
    with scripted_provider(tmp_path, {"conversations": [conversation]}) as url:
        assessment = acme.assessment(person_name)
        exchange_policy_in(acme.running.data, assessment, _with(anthropic=url))
        with acme.invited(person_name, assessment=assessment) as invited:
            extra = {"ANTHROPIC_API_KEY": "sk-ant-made-up"}
            person = Person(name="ada", home=invited.person.home, extra=extra, tools=tmp_path)
            words = _words(invited, "--accept-policy", invited.policy_hash(), "--accept-provider", url, "--json")
            started = person.call(*words)
            assert started.code == 0, started.stderr
            said = person.call("run", "claude", "-p", "hello", cwd=invited.workspace)
            assert "Hello from elsewhere." in said.stdout, said.stderr
