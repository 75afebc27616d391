"""Invites: shown to the holder of the secret, redeemed once, by one key."""

from __future__ import annotations

import os
from typing import Any

import pytest
from sqlalchemy import select
from tests.helpers.candidate import Candidate, bearer, new_assessment, new_invite, secret_header, started
from tests.helpers.site import Site

from promptster.protocol.consent import Certificate
from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.invite import Invite
from promptster.protocol.policy import Policy, policy_sha256
from promptster.protocol.signing import Envelope, SigningKey, kid, open_envelope
from promptster_collector.invites.redemption import finish_interrupted
from promptster_collector.settings import HOUR_MS
from promptster_collector.store.keys.keystore import KeyDestroyedError
from promptster_collector.store.keys.names import sealing_key, session_key
from promptster_collector.store.schema import Alarm, Session
from promptster_collector.store.schema import Invite as InviteRow


def invited(site: Site, **settings: Any) -> Candidate:
    """A candidate who has not redeemed yet."""
    return Candidate(new_invite(site.client, site.token, new_assessment(site.client, site.token, **settings)))


def redeem(site: Site, candidate: Candidate, body: Any) -> Any:
    """Send one redemption."""
    path = f"/v1/invites/{candidate.code.invite_id}/redeem"
    return site.client.post(path, headers=secret_header(candidate.code), json=body)


def offer(site: Site, candidate: Candidate) -> dict[str, Any]:
    """The invite as the collector shows it."""
    path = f"/v1/invites/{candidate.code.invite_id}"
    document: dict[str, Any] = site.client.get(path, headers=secret_header(candidate.code)).json()
    return document


def test_the_offer_is_signed_under_the_pinned_key(site: Site) -> None:
    """Invite, policy and keys belong together, and to the link's pin."""
    candidate = invited(site, time_limit_minutes=90, retention_days=7, repository="https://git.example/task.git")
    shown = offer(site, candidate)
    public_key = site.store.identity.signer.public_key
    assert kid(public_key) == candidate.code.pin
    invite = open_envelope(Invite, Envelope.from_json(shown["invite"]), public_key)
    data = b64u_decode(shown["policy"])
    policy = Policy.parse(data)
    assert invite.policy_sha256 == policy_sha256(data)
    assert (policy.retention_days, policy.time_limit_minutes, policy.readers) == (7, 90, ("owner", "reviewer"))
    assert shown["assessment"] == {
        "title": "Build a parser",
        "repository": "https://git.example/task.git",
        "time_limit_minutes": 90,
        "brief": None,
    }
    assert invite.expires - site.clock.ms == 72 * HOUR_MS


def test_the_link_names_the_public_url(site: Site) -> None:
    """Links lead to the address that the operator configured."""
    code = invited(site).code
    assert code.collector_url == "https://collector.example"


def test_a_wrong_secret_sees_nothing(site: Site) -> None:
    """Without the right secret the invite does not exist."""
    candidate = invited(site)
    path = f"/v1/invites/{candidate.code.invite_id}"
    for secret in (b64u_encode(os.urandom(32)), "", "not base64!", "a" * 5000):
        answer = site.client.get(path, headers=bearer(secret))
        assert answer.status_code in {401, 404}


def test_the_certificate_names_the_times(site: Site) -> None:
    """Recording ends with the time limit, uploading 72 hours later."""
    candidate = invited(site, time_limit_minutes=90)
    certificate = candidate.redeem_at(site.client)
    assert certificate.record_until == site.clock.ms + 90 * 60_000
    assert certificate.upload_until == certificate.record_until + 72 * HOUR_MS
    assert certificate.session_public_key == candidate.key.public_key
    assert candidate.certificate is not None
    open_envelope(Certificate, candidate.certificate, site.store.identity.signer.public_key)


def test_without_a_time_limit_a_day_can_be_recorded(site: Site) -> None:
    """No limit of the assessment means 24 hours."""
    certificate = invited(site).redeem_at(site.client)
    assert certificate.record_until == site.clock.ms + 24 * HOUR_MS


def test_the_same_request_gets_the_same_certificate(site: Site) -> None:
    """A lost answer can be requested again, byte for byte, even after the invite has expired."""
    candidate = invited(site)
    body = candidate.consent_to(offer(site, candidate))
    first = redeem(site, candidate, body)
    site.clock.pass_ms(100 * HOUR_MS)
    again = redeem(site, candidate, body)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.content == again.content


def test_looking_at_a_used_invite_is_an_alarm(site: Site) -> None:
    """Clients read an invite before they redeem it, so a second reader is noticed."""
    candidate = invited(site)
    assert redeem(site, candidate, candidate.consent_to(offer(site, candidate))).status_code == 200
    assert site.rows(select(Alarm.kind)) == []
    shown = site.client.get(f"/v1/invites/{candidate.code.invite_id}", headers=secret_header(candidate.code))
    assert (shown.status_code, shown.json()["code"]) == (409, "invite_used")
    alarms = site.rows(select(Alarm.kind, Alarm.invite))
    assert [tuple(alarm) for alarm in alarms] == [("invite_reused", candidate.code.invite_id)]


