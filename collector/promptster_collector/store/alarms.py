"""Alarms: what an operator should look at, without content."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select

from promptster_collector.store.schema import Alarm

if TYPE_CHECKING:
    from sqlalchemy import Connection


log = logging.getLogger("promptster_collector")


_REPEATED = 8
"""Alarms of one kind that are kept for one invite or session at most."""


class AlarmKind(StrEnum):
    """What happened."""

    INVITE_REUSED = "invite_reused"
    """Someone tried a used invite with another key."""
    BATCH_CONFLICT = "batch_conflict"
    """Another batch came for a number that was taken."""
    RECEIPT_RETURNED = "receipt_returned"
    """A client returned a receipt that this database had lost."""
    SEALING_FAILED = "sealing_failed"
    """An ended session could not be sealed; it is tried again after increasing pauses."""
    LOG_RESTARTED = "log_restarted"
    """The database is older than the last checkpoint; the log continues under a new origin."""


def raise_alarm(
    connection: Connection,
    organisation: str | None,
    kind: AlarmKind,
    *,
    at_ms: int,
    invite: str | None = None,
    session: str | None = None,
) -> None:
    """Record an alarm inside an open write transaction; without an organisation it is the collector's own.

    Repetitions are recorded only a few times, so that they cannot fill the database.
    """
    same = (Alarm.kind == kind.value) & (Alarm.invite == invite) & (Alarm.session == session)
    if invite is not None or session is not None:
        told = select(func.count()).select_from(Alarm).where(same)
        if connection.execute(told).scalar_one() >= _REPEATED:
            return
    log.warning("alarm: %s", kind.value)
    connection.execute(
        insert(Alarm),
        {"organisation": organisation, "kind": kind.value, "invite": invite, "session": session, "at_ms": at_ms},
    )
