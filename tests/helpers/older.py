"""Assessments as a collector of version 0.1 made them: their policy is of version 1, even after an upgrade."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from promptster.protocol.policies import text_1
from promptster.protocol.policies.settings import Policy
from promptster.protocol.policy import policy_sha256
from promptster_collector.settings import Settings
from promptster_collector.store.schema import Assessment
from promptster_collector.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection


def first_version(policy: Policy) -> Policy:
    """The same settings as version 0.1 wrote them, without what it did not have."""
    names = ("organisation", "title", "kinds", "retention_days", "time_limit_minutes", "providers", "hooks")
    more = ("analysis_by_llm", "readers")
    older = Policy(text="", **{name: getattr(policy, name) for name in (*names, *more)})
    return replace(older, text=text_1.render(older))


def make_older(store: Store, assessment: str) -> bytes:
    """Give an assessment without invites the policy that 0.1 would have given it."""
    return exchange_policy(store, assessment, first_version)


def exchange_policy(store: Store, assessment: str, change: Callable[[Policy], Policy]) -> bytes:
    """Give an assessment without invites another policy, made from its own."""
    row = store.database.read_now(
        lambda connection: connection.execute(select(Assessment).where(Assessment.id == assessment)).one()
    )
    sealer, place = store.of_organisation(row.organisation), f"assessment.policy/{assessment}"
    policy = change(Policy.parse(sealer.unseal(row.policy_sealed, place))).payload()
    values = {"policy_sealed": sealer.seal(policy, place), "policy_sha256": policy_sha256(policy)}

    def job(connection: Connection) -> None:
        connection.execute(update(Assessment).where(Assessment.id == assessment).values(values))

    store.database.write_now(job)
    return policy


def make_older_in(data: Path, assessment: str) -> bytes:
    """Do the same as ``make_older`` in the data folder of a process that is serving."""
    return exchange_policy_in(data, assessment, first_version)


def exchange_policy_in(data: Path, assessment: str, change: Callable[[Policy], Policy]) -> bytes:
    """Do the same as ``exchange_policy`` in the data folder of a process that is serving."""
    store = Store.open(Settings(data=data))
    try:
        return exchange_policy(store, assessment, change)
    finally:
        store.close()
