"""Assessments: created once, with a policy generated from the settings that the collector enforces."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from promptster.protocol.policy import AGENTS
from promptster_collector.assessments.backup_terms import require_policy_kept
from promptster_collector.assessments.policies import PolicySettings, policy_bytes
from promptster_collector.errors import NotFoundError
from promptster_collector.store.schema import Assessment
from promptster_collector.store.store import new_id

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from promptster_collector.clock import Clock
    from promptster_collector.orgs.service import Organisations
    from promptster_collector.store.at_rest import Sealer
    from promptster_collector.store.database import AnyRow
    from promptster_collector.store.store import Store


@dataclass(frozen=True, kw_only=True)
class AssessmentFacts:
    """One assessment, in clear."""

    id: str
    organisation: str
    title: str
    repository: str | None
    time_limit_minutes: int
    retention_days: int
    policy: bytes
    policy_sha256: str
    created_ms: int


@dataclass(frozen=True, kw_only=True)
class AssessmentDraft:
    """The hiring team's settings for a new assessment."""

    title: str
    repository: str | None
    time_limit_minutes: int
    retention_days: int
    agents: Collection[str] = AGENTS
    contact: str | None = None
    """Whom candidates can write to; ``None`` for the organisation."""
    alternative: str | None = None
    """What candidates who refuse are offered."""
    legal_basis: str | None = None
    """``None`` for consent."""


def _facts(row: AnyRow, sealer: Sealer) -> AssessmentFacts:
    repository = row.repository_sealed
    return AssessmentFacts(
        id=row.id,
        organisation=row.organisation,
        title=sealer.unseal(row.title_sealed, f"assessment.title/{row.id}").decode(),
        repository=None
        if repository is None
        else sealer.unseal(repository, f"assessment.repository/{row.id}").decode(),
        time_limit_minutes=row.time_limit_minutes,
        retention_days=row.retention_days,
        policy=sealer.unseal(row.policy_sealed, f"assessment.policy/{row.id}"),
        policy_sha256=row.policy_sha256,
        created_ms=row.created_ms,
    )


class Assessments:
    """The assessments of all organisations."""

    def __init__(
        self, store: Store, clock: Clock, organisations: Organisations, *, key_backup_days: int | None = None
    ) -> None:
        self._key_backup_days = key_backup_days
        self._store = store
        self._clock = clock
        self._organisations = organisations

    async def create(self, organisation: str, draft: AssessmentDraft) -> AssessmentFacts:
        """Create an assessment and its policy."""
        settings = PolicySettings(
            organisation=await self._organisations.name(organisation),
            title=draft.title,
            retention_days=draft.retention_days,
            time_limit_minutes=draft.time_limit_minutes,
            agents=draft.agents,
            contact=draft.contact,
            alternative=draft.alternative,
            legal_basis=draft.legal_basis,
            key_backup_days=self._key_backup_days,
        )
        policy = policy_bytes(settings)
        sealer = self._store.of_organisation(organisation)
        facts = AssessmentFacts(
            id=new_id(),
            organisation=organisation,
            title=draft.title,
            repository=draft.repository,
            time_limit_minutes=draft.time_limit_minutes,
            retention_days=draft.retention_days,
            policy=policy,
            policy_sha256=hashlib.sha256(policy).hexdigest(),
            created_ms=self._clock.wall_ms(),
        )

        def job(connection: Connection) -> None:
            connection.execute(insert(Assessment), _row(facts, sealer))

        await self._store.database.write(job)
        return facts

    async def get_kept(self, organisation: str, assessment: str) -> AssessmentFacts:
        """One assessment that people may be invited to, because its policy's statement about key backups still holds.

        Raises:
            NotFoundError: the organisation has no assessment with this id.
            ConflictError: key backups now last longer than its policy says.
        """
        facts = await self.get(organisation, assessment)
        require_policy_kept(facts.policy, self._key_backup_days)
        return facts

    async def list(self, organisation: str) -> list[AssessmentFacts]:
        """Every assessment of the organisation, oldest first."""
        mine = Assessment.organisation == organisation
        statement = select(Assessment).where(mine).order_by(Assessment.created_ms, Assessment.id)
        rows = await self._store.database.read(lambda connection: connection.execute(statement).all())
        sealer = self._store.of_organisation(organisation)
        return [_facts(row, sealer) for row in rows]

    async def get(self, organisation: str, assessment: str) -> AssessmentFacts:
        """One assessment of the organisation.

        Raises:
            NotFoundError: it has no assessment with this id.
        """
        statement = select(Assessment).where(Assessment.id == assessment, Assessment.organisation == organisation)
        row = await self._store.database.read(lambda connection: connection.execute(statement).one_or_none())
        if row is None:
            hint = "To list them, run `promptster assessment list`."
            raise NotFoundError("there is no such assessment", code="unknown_assessment", hint=hint)
        return _facts(row, self._store.of_organisation(organisation))


def _row(facts: AssessmentFacts, sealer: Sealer) -> dict[str, object]:
    repository = facts.repository
    return {
        "id": facts.id,
        "organisation": facts.organisation,
        "title_sealed": sealer.seal(facts.title.encode(), f"assessment.title/{facts.id}"),
        "repository_sealed": None
        if repository is None
        else sealer.seal(repository.encode(), f"assessment.repository/{facts.id}"),
        "time_limit_minutes": facts.time_limit_minutes,
        "retention_days": facts.retention_days,
        "policy_sealed": sealer.seal(facts.policy, f"assessment.policy/{facts.id}"),
        "policy_sha256": facts.policy_sha256,
        "created_ms": facts.created_ms,
    }
