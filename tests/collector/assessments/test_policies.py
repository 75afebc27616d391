"""Policies as the collector makes and offers them: of version 2, to programs that can read it; older ones stay."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.candidate import Candidate, bearer, new_assessment, new_invite, secret_header
from tests.helpers.collector import run_command
from tests.helpers.older import make_older
from tests.helpers.site import running_site

from promptster.protocol.agents import IDS
from promptster.protocol.consent import Certificate
from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.policy import NEWEST, POLICY_HEADER, Policy, PolicyV2, policy_sha256, require_own_text
from promptster.protocol.verification import verify_bundle
from promptster_collector.assessments.backup_terms import require_policies_kept
from promptster_collector.assessments.policies import PolicySettings, policy_bytes
from promptster_collector.errors import InvalidError, OptionError
from promptster_collector.settings import DAY_MS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.site import Site, Template


def candidate_of(site: Site, *, older: bool = False, **settings: Any) -> Candidate:
    """A person with an invite."""
    assessment = new_assessment(site.client, site.token, **settings)
    if older:
        make_older(site.store, assessment)
    return Candidate(new_invite(site.client, site.token, assessment))


def ask(site: Site, candidate: Candidate, reads: str | None) -> Any:
    """Ask for the invite as a program that reads policies up to this version."""
    headers = list(bearer(b64u_encode(candidate.code.secret)).items())
    sent = [(name.encode(), value.encode()) for name, value in headers]
    if reads is not None:
        sent.append((POLICY_HEADER.encode(), reads.encode("latin-1")))
    return site.client.get(f"/v1/invites/{candidate.code.invite_id}", headers=sent)


def offered(site: Site, candidate: Candidate) -> Policy:
    """The policy that is offered."""
    return Policy.parse(b64u_decode(ask(site, candidate, str(NEWEST)).json()["policy"]))


def bundle_of(site: Site, candidate: Candidate) -> bytes:
    """The bundle of a whole session."""
    candidate.redeem_at(site.client)
    for wire in (candidate.say("hello"), candidate.close()):
        assert candidate.put(site.client, candidate.batches.index(wire)).status_code == 200
    site.drain()
    path = f"/v1/sessions/{candidate.session}/bundle"
    answer = site.client.get(path, headers=bearer(candidate.access_token))
    assert answer.status_code == 200, answer.text
    return answer.content


def test_a_new_assessment_has_a_policy_of_the_newest_version(site: Site) -> None:
    """It is rendered from its own settings, with all agents, consent as its basis, and the organisation to write to."""
    policy = offered(site, candidate_of(site))
    assert isinstance(policy, PolicyV2)
    require_own_text(policy)
    assert (policy.agents, policy.models) == (tuple(sorted(IDS)), ())
    assert (policy.contact, policy.alternative, policy.legal_basis) == ("Acme", None, "your consent")
    assert (policy.at_limit, policy.key_backup_days) == ("stop", None)
    assert policy.reader_scopes == policy.reader_systems == ()


def test_what_the_team_states_is_in_the_policy_and_in_the_answer(site: Site) -> None:
    """The team's text is used word for word except for the full stop, which the sentence has already."""
    stated: dict[str, Any] = {
        "agents": ["codex", "claude"],
        "contact": " hiring@acme.example ",
        "alternative": "a pairing session.",
        "legal_basis": "your consent (GDPR, Article 6)",
    }
    policy = offered(site, candidate_of(site, **stated))
    assert isinstance(policy, PolicyV2)
    require_own_text(policy)
    assert "If you refuse, Acme offers a pairing session instead.\n" in policy.text
    assert "write to hiring@acme.example." in policy.text
    (entry,) = site.client.get("/v1/assessments", headers=bearer(site.token)).json()["assessments"]
    shown = {name: entry[name] for name in ("policy_version", *stated)}
    assert shown == {
        "policy_version": 2,
        "agents": ["claude", "codex"],
        "contact": "hiring@acme.example",
        "alternative": "a pairing session",
        "legal_basis": "your consent (GDPR, Article 6)",
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"agents": []}, "agents"),
        ({"agents": ["claude", "nobodys-agent"]}, "agents"),
        ({"contact": " "}, "contact"),
        ({"contact": "a\nb"}, "contact"),
        ({"alternative": "..."}, "alternative"),
        ({"legal_basis": "x" * 201}, "legal_basis"),
        ({"legal_basis": "a\u202eb"}, "legal_basis"),
        ({"contact": "a " * 99, "alternative": "b " * 99}, "title"),
    ],
)
def test_what_cannot_stand_in_a_policy_is_refused(site: Site, body: dict[str, Any], code: str) -> None:
    """The refusal names the field, and no assessment is made."""
    answer = site.client.post("/v1/assessments", headers=bearer(site.token), json={"title": "x", **body})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert ("600 words at most" in answer.json()["detail"]) == (code == "title")
    assert site.client.get("/v1/assessments", headers=bearer(site.token)).json()["assessments"] == []


def test_what_the_operator_states_about_backups_is_in_the_policy() -> None:
    """If the operator states nothing, the policy says nothing about backups."""
    settings = PolicySettings(organisation="Acme", title="x", retention_days=30, time_limit_minutes=0)
    silent = Policy.parse(policy_bytes(settings))
    stated = Policy.parse(policy_bytes(replace(settings, key_backup_days=7)))
    assert isinstance(stated, PolicyV2)
    assert stated.key_backup_days == 7
    assert "at most 7 days later their backups" in stated.text
    assert "later their backups" not in silent.text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"title": " ".join("a" * 200)}, "the policy's text would be too long (600 words at most)"),
        ({"retention_days": -1}, "the policy cannot be written"),
    ],
)
def test_a_policy_that_cannot_be_written_says_why(changes: dict[str, Any], told: str) -> None:
    """Only a text that is too long is called that."""
    settings = PolicySettings(organisation="Acme", title="x", retention_days=30, time_limit_minutes=0)
    with pytest.raises(InvalidError) as caught:
        policy_bytes(replace(settings, **changes))
    assert (caught.value.message, caught.value.code) == (told, "title")
    assert caught.value.hint


