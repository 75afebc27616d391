"""Redeems an invite in attempts whose request is durable before it is sent.

If the answer is lost, the same bytes are sent again, and the collector answers with the same certificate. If the
collector refuses for good, the attempt is deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptster.client import CollectorClient, CollectorRefusedError
from promptster.durable import sync_folder, write_private
from promptster.errors import CollectorError, SessionError
from promptster.protocol.confirmation import confirmation_code
from promptster.protocol.consent import Certificate, Redeem
from promptster.protocol.documents import encode
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.policy import Policy, PolicyV2
from promptster.protocol.sealing import seal_box
from promptster.protocol.signing import Envelope
from promptster.secret_store import SessionSecrets, load_secrets, open_store, save_secrets
from promptster.session.allowed_agents import allowed_names
from promptster.session.current import CERTIFICATE
from promptster.session.joining.consent import check_certificate, make_consent
from promptster.session_folder.collector_keys import INVITE, KEYS, trusted_keys
from promptster.session_folder.folder import BRIEF, SessionFacts, SessionFolder

if TYPE_CHECKING:
    from pathlib import Path

    from promptster.clock import Clock
    from promptster.config import Config
    from promptster.network import Network
    from promptster.paths import Paths
    from promptster.protocol.invite import InviteCode
    from promptster.secret_store import SecretStore
    from promptster.session.joining.offer import Offer
    from promptster.session_folder.choices import Choices

POLICY = "policy.json"
CONSENT = "consent.json"
REQUEST = "request.json"
REPOSITORY = "repository.txt"
_WORTH_REPEATING = frozenset({408, 425, 429})
_SERVER_FAULT = 500
_MINUTE_MS = 60_000


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A session between consent and certificate."""

    folder: SessionFolder
    secrets: SessionSecrets

    @property
    def repository(self) -> str | None:
        """The repository that the assessment asks to clone, as it was offered."""
        return self.folder.read_document(REPOSITORY).decode() if self.folder.has_document(REPOSITORY) else None

    @property
    def certified(self) -> bool:
        """Whether the collector's certificate was received."""
        return self.folder.has_document(CERTIFICATE)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """What the candidate agreed to, and how."""

    offer: Offer
    choices: Choices
    shown_ms: int
    decided_ms: int


def find_attempt(code: InviteCode, config: Config) -> Attempt | None:
    """Return the unfinished attempt with this invite, or ``None``; it is unfinished until the baseline is recorded.

    Raises:
        SessionError: its keys were deleted.
    """
    pointer = _pointer(config.paths, code.invite_id)
    try:
        folder = SessionFolder(config.paths.sessions / pointer.read_text(encoding="ascii").strip())
        facts = folder.facts()
    except (FileNotFoundError, SessionError):
        return None
    if facts.state.ended or not folder.has_document(REQUEST):
        return None
    store = open_store(facts.secrets, folder.secrets_file)
    return Attempt(folder=folder, secrets=load_secrets(store, facts.session))


def new_session_id() -> str:
    """Return 16 random bytes as base64url, never with a leading dash, which would look like an option."""
    while (session := b64u_encode(os.urandom(16))).startswith("-"):
        pass
    return session


def open_attempt(agreement: Agreement, facts: SessionFacts, store: SecretStore, config: Config) -> Attempt:
    """Create keys, consent and request; all of them are durable when this returns."""
    offer = agreement.offer
    secrets = SessionSecrets.generate(facts.session)
    key = secrets.signing_key
    consent = key.sign(
        make_consent(
            offer,
            session=facts.session,
            session_public_key=key.public_key,
            choices=agreement.choices,
            shown_ms=agreement.shown_ms,
            decided_ms=agreement.decided_ms,
        )
    )
    box = seal_box(secrets.content_key, offer.invite.sealing_public_key)
    redeem = key.sign(Redeem(consent_sha256=consent.sha256, box_sha256=hashlib.sha256(box).digest()))
    folder = SessionFolder.create(config.paths, facts)
    save_secrets(store, facts.session, secrets)
    folder.write_document(INVITE, offer.invite_envelope.encode())
    folder.write_document(POLICY, offer.policy_bytes)
    folder.write_document(CONSENT, consent.encode())
    folder.write_document(KEYS, offer.keyfile)
    if offer.assessment.repository:
        folder.write_document(REPOSITORY, offer.assessment.repository.encode())
    if offer.assessment.brief and isinstance(offer.policy, PolicyV2):  # policies of version 1 do not mention it
        folder.write_document(BRIEF, offer.assessment.brief.encode())
    request = {"consent": consent.to_json(), "redeem": redeem.to_json(), "box": b64u_encode(box)}
    folder.write_document(REQUEST, encode(request))
    write_private(_pointer(config.paths, offer.code.invite_id), facts.session.encode() + b"\n")
    sync_folder(config.paths.sessions)
    return Attempt(folder=folder, secrets=secrets)


