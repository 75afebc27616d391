"""Redeeming an invite: the request is durable before it is sent, repeated exactly, and deleted after a refusal."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.answering import Answer, Answering
from tests.helpers.inviting import NOW_MS, FixedClock, Inviting
from tests.helpers.older import first_version
from tests.helpers.recorders import HandClock

from promptster.config import Config
from promptster.errors import CollectorError, PromptsterError, SessionError
from promptster.protocol.consent import Consent, Redeem
from promptster.protocol.encoding import b64u_decode
from promptster.protocol.errors import SignatureError
from promptster.protocol.events.base import fields_of
from promptster.protocol.key_succession import first_key, next_key
from promptster.protocol.policy import make_policy
from promptster.protocol.sealing import open_box
from promptster.protocol.signing import Envelope, SigningKey, open_envelope
from promptster.recorder.start_events import opening
from promptster.secret_store import FileStore
from promptster.session.joining import redeeming as attempts
from promptster.session.joining.offer import fetch_offer
from promptster.session_folder.choices import Choices
from promptster.session_folder.collector_keys import trusted_keys
from promptster.session_folder.folder import BRIEF, SessionFacts, SessionState

if TYPE_CHECKING:
    from promptster.session.joining.offer import Offer


@pytest.fixture
def inviting() -> Inviting:
    """The collector's side."""
    return Inviting()


def opened(server: Answering, config: Config, inviting: Inviting, offer: Offer | None = None) -> attempts.Attempt:
    """An attempt whose request is on disk but not yet sent."""
    if offer is None:
        server.answer.body = inviting.offer()
        offer = fetch_offer(inviting.code.link(server.url), None, config, FixedClock())
    session = attempts.new_session_id()
    facts = SessionFacts(
        session=session,
        collector_url=server.url,
        organisation="Acme",
        title="Build a parser",
        workspace="/nowhere",
        created_ms=NOW_MS,
        secrets="file",
        upstreams={},
    )
    store = FileStore(config.paths.sessions / session / "secrets.json")
    agreement = attempts.Agreement(offer=offer, choices=Choices(ide=("claude",)), shown_ms=1, decided_ms=2)
    return attempts.open_attempt(agreement, facts, store, config)


def certify(server: Answering, inviting: Inviting, begun: attempts.Attempt, **changes: Any) -> None:
    """Let the collector answer with a certificate."""
    request = begun.folder.read_document(attempts.REQUEST)
    server.answer = Answer(body=inviting.certificate(request, **changes))


def test_the_request_binds_consent_and_content_key(server: Answering, config: Config, inviting: Inviting) -> None:
    """The request is signed with the session's own key; only the invite's sealing key opens the box."""
    begun = opened(server, config, inviting)
    request = json.loads(begun.folder.read_document(attempts.REQUEST))
    key = begun.secrets.signing_key.public_key
    consent = open_envelope(Consent, Envelope.from_json(request["consent"]), key)
    assert (consent.session_public_key, dict(consent.choices)) == (key, {"ide": "claude"})
    redeem = open_envelope(Redeem, Envelope.from_json(request["redeem"]), key)
    assert redeem.consent_sha256 == Envelope.from_json(request["consent"]).sha256
    assert open_box(b64u_decode(request["box"]), inviting.sealing.private_key) == begun.secrets.content_key


def test_everything_is_on_disk_before_anything_is_sent(server: Answering, config: Config, inviting: Inviting) -> None:
    """The same code finds the same attempt again, with the same secrets."""
    begun = opened(server, config, inviting)
    assert all(asked.method == "GET" for asked in server.asked)
    found = attempts.find_attempt(inviting.code, config)
    assert found is not None
    assert found.folder.path == begun.folder.path
    assert found.secrets == begun.secrets
    assert attempts.find_attempt(Inviting().code, config) is None


def test_the_same_bytes_are_sent_until_an_answer_comes(server: Answering, config: Config, inviting: Inviting) -> None:
    """Lost answers, a busy collector and a broken one leave the attempt unchanged."""
    begun = opened(server, config, inviting)
    for answer in (Answer(cut=True), Answer(status=503), Answer(status=429)):
        server.answer = answer
        with pytest.raises(CollectorError):
            attempts.redeem(begun, inviting.code, config, FixedClock())
        assert attempts.find_attempt(inviting.code, config) is not None
    certify(server, inviting, begun)
    certificate = attempts.redeem(begun, inviting.code, config, FixedClock())
    sent = [asked.body for asked in server.asked if asked.method == "POST"]
    assert len(sent) == 4
    assert len(set(sent)) == 1
    assert begun.folder.facts().record_until == certificate.record_until == NOW_MS + 10_000
    assert begun.folder.facts().state is SessionState.PREPARING


