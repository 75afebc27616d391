"""Checks after ingest: every batch is opened and checked, in order, and the result is signed.

A check is a statement about content, as a receipt is one about custody. A batch that fails becomes an unreadable span;
other batches stay readable. The closing event is found here, and ends the session when everything before it is
checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from sqlalchemy import bindparam, func, select, update

from promptster.protocol.batch import WireBatch, open_body
from promptster.protocol.errors import ProtocolError
from promptster.protocol.events.sources import Source, ends_session
from promptster.protocol.receipt import Check, CloseOutcome
from promptster_collector.assessments.policies import policy_of
from promptster_collector.sessions.states import State
from promptster_collector.store.at_rest import UnsealError
from promptster_collector.store.inbox import size_of, wire_of
from promptster_collector.store.keys.keystore import KeyDestroyedError
from promptster_collector.store.keys.names import content_key
from promptster_collector.store.schema import BATCHES, Batch, Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from promptster.protocol.events import RecordedEvent
    from promptster.protocol.signing import Envelope
    from promptster_collector.clock import Clock
    from promptster_collector.sessions.lifecycle import Lifecycle
    from promptster_collector.settings import Limits
    from promptster_collector.store.database import AnyRow
    from promptster_collector.store.store import Store

TOO_LARGE = "opened_size"
"""The code of a batch that would make a session too large when opened."""


@dataclass(frozen=True, kw_only=True)
class _Finding:
    """What was found in one batch."""

    code: str | None = None
    discarded: int = 0
    size: int = 0
    """Bytes of the events that were inside."""
    counts: Counter[str]
    """Events by source."""
    totals: dict[str, int] | None = None
    """The totals in the closing event, if there is one."""


class _TotalsError(ProtocolError):
    """The closing event contradicts what was received."""

    default_code = "totals"


class Checks:
    """Opens and checks stored batches."""

    def __init__(self, store: Store, clock: Clock, limits: Limits, lifecycle: Lifecycle) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._lifecycle = lifecycle
        self._kinds: dict[str, frozenset[str]] = {}
        self._locked: set[str] = set()
        """Sessions whose keys are missing, as after the loss of a key store: they must not block others."""

    async def run(self) -> bool:
        """Check the oldest unchecked batches; returns whether there were any."""
        rows = await self._store.database.read(self.oldest)
        if rows:
            findings = await asyncio.to_thread(self._examine_all, rows)
            await self._store.database.write(lambda connection: self._record_all(connection, findings))
        return bool(rows)

    def oldest(self, connection: Connection) -> Sequence[AnyRow]:
        """The batches of one round: as many as its limits allow, and at least one."""
        waiting = select(Batch.arrival, func.length(Batch.body_sealed).label("size")).where(Batch.checked_ms.is_(None))
        waiting = (
            waiting.where(Batch.session.not_in(self._locked)).order_by(Batch.arrival).limit(self._limits.check_batches)
        )
        arrivals: list[int] = []
        room = self._limits.check_bytes
        for row in connection.execute(waiting):
            room -= row.size or 0
            if arrivals and room < 0:
                break
            arrivals.append(row.arrival)
        statement = (
            select(
                Batch.arrival,
                Batch.session,
                Batch.organisation,
                Batch.n,
                Batch.header_sha256,
                Batch.head_sealed,
                Batch.body_sealed,
                Session.policy_sealed,
                Session.assessment,
            )
            .join(Session, Session.id == Batch.session)
            .where(Batch.arrival.in_(arrivals))
            .order_by(Batch.arrival)
        )
        return connection.execute(statement).all() if arrivals else []

    def _examine_all(self, rows: Sequence[AnyRow]) -> list[tuple[AnyRow, _Finding]]:
        """Open each batch; those of a session that was just erased are left out."""
        found: list[tuple[AnyRow, _Finding]] = []
        for row in rows:
            try:
                found.append((row, self._examine(row)))
            except KeyDestroyedError:
                self._locked.add(row.session)
        return found

    def _record_all(self, connection: Connection, findings: list[tuple[AnyRow, _Finding]]) -> None:
        """Sign what was found, session by session, each under its row lock."""
        found = connection.execute(_UNCHECKED, {"arrivals": [row.arrival for row, _ in findings]})
        waiting = set(found.scalars())
        by_session: dict[str, list[tuple[AnyRow, _Finding]]] = {}
        for row, finding in findings:
            if row.arrival in waiting:
                by_session.setdefault(row.session, []).append((row, finding))
        for session, group in by_session.items():
            with contextlib.suppress(KeyDestroyedError):
                self._record(connection, session, group)

    def _examine(self, row: AnyRow) -> _Finding:
        try:
            batch = wire_of(self._store, row)
            events = open_body(batch, self._store.keys.get(content_key(row.organisation, row.session)))
            return self._look_through(row, batch, events)
        except ProtocolError as error:
            return _Finding(code=error.code, counts=Counter())
        except UnsealError:
            return _Finding(code="storage_damaged", counts=Counter())

    def _look_through(self, row: AnyRow, batch: WireBatch, events: list[RecordedEvent]) -> _Finding:
        kinds = self._allowed(row)
        closing = [event for event in events if ends_session(event.kind, event.src)]
        if closing and (len(closing) > 1 or events[-1] is not closing[0]):
            raise _TotalsError("the closing event is not the last one", code="closed_not_last")
        return _Finding(
            size=sum(size_of(event) for event in events),
            discarded=sum(event.kind not in kinds for event in events),
            counts=Counter(event.src.value for event in events),
            totals=_totals(closing[0]) if closing and batch.header.count == len(events) else None,
        )

    def _allowed(self, row: AnyRow) -> frozenset[str]:
        kinds = self._kinds.get(row.assessment)
        if kinds is None:
            sealer = self._store.of_session(row.organisation, row.session)
            policy = policy_of(sealer.unseal(row.policy_sealed, "policy"))
            kinds = self._kinds[row.assessment] = frozenset(policy.kinds)
        return kinds

    def _record(self, connection: Connection, session: str, group: list[tuple[AnyRow, _Finding]]) -> None:
        stored = connection.execute(_LOCKED, {"session": session}).one_or_none()
        if stored is None or stored.state not in {State.OPEN.value, State.CLOSING.value}:
            return
        sealer = self._store.of_session(group[0][0].organisation, session)
        counts = Counter(cast("dict[str, int]", json.loads(stored.source_counts)))
        opened, closes = stored.opened_bytes, False
        checked: list[dict[str, object]] = []
        for row, found in group:
            finding = found
            if opened + finding.size > self._limits.opened_bytes and finding.totals is None:
                # A small batch can be very large when opened: what exceeds the limit is never opened again.
                finding = _Finding(code=TOO_LARGE, counts=Counter())
            opened += finding.size
            code = finding.code or self._closing_fault(finding, counts, last=stored.next_n == row.n + 1)
            counts.update(finding.counts)
            counts.update({"unreadable": 1} if finding.code is not None else {})
            closes = closes or (finding.totals is not None and code is None)
            check = sealer.seal(self._check(row, finding, code).encode(), f"check/{row.n}")
            checked.append(
                {
                    "of_arrival": row.arrival,
                    "checked_ms": self._clock.wall_ms(),
                    "check_sealed": check,
                    "readable": finding.code is None,
                }
            )
        connection.execute(_CHECKED, checked)
        sources = json.dumps(counts, sort_keys=True)
        values = {"of_session": session, "checked_n": group[-1][0].n, "source_counts": sources, "opened_bytes": opened}
        connection.execute(_COUNTED, values)
        if closes:
            self._lifecycle.close(connection, session, CloseOutcome.SUBMITTED)

    @staticmethod
    def _closing_fault(finding: _Finding, before: Counter[str], *, last: bool) -> str | None:
        """Why a closing event is not valid; its totals may or may not include the event itself."""
        if finding.totals is None:
            return None
        if not last:
            return "closed_not_last"
        if before["unreadable"]:
            return None
        received = before + finding.counts
        without = received - Counter({Source.RECORDER.value: 1})
        said = Counter(finding.totals)
        return None if +said in (+received, +without) else "totals"

    def _check(self, row: AnyRow, finding: _Finding, code: str | None) -> Envelope:
        signer = self._store.identity.signer
        return signer.sign(
            Check(
                kid=signer.kid,
                session=row.session,
                n=row.n,
                header_sha256=row.header_sha256,
                ok=code is None,
                code=code,
                discarded=finding.discarded,
            )
        )


def _totals(event: RecordedEvent) -> dict[str, int]:
    said = event.open().fields.get("totals")
    if not isinstance(said, dict):
        raise _TotalsError("the closing event names no totals", code="totals")
    counts = cast("dict[object, object]", said)
    if not all(isinstance(name, str) and type(count) is int for name, count in counts.items()):
        raise _TotalsError("the closing event's totals are not counts", code="totals")
    return cast("dict[str, int]", said)


# Built once, because building a statement costs more than running it.
_UNCHECKED = select(Batch.arrival).where(
    Batch.arrival.in_(bindparam("arrivals", expanding=True)), Batch.checked_ms.is_(None)
)
_LOCKED = (
    select(Session.state, Session.next_n, Session.source_counts, Session.opened_bytes)
    .where(Session.id == bindparam("session"))
    .with_for_update()
)
_CHECKED = (
    update(BATCHES)
    .where(BATCHES.c.arrival == bindparam("of_arrival"))
    .values(checked_ms=bindparam("checked_ms"), check_sealed=bindparam("check_sealed"), readable=bindparam("readable"))
)
_COUNTED = (
    update(Session)
    .where(Session.id == bindparam("of_session"))
    .values(
        checked_n=bindparam("checked_n"),
        source_counts=bindparam("source_counts"),
        opened_bytes=bindparam("opened_bytes"),
    )
)
