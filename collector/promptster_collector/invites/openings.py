"""When an invite was opened with its secret, and never from where.

Whoever opens it before the candidate can create the whole session in their name. Mail scanners open links too, and so
does a candidate who reads the policy first. So the times prove nothing alone, but the hiring team needs them next to
the confirmation code.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from promptster_collector.store.schema import Invite

if TYPE_CHECKING:
    from sqlalchemy import Connection

_KEPT = 8
"""Later openings whose times are kept: the first ones and the last; the others are only counted."""


def note_opening(connection: Connection, invite: str, *, at_ms: int) -> None:
    """Record one opening inside an open write transaction."""
    columns = select(Invite.opened_ms, Invite.reopened, Invite.reopened_ms).where(Invite.id == invite)
    row = connection.execute(columns.with_for_update()).one_or_none()
    if row is None:
        return
    if row.opened_ms is None:
        connection.execute(update(Invite).where(Invite.id == invite).values(opened_ms=at_ms))
        return
    times = [*later_openings(row.reopened_ms)[: _KEPT - 1], at_ms]
    values = {"reopened": row.reopened + 1, "reopened_ms": json.dumps(times, separators=(",", ":"))}
    connection.execute(update(Invite).where(Invite.id == invite).values(values))


def later_openings(stored: str) -> list[int]:
    """The kept times of later openings, in order."""
    return [int(at_ms) for at_ms in json.loads(stored)]