def test_another_key_on_a_used_invite_is_an_alarm(site: Site) -> None:
    """The second key gets 409, and a row records it."""
    candidate = invited(site)
    shown = offer(site, candidate)
    assert redeem(site, candidate, candidate.consent_to(shown)).status_code == 200
    thief = Candidate(candidate.code)
    answer = redeem(site, candidate, thief.consent_to(shown))
    assert (answer.status_code, answer.json()["code"]) == (409, "invite_used")
    alarms = site.rows(select(Alarm.kind, Alarm.invite))
    assert [tuple(alarm) for alarm in alarms] == [("invite_reused", candidate.code.invite_id)]
    for _ in range(20):
        assert redeem(site, candidate, thief.consent_to(shown)).status_code == 409
    assert len(site.rows(select(Alarm.id))) < 10, "whoever holds the code could fill the database"
    shown_again = site.client.get(f"/v1/invites/{candidate.code.invite_id}", headers=secret_header(candidate.code))
    assert (shown_again.status_code, shown_again.json()["code"]) == (409, "invite_used")


def test_an_expired_invite_is_gone(site: Site) -> None:
    """After 72 hours neither policy nor certificate is available, and the sealing key is destroyed."""
    candidate = invited(site)
    body = candidate.consent_to(offer(site, candidate))
    site.clock.pass_ms(72 * HOUR_MS)
    assert redeem(site, candidate, body).json()["code"] == "invite_expired"
    path = f"/v1/invites/{candidate.code.invite_id}"
    assert site.client.get(path, headers=secret_header(candidate.code)).json()["code"] == "invite_expired"
    assert len(site.store.keys.sealing_key_ids()) == 1
    site.drain()
    assert site.store.keys.sealing_key_ids() == []


def test_sealing_key_and_box_are_gone_after_redemption(site: Site) -> None:
    """The key that could open the box is destroyed, and the box is not stored."""
    candidate = invited(site)
    body = candidate.consent_to(offer(site, candidate))
    assert redeem(site, candidate, body).status_code == 200
    row = site.rows(select(InviteRow))[0]
    with pytest.raises(KeyDestroyedError):
        site.store.keys.get(sealing_key(row.organisation, row.sealing_key_id))
    box = b64u_decode(body["box"])
    for path in site.data.rglob("*"):
        assert not path.is_file() or box not in path.read_bytes()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"organisation": "Bolt"}, "consent_organisation"),
        ({"invite": "AAAAAAAAAAAAAAAAAAAAAA"}, "consent_invite"),
        ({"policy_sha256": "0" * 64}, "consent_policy"),
        ({"sealing_key_id": "AAAAAAAAAAAAAAAAAAAAAA"}, "consent_sealing_key"),
        ({"session_public_key": SigningKey(bytes(32)).public_key}, "signature_mismatch"),
    ],
)
def test_parts_must_belong_together(site: Site, changes: dict[str, Any], code: str) -> None:
    """A consent to something else is refused, and the invite stays unused."""
    candidate = invited(site)
    shown = offer(site, candidate)
    answer = redeem(site, candidate, candidate.consent_to(shown, **changes))
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert redeem(site, candidate, candidate.consent_to(shown)).status_code == 200


def test_swapped_boxes_and_consents_are_refused(site: Site) -> None:
    """Redemption binds box and consent by hash and signature."""
    candidate = invited(site)
    shown = offer(site, candidate)
    first, second = dict(candidate.consent_to(shown)), dict(candidate.consent_to(shown, locale="de"))
    assert redeem(site, candidate, first | {"box": second["box"]}).json()["code"] == "redeem_box"
    assert redeem(site, candidate, first | {"consent": second["consent"]}).json()["code"] == "redeem_consent"
    assert redeem(site, candidate, first | {"redeem": first["consent"]}).json()["code"] == "signature_mismatch"
    assert redeem(site, candidate, first | {"box": b64u_encode(bytes(80))}).json()["code"] == "redeem_box"