def redeem(attempt: Attempt, code: InviteCode, config: Config, clock: Clock) -> Certificate:
    """Exchange the invite for a certificate, and keep it.

    Recording ends when the certificate says so, but never later than the agreed minutes after the certificate arrived.

    Raises:
        CollectorError: no answer came (the attempt is kept), or the collector refused for good (it is deleted).
        SessionError: the answer does not belong to this consent.
        ProtocolError: the answer's signature is not valid.
    """
    folder = attempt.folder
    consent = Envelope.decode(folder.read_document(CONSENT))
    if not attempt.certified:
        envelope, keyfile = _send(attempt, code, config.network, config.paths)
        keys = trusted_keys(folder)
        if not keys.take_over(keyfile):
            raise SessionError(
                "the collector is presenting different keys than when you agreed",
                hint="Someone may be intercepting the connection. Ask the hiring team before you continue.",
                code="collector_keys_changed",
            )
        check_certificate(envelope, keys, consent)
        folder.write_document(CERTIFICATE, envelope.encode())
    certificate = check_certificate(Envelope.decode(folder.read_document(CERTIFICATE)), trusted_keys(folder), consent)
    kept = folder.facts().record_until  # of an earlier try: trying again adds no time
    folder.update(
        record_until=kept or _record_until(certificate, folder, clock.wall_ms()),
        upload_until=certificate.upload_until,
        code=confirmation_code(certificate.session_public_key),
        agents=allowed_names(folder),
    )
    return certificate


def _record_until(certificate: Certificate, folder: SessionFolder, now_ms: int) -> int:
    """Return when recording ends: the certificate's time, or the agreed policy's if that is earlier."""
    minutes = Policy.parse(folder.read_document(POLICY)).time_limit_minutes
    if not minutes:
        return certificate.record_until
    agreed = now_ms + minutes * _MINUTE_MS
    return min(certificate.record_until or agreed, agreed)


def _send(attempt: Attempt, code: InviteCode, network: Network, paths: Paths) -> tuple[Envelope, bytes]:
    url = attempt.folder.facts().collector_url
    try:
        with CollectorClient(url, network=network) as client:
            answer = client.redeem(code.invite_id, code.secret, attempt.folder.read_document(REQUEST))
    except CollectorRefusedError as error:
        if _for_good(error):
            discard(attempt.folder, code.invite_id, paths)
        raise
    except CollectorError as error:
        raise CollectorError(
            error.message,
            hint="Your consent is kept. Run the same `promptster start` again to continue.",
            code=error.code,
        ) from error
    return Envelope.from_json(answer.certificate), answer.keyfile


def _for_good(error: CollectorRefusedError) -> bool:
    """Return whether the collector itself refused, and would refuse again."""
    status = error.status or _SERVER_FAULT
    return error.reasoned and status < _SERVER_FAULT and status not in _WORTH_REPEATING


def discard(folder: SessionFolder, invite_id: str, paths: Paths) -> None:
    """Delete an attempt: its keys first, then its folder."""
    with contextlib.suppress(SessionError):
        facts = folder.facts()
        open_store(facts.secrets, folder.secrets_file).delete(facts.session)
    with contextlib.suppress(FileNotFoundError):
        _pointer(paths, invite_id).unlink()
    shutil.rmtree(folder.path, ignore_errors=True)


def unanswered(paths: Paths) -> dict[str, SessionFolder]:
    """Return attempts without an answer, by invite; the collector may have started a session for them."""
    found: dict[str, SessionFolder] = {}
    for pointer in sorted((paths.state / "attempts").glob("*")):
        folder = SessionFolder(paths.sessions / pointer.read_text(encoding="ascii").strip())
        if folder.has_document(REQUEST) and not folder.has_document(CERTIFICATE):
            found[pointer.name] = folder
    return found


def finished(code_id: str, paths: Paths) -> None:
    """Forget the attempt with this invite, because it became a running session."""
    with contextlib.suppress(FileNotFoundError):
        _pointer(paths, code_id).unlink()


def _pointer(paths: Paths, invite_id: str) -> Path:
    return paths.state / "attempts" / invite_id