def test_days_are_not_raised_over_what_somebody_was_told(template: Template, data: Path) -> None:
    """Days cannot be raised or removed while a session or an open invite has a policy with fewer."""
    with running_site(data, template.token, key_backup_days=3) as site:
        old = new_assessment(site.client, site.token)
        invited = Candidate(new_invite(site.client, site.token, old))
    for word in ("7", "none"):
        done = run_command("serve", "--data", data, "--port", "0", f"--key-backup-days={word}", "--json")
        error = json.loads(done.stdout)["error"]
        assert (done.returncode, error["code"]) == (2, "key_backups_promised")
        assert error["message"] == "candidates were told that backups of their keys last at most 3 days"
    with running_site(data, template.token, key_backup_days=3) as site:
        for fewer in (3, 0):
            require_policies_kept(site.store, fewer, now_ms=site.clock.ms)
        invited.redeem_at(site.client)
        site.clock.pass_ms(30 * DAY_MS)
        with pytest.raises(OptionError):
            require_policies_kept(site.store, 7, now_ms=site.clock.ms)
        path = f"/v1/sessions/{invited.session}/withdraw"
        assert site.client.post(path, json=invited.withdrawal()).status_code == 200
        require_policies_kept(site.store, 7, now_ms=site.clock.ms)
    with running_site(data, template.token, key_backup_days=7) as site:
        path = f"/v1/assessments/{old}/invites"
        body = {"name": "Eve", "email": "eve@example.com"}
        answer = site.client.post(path, headers=bearer(site.token), json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "policy_not_kept")
        new_invite(site.client, site.token, new_assessment(site.client, site.token))


@pytest.mark.parametrize("reads", [None, "1", "0", "", "-2", "two", "2.0", "\xb2", "9" * 40])
def test_a_program_that_is_too_old_is_told_so_before_it_is_shown_anything(site: Site, reads: str | None) -> None:
    """Version 0.1 did not say what it reads. It is refused, and the invite stays unchanged."""
    candidate = candidate_of(site)
    answer = ask(site, candidate, reads)
    assert answer.status_code == 426
    assert answer.headers["upgrade"] == "promptster-policy/2"
    problem = answer.json()
    assert (problem["code"], problem["title"]) == ("newer_version", "Upgrade required")
    assert problem["detail"] == "this invite needs a newer version of Promptster"
    assert problem["hint"] == "Nothing was changed. Update Promptster, then run the same command again."
    assert "policy" not in problem
    candidate.redeem_at(site.client)


def test_who_does_not_hold_the_secret_learns_nothing_from_being_old(site: Site) -> None:
    """The refusal comes after those that do not depend on the policy."""
    candidate, stranger = candidate_of(site), candidate_of(site)
    headers = bearer(b64u_encode(stranger.code.secret))
    assert site.client.get(f"/v1/invites/{candidate.code.invite_id}", headers=headers).status_code == 404
    candidate.redeem_at(site.client)
    assert ask(site, candidate, None).json()["code"] == "invite_used"


@pytest.mark.parametrize("reads", [None, "1", "2", "3"])
def test_an_invite_to_an_older_assessment_is_offered_to_every_program(site: Site, reads: str | None) -> None:
    """The policy was fixed with the assessment; an upgrade of the collector changes no byte of it."""
    candidate = candidate_of(site, older=True)
    answer = ask(site, candidate, reads)
    assert answer.status_code == 200
    policy = Policy.parse(b64u_decode(answer.json()["policy"]))
    assert type(policy) is Policy
    require_own_text(policy)
    (entry,) = site.client.get("/v1/assessments", headers=bearer(site.token)).json()["assessments"]
    assert (entry["policy_version"], entry["agents"], entry["contact"]) == (1, None, None)


def test_an_invite_that_was_opened_before_an_upgrade_is_redeemed_after_it(template: Template, data: Path) -> None:
    """What was shown is what is certified; the session's bundle has the form that older readers know."""
    with running_site(data, template.token) as site:
        candidate = candidate_of(site, older=True)
        before = ask(site, candidate, None).json()
        request = candidate.consent_to(before)
    with running_site(data, template.token) as site:
        path = f"/v1/invites/{candidate.code.invite_id}/redeem"
        answer = site.client.post(path, headers=secret_header(candidate.code), json=request)
        assert answer.status_code == 200, answer.text
        certificate: Certificate = candidate.accept(answer.json())
        assert certificate.policy_sha256 == policy_sha256(b64u_decode(before["policy"]))
        assert certificate.unknown_limits == ()


@pytest.mark.parametrize(("older", "first"), [(True, "keys.json"), (False, "format.json")])
def test_a_bundle_says_its_format_where_the_policy_is_of_version_2(site: Site, *, older: bool, first: str) -> None:
    """Only these bundles say it: sessions of version 1 keep the bundles that they always had."""
    data = bundle_of(site, candidate_of(site, older=older))
    with zipfile.ZipFile(BytesIO(data)) as archive:
        names = archive.namelist()
        assert names[0] == first
        assert ("format.json" in names) == (not older)
        if not older:
            assert archive.read("format.json") == b'{"v":2}'
    assert verify_bundle(data, trusted=site.store.identity.succession.fingerprints).verdict == "verified"