def test_a_session_name_cannot_be_taken_twice(site: Site) -> None:
    """Nobody can redeem into another session, or find out with an invite whether a session exists.

    The answer equals, in every byte, that of an invite that someone else has used, and so does every later answer.
    """
    victim = started(site.client, site.token)
    used = started(site.client, site.token, email="used@example.com")
    ordinary = redeem(site, used, Candidate(used.code).consent_to(offer(site, invited(site))))
    thief = invited(site)
    shown = offer(site, thief)
    thief.session = victim.session
    answer = redeem(site, thief, thief.consent_to(shown))
    assert (answer.status_code, answer.json()["code"]) == (409, "invite_used")
    assert (answer.content, dict(answer.headers)) == (ordinary.content, dict(ordinary.headers))
    again = redeem(site, thief, Candidate(thief.code).consent_to(shown))
    assert again.content == answer.content, "another name would show what was wrong with the first"
    row = site.rows(select(InviteRow).where(InviteRow.id == thief.code.invite_id))[0]
    with pytest.raises(KeyDestroyedError):
        site.store.keys.get(sealing_key(row.organisation, row.sealing_key_id))
    victim.say("still mine")
    assert victim.put(site.client, 0).status_code == 200


def test_the_access_token_is_stored_hashed(site: Site) -> None:
    """The candidate's token opens its session and is in no file."""
    candidate = started(site.client, site.token)
    path = f"/v1/sessions/{candidate.session}/head"
    assert site.client.get(path, headers=bearer(candidate.access_token)).status_code == 200
    assert len(site.rows(select(Session.access_sha256))[0][0]) == 32
    for file in site.data.rglob("*"):
        assert not file.is_file() or candidate.access_token.encode() not in file.read_bytes()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "", "email": "a@b.example"}, "name"),
        ({"name": "A\x1b[2J", "email": "a@b.example"}, "name"),
        ({"name": "A", "email": "nobody"}, "email"),
        ({"name": "A"}, "invalid_request"),
    ],
)
def test_odd_invitations_are_refused(site: Site, body: dict[str, Any], code: str) -> None:
    """Invalid names and addresses are refused."""
    path = f"/v1/assessments/{new_assessment(site.client, site.token)}/invites"
    assert site.client.post(path, headers=bearer(site.token), json=body).json()["code"] == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"title": " "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "ok", "retention_days": 181}, "retention"),
        ({"title": "ok", "time_limit_minutes": -1}, "time_limit"),
        ({"title": "ok", "time_limit_minutes": 7 * 24 * 60 + 1}, "time_limit"),
        ({"title": "ok", "repository": "a\nb"}, "repository"),
        ({"title": "ok", "repository": "a" * 2001}, "repository"),
    ],
)
def test_odd_assessments_are_refused(site: Site, body: dict[str, Any], code: str) -> None:
    """Settings outside the product's rules are refused with their code."""
    assert site.client.post("/v1/assessments", headers=bearer(site.token), json=body).json()["code"] == code


def test_assessments_are_listed(site: Site) -> None:
    """Assessments are listed in the order of their creation, with the policy's name."""
    first = new_assessment(site.client, site.token, title="One")
    second = new_assessment(site.client, site.token, title="Two", repository="/srv/task")
    listed = site.client.get("/v1/assessments", headers=bearer(site.token)).json()["assessments"]
    assert {entry["id"] for entry in listed} == {first, second}
    assert {entry["title"]: entry["repository"] for entry in listed} == {"One": None, "Two": "/srv/task"}
    assert all(len(entry["policy_sha256"]) == 64 for entry in listed)


def test_one_person_is_one_row(site: Site) -> None:
    """Two spellings of one address are one person to the organisation, found by the blind index alone."""
    assessment = new_assessment(site.client, site.token)
    new_invite(site.client, site.token, assessment, email="Cara@Example.com")
    new_invite(site.client, site.token, assessment, email="cara@example.COM ", name="Cara C.")
    assert len({row.person for row in site.rows(select(InviteRow.person))}) == 1


def test_a_crash_before_the_session_was_stored_is_undone(site: Site) -> None:
    """Keys of a redemption that never reached the database are destroyed at the next start; the invite stays valid."""
    candidate = invited(site)
    organisation = site.rows(select(InviteRow.organisation))[0].organisation
    keys = {session_key(organisation, candidate.session): bytes(32)}
    site.store.keys.put(keys, created_ms=1, pending=True)
    finish_interrupted(site.store)
    with pytest.raises(KeyDestroyedError):
        site.store.keys.get(session_key(organisation, candidate.session))
    assert candidate.redeem_at(site.client).session == candidate.session


def test_a_crash_after_the_session_was_stored_is_finished(site: Site) -> None:
    """The remaining steps are done at the next start: keys confirmed, sealing pair destroyed."""
    candidate = started(site.client, site.token)
    row = site.rows(select(InviteRow))[0]
    key = site.store.keys.get(session_key(row.organisation, candidate.session))
    site.store.keys.put({session_key(row.organisation, candidate.session): key}, created_ms=1, pending=True)
    site.store.keys.put({sealing_key(row.organisation, row.sealing_key_id): bytes(32)}, created_ms=1)
    finish_interrupted(site.store)
    assert site.store.keys.pending() == []
    assert site.store.keys.sealing_key_ids() == []
    candidate.say("goes on")
    assert candidate.put(site.client, 0).status_code == 200
