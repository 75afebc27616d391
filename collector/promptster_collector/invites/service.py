"""Invites: created with a sealing pair each, shown to the holder of the secret."""

from __future__ import annotations

import asyncio
import hmac
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from promptster.protocol.encoding import b64u_decode
from promptster.protocol.errors import EncodingError
from promptster.protocol.invite import Invite as InviteDocument
from promptster.protocol.invite import InviteCode, new_invite_code, secret_sha256
from promptster.protocol.sealing import SealingKey
from promptster.protocol.signing import Envelope
from promptster_collector.access.rate_limits import RateLimiter
from promptster_collector.errors import BusyError, ConflictError, GoneError, NotFoundError
from promptster_collector.invites.openings import note_opening
from promptster_collector.settings import HOUR_MS
from promptster_collector.store.alarms import AlarmKind, raise_alarm
from promptster_collector.store.disk_reserve import WritePriority
from promptster_collector.store.keys.names import sealing_key
from promptster_collector.store.schema import Invite

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from promptster_collector.access.rate_limits import FailureLimits
    from promptster_collector.assessments.service import AssessmentFacts, Assessments
    from promptster_collector.clock import Clock
    from promptster_collector.orgs.persons import PersonDetails, Persons
    from promptster_collector.orgs.service import Organisations
    from promptster_collector.settings import Limits
    from promptster_collector.store.store import Store

_MAX_SECRET = 100


@dataclass(frozen=True, kw_only=True)
class NewInvite:
    """A new invite, the only time its code can be read."""

    code: str
    link: str
    expires_ms: int


@dataclass(frozen=True, kw_only=True)
class InviteFacts:
    """One invite, in clear."""

    id: str
    organisation: str
    assessment: str
    person: str | None
    document: Envelope
    sealing_key_id: str
    expires_ms: int
    used_ms: int | None
    request_sha256: bytes | None
    session: str | None


