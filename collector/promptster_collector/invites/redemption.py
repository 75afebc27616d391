"""Redemption: an invite becomes a session, exactly once.

1. The request's documents are verified against the invite and against each other.
2. The box is opened; the content key and a new session data key go into the key store, marked pending.
3. One write marks the invite used and creates the session; of several attempts only one succeeds.
4. The keys are confirmed and the sealing pair's private half is destroyed. The box is not kept. The used invite is also
   recorded outside the database.
A crash between these steps is finished or undone at the next start (``finish_interrupted``).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from promptster.protocol.consent import LOG_LIMIT, Certificate, Consent, Redeem
from promptster.protocol.errors import SealError
from promptster.protocol.invite import Invite as InviteDocument
from promptster.protocol.sealing import access_token, open_box
from promptster.protocol.signing import Envelope, open_envelope
from promptster_collector.access.tokens import token_sha256
from promptster_collector.errors import ConflictError, GoneError, InvalidError
from promptster_collector.sessions.states import State
from promptster_collector.settings import MINUTE_MS
from promptster_collector.store.at_rest import Sealer
from promptster_collector.store.ending_lines import EndingKind
from promptster_collector.store.endings import Ending
from promptster_collector.store.keys.keystore import KeyDestroyedError
from promptster_collector.store.keys.names import content_key, sealing_key, session_key
from promptster_collector.store.schema import Invite, Session

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from promptster_collector.assessments.service import AssessmentFacts, Assessments
    from promptster_collector.clock import Clock
    from promptster_collector.invites.service import InviteFacts, Invites
    from promptster_collector.settings import Limits
    from promptster_collector.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Request:
    """A redemption request."""

    consent: Envelope
    redeem: Envelope
    box: bytes

    @property
    def sha256(self) -> bytes:
        """Identifies a repeated request."""
        digest = hashlib.sha256()
        for part in (self.consent.encode(), self.redeem.encode(), self.box):
            digest.update(len(part).to_bytes(4, "big") + part)
        return digest.digest()


class _LostRaceError(ConflictError):
    """Another redemption came first."""

    default_code = "invite_used"


def _verified_consent(facts: InviteFacts, assessment: AssessmentFacts, request: Request) -> Consent:
    """The verified consent: it is for this invite, and the key that it names signed everything."""
    consent = open_envelope(Consent, request.consent, Consent.parse(request.consent.payload).session_public_key)
    redeem = open_envelope(Redeem, request.redeem, consent.session_public_key)
    document = InviteDocument.parse(facts.document.payload)
    checks = {
        "consent_invite": consent.invite == facts.id,
        "consent_organisation": consent.organisation == document.organisation,
        "consent_policy": consent.policy_sha256 == assessment.policy_sha256,
        "consent_sealing_key": consent.sealing_key_id == facts.sealing_key_id,
        "redeem_consent": redeem.consent_sha256 == request.consent.sha256,
        "redeem_box": redeem.box_sha256 == hashlib.sha256(request.box).digest(),
    }
    for code, holds in checks.items():
        if not holds:
            raise InvalidError("the redemption does not match this invite", code=code)
    return consent


class Redemption:
    """Redeems invites."""

    def __init__(
        self, store: Store, clock: Clock, limits: Limits, *, invites: Invites, assessments: Assessments
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._invites = invites
        self._assessments = assessments
        self._lock = asyncio.Lock()
        """One redemption at a time: two with the same session must not write to the key store together."""

    async def redeem(self, invite: str, secret: str, request: Request, *, sender: str) -> Envelope:
        """Exchange an invite for its session's certificate; a repeated request gets the same certificate.

        Raises:
            NotFoundError: there is no such invite, or the secret is wrong.
            InvalidError: the request's parts do not match each other or the invite.
            ConflictError: the invite was used by another request.
            GoneError: it has expired.
            ProtocolError: a document is malformed or a signature is wrong.
        """
        async with self._lock:
            return await self._redeem(invite, secret, request, sender=sender)

    async def _redeem(self, invite: str, secret: str, request: Request, *, sender: str) -> Envelope:
        facts = await self._invites.find(invite, secret, sender=sender)
        if facts.used_ms is not None:
            return await self._again(facts, request)
        self._invites.require_unexpired(facts)
        assessment = await self._assessments.get(facts.organisation, facts.assessment)
        consent = _verified_consent(facts, assessment, request)
        key = self._open_box(facts, request.box)
        envelope, certificate = self._certificate(facts, assessment, consent, request)
        data_key = os.urandom(32)
        keys = {
            session_key(facts.organisation, consent.session): data_key,
            content_key(facts.organisation, consent.session): key,
        }
        if await self._is_taken(consent.session):
            await self._use_up(facts)
            raise await self._invites.used_again(facts)
        await asyncio.to_thread(self._store.keys.put, keys, created_ms=self._clock.wall_ms(), pending=True)
        sealer = Sealer(data_key, organisation=facts.organisation, session=consent.session)
        values = _session_row(
            facts=facts,
            assessment=assessment,
            certificate=certificate,
            request=request,
            sealer=sealer,
            envelope=envelope,
        )
        values["access_sha256"] = token_sha256(access_token(key, consent.session))
        values["started_ms"] = self._clock.wall_ms()
        try:
            await self._store.database.write(lambda connection: self._mark(connection, facts, request, values))
        except ConflictError:
            await asyncio.to_thread(self._store.keys.destroy_session, facts.organisation, consent.session, person=None)
            return await self._again(await self._invites.find(invite, secret, sender=sender), request)
        await asyncio.to_thread(self._store.keys.confirm, facts.organisation, consent.session)
        await asyncio.to_thread(self._store.keys.destroy, [sealing_key(facts.organisation, facts.sealing_key_id)])
        await self._write_down(facts)
        return envelope

    async def _write_down(self, facts: InviteFacts) -> None:
        """Record the invite as used, before the answer: no restored backup makes it valid again."""
        now = self._clock.wall_ms()
        entry = Ending(what=EndingKind.INVITE, organisation=facts.organisation, id=facts.id, at_ms=now)
        await asyncio.to_thread(self._store.endings.add, [entry])

    async def _again(self, facts: InviteFacts, request: Request) -> Envelope:
        """The answer for a used invite: the stored certificate for the same request, an alarm for any other."""
        if facts.request_sha256 == request.sha256 and facts.session is not None:
            session = facts.session
            statement = select(Session.certificate_sealed).where(Session.id == session)
            sealed = await self._store.database.read(
                lambda connection: connection.execute(statement).scalar_one_or_none()
            )
            if sealed is None:
                raise GoneError("this invite's session was erased", code="erased")
            await self._write_down(facts)
            return Envelope.decode(self._store.of_session(facts.organisation, session).unseal(sealed, "certificate"))
        raise await self._invites.used_again(facts)

    async def _is_taken(self, session: str) -> bool:
        return await self._store.database.read(lambda connection: _is_known(connection, session))

    async def _use_up(self, facts: InviteFacts) -> None:
        """Use up an invite whose holder named an existing session, as if someone else had used it.

        Session ids are 128 random bits, so only someone who probes for a session names an existing one.
        Each probe costs an invite, and the answer has another explanation.
        """
        unused = (Invite.id == facts.id) & Invite.used_ms.is_(None)
        statement = update(Invite).where(unused).values(used_ms=self._clock.wall_ms())
        await self._store.database.write(lambda connection: connection.execute(statement))
        await asyncio.to_thread(self._store.keys.destroy, [sealing_key(facts.organisation, facts.sealing_key_id)])

    def _open_box(self, facts: InviteFacts, box: bytes) -> bytes:
        try:
            private_key = self._store.keys.get(sealing_key(facts.organisation, facts.sealing_key_id))
        except KeyDestroyedError:
            hint = "Ask the hiring team for a new one."
            raise GoneError("this invite is no longer valid", code="invite_used", hint=hint) from None
        try:
            return open_box(box, private_key)
        except SealError as error:
            raise InvalidError("the encrypted content key cannot be opened", code="box") from error

    def _certificate(
        self, facts: InviteFacts, assessment: AssessmentFacts, consent: Consent, request: Request
    ) -> tuple[Envelope, Certificate]:
        now = self._clock.wall_ms()
        limit = assessment.time_limit_minutes * MINUTE_MS or self._limits.untimed_session_ms
        certificate = Certificate(
            kid=self._store.identity.signer.kid,
            session=consent.session,
            organisation=consent.organisation,
            invite_id=facts.id,
            session_public_key=consent.session_public_key,
            consent_sha256=request.consent.sha256,
            policy_sha256=assessment.policy_sha256,
            record_until=now + limit,
            upload_until=now + limit + self._limits.upload_ms,
            limits={
                "batch_bytes": self._limits.batch_body,
                "batches_per_second": self._limits.batches_per_second,
                "session_bytes": self._limits.session_bytes,
                LOG_LIMIT: 1,  # every receipt enters the log: a bundle without proofs was stripped of them
            },
            continues=None,
        )
        return self._store.identity.signer.sign(certificate), certificate

    def _mark(self, connection: Connection, facts: InviteFacts, request: Request, values: dict[str, object]) -> None:
        unused = (Invite.id == facts.id) & Invite.used_ms.is_(None)
        updated = connection.execute(
            update(Invite)
            .where(unused)
            .values(
                used_ms=values["started_ms"],
                request_sha256=request.sha256,
                box_sha256=hashlib.sha256(request.box).digest(),
                session=values["id"],
            )
        )
        if updated.rowcount != 1:
            raise _LostRaceError("this invite was already used")
        never_shown = (Invite.id == facts.id) & Invite.opened_ms.is_(None)
        connection.execute(update(Invite).where(never_shown).values(opened_ms=values["started_ms"]))
        connection.execute(insert(Session).values(values))


def _session_row(
    *,
    facts: InviteFacts,
    assessment: AssessmentFacts,
    certificate: Certificate,
    request: Request,
    sealer: Sealer,
    envelope: Envelope,
) -> dict[str, object]:
    return {
        "id": certificate.session,
        "organisation": facts.organisation,
        "assessment": facts.assessment,
        "invite": facts.id,
        "person": facts.person,
        "state": State.OPEN.value,
        "public_key": certificate.session_public_key,
        "certificate_sealed": sealer.seal(envelope.encode(), "certificate"),
        "consent_sealed": sealer.seal(request.consent.encode(), "consent"),
        "redeem_sealed": sealer.seal(request.redeem.encode(), "redeem"),
        "policy_sealed": sealer.seal(assessment.policy, "policy"),
        "retention_days": assessment.retention_days,
        "record_until_ms": certificate.record_until,
        "upload_until_ms": certificate.upload_until,
        "next_n": 0,
        "next_seq": 0,
        "head_sha256": envelope.sha256,
        "stored_bytes": 0,
        "checked_n": -1,
        "opened_bytes": 0,
        "source_counts": "{}",
        "closed_ms": None,
        "close_sealed": None,
        "sealed_ms": None,
        "tombstone": None,
    }


def _is_known(connection: Connection, session: str) -> bool:
    return connection.execute(select(Session.id).where(Session.id == session)).one_or_none() is not None


def finish_interrupted(store: Store) -> None:
    """Finish or undo redemptions that a crash interrupted; blocks, for use before the collector listens."""
    for organisation, session in store.keys.pending():
        if not store.database.read_now(partial(_is_known, session=session)):
            store.keys.destroy_session(organisation, session, person=None)
        else:
            store.keys.confirm(organisation, session)
    used = store.database.read_now(
        lambda connection: set(
            connection.execute(select(Invite.sealing_key_id).where(Invite.used_ms.is_not(None))).scalars()
        )
    )
    gone = [
        sealing_key(organisation, key_id) for organisation, key_id in store.keys.sealing_key_ids() if key_id in used
    ]
    if gone:
        store.keys.destroy(gone)