def test_a_limit_that_only_a_newer_version_knows_stops_before_anything_is_recorded(
    server: Answering, config: Config, inviting: Inviting
) -> None:
    """The limit may change how to record. The consent is kept, and a newer version continues with the same bytes."""
    begun = opened(server, config, inviting)
    certify(server, inviting, begun, limits={"batch_bytes": 1, "lists": 1})
    for _ in range(2):
        with pytest.raises(SessionError) as caught:
            attempts.redeem(begun, inviting.code, config, FixedClock())
        assert caught.value.code == "newer_version"
        assert caught.value.hint == "Your consent is kept. Update Promptster, then run the same command again."
        assert not begun.certified
        assert attempts.find_attempt(inviting.code, config) is not None
    certify(server, inviting, begun, limits={"batch_bytes": 1, "log": 1})  # as if an update knew the limit
    attempts.redeem(begun, inviting.code, config, FixedClock())
    assert begun.certified
    assert len({asked.body for asked in server.asked if asked.method == "POST"}) == 1


@pytest.mark.parametrize("version", [1, 2])
def test_the_tasks_text_is_kept_for_the_opening(
    server: Answering, config: Config, inviting: Inviting, version: int
) -> None:
    """The text is kept if the policy announces it; under version 1 nobody agreed to record it."""
    if version == 1:
        inviting.policy = first_version(inviting.policy)
    task = {"title": "Build a parser", "repository": None, "time_limit_minutes": 0, "brief": "Add a limiter.\n"}
    server.answer.body = inviting.offer(assessment=task)
    offer = fetch_offer(inviting.code.link(server.url), None, config, FixedClock())
    begun = opened(server, config, inviting, offer=offer)
    assert begun.folder.has_document(BRIEF) == (version == 2)
    certify(server, inviting, begun)
    attempts.redeem(begun, inviting.code, config, FixedClock())
    (first,) = (entry.event for entry in opening(begun.folder, consented=True) if entry.event.kind == "opened")
    brief = {name: value for name, value in fields_of(first).items() if name.startswith("brief")}
    sha256 = hashlib.sha256(b"Add a limiter.\n").hexdigest()
    assert brief == ({"brief": "Add a limiter.\n", "brief_sha256": sha256} if version == 2 else {})


def test_a_certificate_that_is_here_is_not_asked_for_again(
    server: Answering, config: Config, inviting: Inviting
) -> None:
    """After a crash with the certificate on disk, no collector is needed."""
    begun = opened(server, config, inviting)
    certify(server, inviting, begun)
    first = attempts.redeem(begun, inviting.code, config, FixedClock())
    server.answer = Answer(cut=True)
    assert attempts.redeem(begun, inviting.code, config, FixedClock()) == first


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422])
def test_a_final_refusal_leaves_nothing(server: Answering, config: Config, inviting: Inviting, status: int) -> None:
    """Keys, folder and pointer are deleted, and the collector's own message is shown."""
    begun = opened(server, config, inviting)
    body = json.dumps({"detail": "this invite was used", "code": "invite_used", "hint": "ask for another"}).encode()
    server.answer = Answer(status=status, body=body)
    with pytest.raises(CollectorError) as caught:
        attempts.redeem(begun, inviting.code, config, FixedClock())
    assert (caught.value.code, caught.value.hint) == ("invite_used", "ask for another")
    assert not begun.folder.path.exists()
    assert attempts.find_attempt(inviting.code, config) is None
    assert [path for path in config.paths.state.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"session": "A" * 22},
        {"session_public_key": SigningKey(bytes(32)).public_key},
        {"organisation": "Evil"},
        {"invite_id": "A" * 22},
        {"policy_sha256": "0" * 64},
        {"consent_sha256": bytes(32)},
        {"signer": SigningKey(bytes(range(32)))},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_certificate_about_something_else_is_not_believed(
    server: Answering, config: Config, inviting: Inviting, changes: dict[str, Any]
) -> None:
    """A certificate for another session, key, policy, consent or signer starts nothing, and a retry is possible."""
    begun = opened(server, config, inviting)
    certify(server, inviting, begun, **changes)
    with pytest.raises(PromptsterError) as caught:
        attempts.redeem(begun, inviting.code, config, FixedClock())
    assert caught.value.code in {"certificate_mismatch", "certificate_signer"}
    assert not begun.certified
    certify(server, inviting, begun)
    assert attempts.redeem(begun, inviting.code, config, FixedClock()).session == begun.folder.facts().session


