"""What policies promise about key backups, compared with the setting of ``--key-backup-days``.

A policy is fixed when its assessment is created, and candidates agree to it. The days may be raised only if nobody with
a session or an open invite was promised fewer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from promptster.protocol.policy import PolicyV2
from promptster_collector.assessments.policies import policy_of
from promptster_collector.errors import ConflictError, OptionError
from promptster_collector.store.backup_keys import MOST_DAYS
from promptster_collector.store.schema import Assessment, Invite, Session

if TYPE_CHECKING:
    from promptster_collector.store.store import Store


def require_policy_kept(policy: bytes, days: int | None) -> None:
    """Demand that key backups last no longer than this policy says.

    Raises:
        ConflictError: they now last longer, so that nobody may be invited to agree to it.
    """
    promised = _promised(policy)
    if promised is not None and _lived(days) > promised:
        raise ConflictError(
            f"this assessment's policy says {_counted(promised)} for key backups, and they are now kept longer",
            code="policy_not_kept",
            hint="Create the assessment again.",
        )


def require_policies_kept(store: Store, days: int | None, *, now_ms: int) -> None:
    """Demand that no policy in force promises fewer days; blocks, for use before the collector listens.

    Raises:
        OptionError: one promises fewer.
    """
    open_invite = Invite.used_ms.is_(None) & (Invite.expires_ms > now_ms)
    living = select(Session.assessment).where(Session.tombstone.is_(None))
    in_force = or_(Assessment.id.in_(living), Assessment.id.in_(select(Invite.assessment).where(open_invite)))
    statement = select(Assessment.id, Assessment.organisation, Assessment.policy_sealed).where(in_force)
    rows = store.database.read_now(lambda connection: connection.execute(statement).all())
    policies = [
        store.of_organisation(row.organisation).unseal(row.policy_sealed, f"assessment.policy/{row.id}") for row in rows
    ]
    least = min((promised for policy in policies if (promised := _promised(policy)) is not None), default=MOST_DAYS)
    if _lived(days) > least:
        raise OptionError(
            f"candidates were told that backups of their keys last at most {_counted(least)}",
            hint=f"Use at most {least} until their sessions are deleted and open invites have expired.",
            code="key_backups_promised",
        )


def _promised(policy: bytes) -> int | None:
    read = policy_of(policy)
    return read.key_backup_days if isinstance(read, PolicyV2) else None


def _lived(days: int | None) -> int:
    """How many days key backups can be used; the maximum if nothing is stated."""
    return MOST_DAYS if days is None else days


def _counted(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"