class Invites:
    """The invites of all organisations."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        limits: Limits,
        *,
        assessments: Assessments,
        organisations: Organisations,
        persons: Persons,
        public_url: str,
        failures: FailureLimits,
    ) -> None:
        """Count wrong secrets in ``failures``."""
        self._failures = failures
        self._made = RateLimiter(clock, amount=limits.invites_per_hour, seconds=HOUR_MS / 1000)
        self._public_url = public_url
        self._store = store
        self._clock = clock
        self._limits = limits
        self._assessments = assessments
        self._organisations = organisations
        self._persons = persons

    def _draw_code(self) -> InviteCode:
        """A new code that does not begin with a dash, which a command line would take for an option."""
        while True:
            code = new_invite_code(os.urandom(32), self._store.identity.signer.public_key)
            if not code.invite_id.startswith("-"):
                return code

    async def create(
        self, organisation: str, assessment: str, who: PersonDetails, *, by: str, base_url: str
    ) -> NewInvite:
        """Invite one person to one assessment; the link contains the public URL, or ``base_url`` if none is set.

        Raises:
            NotFoundError: the organisation has no such assessment.
            ConflictError: key backups now last longer than its policy says.
            BusyError: the token ``by`` has created too many in this hour.
        """
        facts = await self._assessments.get_kept(organisation, assessment)
        wait = self._made.take(by)
        if wait:
            raise self._too_many(wait)
        now = self._clock.wall_ms()
        expires = now + self._limits.invite_ms
        code = self._draw_code()
        pair = SealingKey.generate(os.urandom)
        document = InviteDocument(
            kid=self._store.identity.signer.kid,
            invite_id=code.invite_id,
            organisation=await self._organisations.name(organisation),
            policy_sha256=facts.policy_sha256,
            sealing_key_id=pair.key_id,
            sealing_public_key=pair.public_key,
            expires=expires,
        )
        envelope = self._store.identity.signer.sign(document)
        sealed = self._store.of_organisation(organisation).seal(envelope.encode(), f"invite.document/{code.invite_id}")
        keys = {sealing_key(organisation, pair.key_id): pair.private_key}
        await asyncio.to_thread(self._store.keys.put, keys, created_ms=now)

        def job(connection: Connection) -> None:
            connection.execute(
                insert(Invite).values(
                    id=code.invite_id,
                    organisation=organisation,
                    assessment=assessment,
                    person=self._persons.ensure(connection, organisation, who),
                    secret_sha256=secret_sha256(code.secret),
                    document_sealed=sealed,
                    sealing_key_id=pair.key_id,
                    created_ms=now,
                    expires_ms=expires,
                    used_ms=None,
                    request_sha256=None,
                    box_sha256=None,
                    session=None,
                )
            )

        async with self._store.person_lock:
            await self._store.database.write(job)
        return NewInvite(code=code.code, link=code.link(self._public_url or base_url), expires_ms=expires)

    def _too_many(self, wait: int) -> BusyError:
        """The error for too many invites in an hour."""
        return BusyError(
            f"{self._limits.invites_per_hour} invites were made with this sign-in within an hour",
            hint=f"They are all valid. Try again in {wait} s.",
            retry_after=wait,
            code="too_many_invites",
        )

    async def find(self, invite: str, secret_text: str, *, sender: str) -> InviteFacts:
        """The invite that a secret opens, sent from the network ``sender``.

        Raises:
            NotFoundError: there is no such invite, or the secret is wrong.
            BusyError: too many wrong secrets came from ``sender``; a right one is never refused for that.
        """
        hint = "Copy the whole link, including the part after #."
        unknown = self._failures.wrong_secret
        refused = NotFoundError("there is no such invite", code="unknown_invite", hint=hint)
        try:
            secret = b64u_decode(secret_text[:_MAX_SECRET])
        except EncodingError:
            raise unknown(sender, refused) from None
        statement = select(Invite).where(Invite.id == invite)
        row = await self._store.database.read(lambda connection: connection.execute(statement).one_or_none())
        stored = bytes(32) if row is None else row.secret_sha256
        if not hmac.compare_digest(stored, secret_sha256(secret)) or row is None:
            raise unknown(sender, refused)
        sealer = self._store.of_organisation(row.organisation)
        return InviteFacts(
            id=row.id,
            organisation=row.organisation,
            assessment=row.assessment,
            person=row.person,
            document=Envelope.decode(sealer.unseal(row.document_sealed, f"invite.document/{row.id}")),
            sealing_key_id=row.sealing_key_id,
            expires_ms=row.expires_ms,
            used_ms=row.used_ms,
            request_sha256=row.request_sha256,
            session=row.session,
        )

    async def show(self, invite: str, secret_text: str, *, sender: str) -> tuple[InviteFacts, AssessmentFacts]:
        """The invite and its assessment, for the holder of an unused secret; the opening is recorded.

        Raises:
            NotFoundError: there is no such invite, or the secret is wrong.
            ConflictError: it has been used.
            GoneError: it has expired.
        """
        facts = await self.find(invite, secret_text, sender=sender)
        if facts.used_ms is not None:
            raise await self.used_again(facts)
        now = self._clock.wall_ms()
        job = partial(note_opening, invite=facts.id, at_ms=now)
        await self._store.database.write(job, priority=WritePriority.READING)
        self.require_unexpired(facts)
        return facts, await self._assessments.get(facts.organisation, facts.assessment)

    async def used_again(self, facts: InviteFacts) -> ConflictError:
        """Raise the alarm about a second attempt on a used invite; returns the refusal.

        Clients read an invite before they redeem it, so reading is an attempt too.
        """
        now = self._clock.wall_ms()

        def job(connection: Connection) -> None:
            note_opening(connection, facts.id, at_ms=now)
            raise_alarm(
                connection,
                facts.organisation,
                AlarmKind.INVITE_REUSED,
                at_ms=now,
                invite=facts.id,
                session=facts.session,
            )

        await self._store.database.write(job, priority=WritePriority.READING)
        hint = "If it was not you, tell the hiring team. They can invite you again."
        return ConflictError("this invite was already used", code="invite_used", hint=hint)

    def require_unexpired(self, facts: InviteFacts) -> None:
        """Refuse an expired invite.

        Raises:
            GoneError: it has expired.
        """
        if facts.expires_ms <= self._clock.wall_ms():
            hint = "Ask the hiring team for a new one."
            raise GoneError("this invite has expired", code="invite_expired", hint=hint)