@pytest.mark.parametrize("status", [302, 403, 404])
def test_a_refusal_by_a_stranger_changes_nothing(
    server: Answering, config: Config, inviting: Inviting, status: int
) -> None:
    """A gateway's own error page says nothing about the collector, which may have redeemed the invite already."""
    begun = opened(server, config, inviting)
    server.answer = Answer(status=status, body=b"<html>please sign in to this network</html>")
    with pytest.raises(CollectorError):
        attempts.redeem(begun, inviting.code, config, FixedClock())
    certify(server, inviting, begun)
    assert attempts.redeem(begun, inviting.code, config, FixedClock()).session == begun.folder.facts().session


def test_a_key_in_front_of_the_invites_certifies_nothing(server: Answering, config: Config, inviting: Inviting) -> None:
    """A certificate signed by a key before the invite's, lost or forged, is not believed."""
    older = SigningKey.generate(os.urandom)
    inviting.keys[:] = [first_key(older, created_ms=1), next_key(older, inviting.key.public_key, created_ms=2)]
    begun = opened(server, config, inviting)
    certify(server, inviting, begun, signer=older)
    with pytest.raises(PromptsterError) as caught:
        attempts.redeem(begun, inviting.code, config, FixedClock())
    assert caught.value.code == "certificate_signer"
    assert not begun.certified
    with pytest.raises(SignatureError):
        trusted_keys(begun.folder).find(older.kid)


def test_a_successor_of_the_invites_key_certifies(server: Answering, config: Config, inviting: Inviting) -> None:
    """A certificate is believed if the collector moved to a new key after the policy was read."""
    begun = opened(server, config, inviting)
    newer = inviting.rotate()
    certify(server, inviting, begun, signer=newer)
    assert attempts.redeem(begun, inviting.code, config, FixedClock()).kid == newer.kid
    assert trusted_keys(begun.folder).find(newer.kid) == newer.public_key


def test_other_keys_than_at_the_consent_are_refused(server: Answering, config: Config, inviting: Inviting) -> None:
    """Another successor than the one shown at consent means that someone else has the invite's key."""
    one = inviting.rotate()
    begun = opened(server, config, inviting)
    inviting.keys.pop()
    other = inviting.rotate()
    assert one.kid != other.kid
    certify(server, inviting, begun)
    with pytest.raises(PromptsterError) as caught:
        attempts.redeem(begun, inviting.code, config, FixedClock())
    assert caught.value.code == "collector_keys_changed"
    assert not begun.certified


def test_a_session_id_never_looks_like_an_option() -> None:
    """A session id can be pasted after any command without being read as an option."""
    assert all(not attempts.new_session_id().startswith("-") for _ in range(500))


@pytest.mark.parametrize(
    ("minutes", "certified", "kept"),
    [
        (90, NOW_MS + 90 * 60_000, NOW_MS + 90 * 60_000),
        (90, NOW_MS + 60_000, NOW_MS + 60_000),
        (90, NOW_MS + 10 * 24 * 60 * 60_000, NOW_MS + 90 * 60_000),
        (90, 0, NOW_MS + 90 * 60_000),
        (0, NOW_MS + 10 * 24 * 60 * 60_000, NOW_MS + 10 * 24 * 60 * 60_000),
    ],
)
def test_no_certificate_gives_more_time_than_was_agreed_to(
    server: Answering, config: Config, minutes: int, certified: int, kept: int
) -> None:
    """The text names the minutes; when the same start is run again, they still count from the first time."""
    policy = make_policy(organisation="Acme", title="Build a parser", providers={}, time_limit_minutes=minutes)
    inviting = Inviting(policy=policy)
    begun = opened(server, config, inviting)
    certify(server, inviting, begun, record_until=certified)
    clock = HandClock(wall=NOW_MS)
    for _ in range(2):
        attempts.redeem(begun, inviting.code, config, clock)
        clock.pass_by(60 * 60_000)
        assert begun.folder.facts().record_until == kept
