"""The transparency log: every receipt becomes a leaf, and each group of them gets a signed checkpoint.

After the database was restored, the last known checkpoint is newer than the log in it. The log then continues under a
new origin, whose first leaf is that checkpoint, and receipts of running sessions are logged there again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import bindparam, func, insert, select, update

from promptster.protocol.errors import LogError
from promptster.protocol.merkle import leaf_hash
from promptster.protocol.transparency_log import Checkpoint, LogProof, sign_checkpoint
from promptster_collector.errors import InvalidError, NotFoundError, Refusal, SetupError
from promptster_collector.ingest.merkle_tree import MerkleTree
from promptster_collector.sessions.states import State
from promptster_collector.store.alarms import AlarmKind, raise_alarm
from promptster_collector.store.disk_reserve import WritePriority
from promptster_collector.store.schema import BATCHES, Batch, LogCheckpoint, LogNode, LogOrigin, Session
from promptster_collector.store.tombstones import LastCheckpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from promptster_collector.access.rate_limits import FailureLimits
    from promptster_collector.clock import Clock
    from promptster_collector.store.database import AnyRow
    from promptster_collector.store.store import Store

log = logging.getLogger("promptster_collector")

T = TypeVar("T")

_PLACED = (
    update(BATCHES)
    .where(BATCHES.c.arrival == bindparam("of_arrival"))
    .values(leaf_origin=bindparam("leaf_origin"), leaf_index=bindparam("leaf_index"))
)
_GROUP = 1000
"""Receipts that enter the log with one checkpoint at most."""


@dataclass(frozen=True, kw_only=True)
class Logged:
    """The log's proofs for one session's receipts."""

    checkpoint: str | None
    """The first signed note that covers all of them; ``None`` if there is none yet."""
    proofs: tuple[LogProof, ...]


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """A proof that the newest log's first ``new`` receipts begin with its first ``old`` ones."""

    origin: str
    old: int
    new: int
    proof: tuple[bytes, ...]


class CheckpointStanding(StrEnum):
    """How a submitted checkpoint relates to the stored log."""

    KNOWN = "known"
    """The stored log begins with it."""
    NEWER = "newer"
    """This collector signed it, and the stored log is older: a backup was restored."""
    CONTRADICTED = "contradicted"
    """This collector signed it, and the stored log begins differently."""
    FOREIGN = "foreign"
    """This collector did not sign it."""


_NEWEST = select(LogOrigin).order_by(LogOrigin.number.desc()).limit(1)


def _newest_origin(connection: Connection) -> AnyRow:
    """The origin that receipts are logged under now."""
    return connection.execute(_NEWEST).one()


def _number_of(origin: str) -> int:
    """The number in an origin's name."""
    return int(origin.rpartition("/")[2].partition("-")[0])


class TransparencyLog:
    """Appends receipts to the log and proves what it contains."""

    def __init__(self, store: Store, clock: Clock, *, failures: FailureLimits) -> None:
        """Count unsigned checkpoints in ``failures``."""
        self._store = store
        self._failures = failures
        self._clock = clock
        signer = store.identity.signer
        self._base = f"promptster.log/{signer.kid}"

    def continue_after_restore(self, *, restored: bool = False) -> None:
        """Start the first origin, or a new one if the database is older than the last checkpoint; blocks.

        With ``restored`` a backup was just restored, and a new origin is started in any case.

        Raises:
            SetupError: the last checkpoint outside the database belongs to another collector.
        """
        last = self._store.tombstones.last_checkpoint()
        if last is not None and last.note and self._own(last.note) is None:
            hint = "Check --tombstones-copy, or restore the tombstones folder from its newest copy."
            raise SetupError(
                "the checkpoint in the tombstones folder belongs to another collector", hint=hint, code="tombstone"
            )
        note = self._store.database.write_now(
            lambda connection: self._continue(connection, last, restored=restored), priority=WritePriority.ENDING
        )
        if note is not None:
            self._store.tombstones.note_checkpoint(note)

    def _continue(
        self, connection: Connection, last: LastCheckpoint | None, *, restored: bool
    ) -> LastCheckpoint | None:
        newest = connection.execute(_NEWEST).one_or_none()
        if newest is None:
            if last is not None:
                return self._restart(connection, last)
            self._open(connection, 0)
            return None
        if last is None or self._goes_on(connection, last):
            if not restored or not newest.size:
                return None
            return self._restart(connection, self._newest(connection, newest.number, newest.size))
        return self._restart(connection, last)

    def note_returned(self, connection: Connection, received_ms: int) -> None:
        """Start a new origin if a receipt comes back that the database lost and that is newer than the current origin.

        Continuing it would produce two logs of one name. The last known checkpoint may be an older one.
        """
        newest = _newest_origin(connection)
        if newest.created_ms >= received_ms:
            return
        self._restart(connection, self._newest(connection, newest.number, newest.size))

    async def submit_checkpoint(self, note: str, *, sender: str) -> CheckpointStanding:
        """Receive a checkpoint; if the stored log does not begin with it, the log continues under a new name.

        Args:
            note: the signed note.
            sender: the network that it came from.

        Raises:
            InvalidError: this collector did not sign it.
            BusyError: too many unsigned requests came from the network ``sender``.
        """
        standing = await self._store.database.read(lambda connection: self.standing(connection, note))
        if standing is CheckpointStanding.FOREIGN:
            refused = InvalidError("this collector did not sign the checkpoint", code="checkpoint_unknown")
            raise self._failures.unsigned(sender, refused)
        if standing is CheckpointStanding.KNOWN:
            return standing
        last = await self._store.database.write(
            lambda connection: self._leave(connection, note), priority=WritePriority.ENDING
        )
        if last is not None:
            await asyncio.to_thread(self._store.tombstones.note_checkpoint, last)
        return standing

    def _leave(self, connection: Connection, note: str) -> LastCheckpoint | None:
        """End the newest origin if a checkpoint shows that it is older than what was signed, or contradicts it."""
        checkpoint = self._own(note)
        if checkpoint is None or self.standing(connection, note) is CheckpointStanding.KNOWN:
            return None
        newest = _newest_origin(connection)
        number = newest.number if checkpoint.origin == newest.origin else _number_of(checkpoint.origin)
        if number < newest.number or (number == newest.number and checkpoint.origin != newest.origin):
            return None  # an earlier log, which was replaced already
        log.warning(
            "a submitted checkpoint covers %d entries and the log here has %d: the data folder is from a backup",
            checkpoint.size,
            newest.size if checkpoint.origin == newest.origin else 0,
        )
        return self._restart(connection, LastCheckpoint(number=number, size=checkpoint.size, note=note))

    def _newest(self, connection: Connection, number: int, size: int) -> LastCheckpoint:
        """The last stored checkpoint of an origin."""
        notes = select(LogCheckpoint.note).where(LogCheckpoint.origin == number)
        note = connection.execute(notes.order_by(LogCheckpoint.size.desc()).limit(1)).scalar_one_or_none()
        return LastCheckpoint(number=number, size=size, note="" if note is None else note.decode())

    def _restart(self, connection: Connection, last: LastCheckpoint) -> LastCheckpoint:
        """Start a new origin, whose first leaf is the last known checkpoint."""
        newest = connection.execute(select(func.coalesce(func.max(LogOrigin.number), -1))).scalar_one()
        number = max(last.number, newest) + 1
        self._open(connection, number)
        leaf = leaf_hash(last.note.encode())
        running = select(Session.id).where(Session.state.in_([State.OPEN.value, State.CLOSING.value]))
        again = update(Batch).where(Batch.session.in_(running)).values(leaf_origin=None, leaf_index=None)
        connection.execute(again)
        raise_alarm(connection, None, AlarmKind.LOG_RESTARTED, at_ms=self._clock.wall_ms())
        return self._grow(connection, number, 0, [leaf])

    def _goes_on(self, connection: Connection, last: LastCheckpoint) -> bool:
        """Whether the stored log begins with the last checkpoint, or a later origin already starts with it."""
        if self.standing(connection, last.note) is CheckpointStanding.KNOWN:
            return True
        first = (LogNode.level == 0) & (LogNode.position == 0) & (LogNode.hash == leaf_hash(last.note.encode()))
        begun = select(LogNode.origin).where(first, LogNode.origin > last.number).limit(1)
        return connection.execute(begun).one_or_none() is not None

    def ask(self, question: Callable[[Connection], T]) -> T:
        """Run a read of the stored log; blocks."""
        return self._store.database.read_now(question)

    def standing(self, connection: Connection, note: str) -> CheckpointStanding:
        """How a checkpoint from outside relates to the stored log.

        Candidates and reviewers keep the signed notes that they received, and an operator may keep one elsewhere.
        """
        checkpoint = self._own(note)
        if checkpoint is None:
            return CheckpointStanding.FOREIGN
        found = connection.execute(select(LogOrigin).where(LogOrigin.origin == checkpoint.origin)).one_or_none()
        if found is None or found.size < checkpoint.size:
            return CheckpointStanding.NEWER
        same = MerkleTree(connection, found.number).root(checkpoint.size) == checkpoint.root
        return CheckpointStanding.KNOWN if same else CheckpointStanding.CONTRADICTED

    def _own(self, note: str) -> Checkpoint | None:
        """A checkpoint that one of this collector's log keys signed."""
        for record in self._store.identity.succession.log:
            with contextlib.suppress(LogError):
                checkpoint = Checkpoint.parse(note)
                checkpoint.verify(record.public_key)
                return checkpoint
        return None

    def newest(self, connection: Connection) -> str:
        """The newest checkpoint: a signed note over all logged receipts.

        Raises:
            NotFoundError: nothing was logged yet.
        """
        newest = select(LogCheckpoint.note).order_by(LogCheckpoint.origin.desc(), LogCheckpoint.size.desc()).limit(1)
        note = connection.execute(newest).scalar_one_or_none()
        if note is None:
            raise NotFoundError("nothing has been logged yet", code="log_empty")
        return note.decode()

    def consistency(self, connection: Connection, old: int, new: int) -> Consistency:
        """The proof that ``new`` receipts of the newest log begin with ``old`` ones.

        Raises:
            Refusal: the log has no such sizes.
        """
        head = _newest_origin(connection)
        if not 0 < old <= new:
            raise Refusal("the sizes must satisfy 0 < from <= to", code="log_size")
        if new > head.size:
            extra = {"origin": head.origin, "size": head.size}
            raise Refusal(f"the log has {head.size} entries", code="log_size", extra=extra)
        proof = tuple(MerkleTree(connection, head.number).consistency_proof(old, new))
        return Consistency(origin=head.origin, old=old, new=new, proof=proof)

    def _name(self, number: int) -> str:
        return f"{self._base}/{number}"

    def _open(self, connection: Connection, number: int) -> None:
        # Unique even if the number was used before a restore: no two logs may have the same name.
        origin = self._name(number) if number == 0 else f"{self._name(number)}-{secrets.token_hex(8)}"
        values = {"number": number, "origin": origin, "size": 0, "created_ms": self._clock.wall_ms()}
        connection.execute(insert(LogOrigin), values)

    def _grow(self, connection: Connection, number: int, size: int, leaves: list[bytes]) -> LastCheckpoint:
        tree = MerkleTree(connection, number)
        tree.append(size, leaves)
        grown = size + len(leaves)
        origin = connection.execute(select(LogOrigin.origin).where(LogOrigin.number == number)).scalar_one()
        note = sign_checkpoint(origin=origin, size=grown, root=tree.root(grown), key=self._store.identity.log_signer)
        connection.execute(update(LogOrigin).where(LogOrigin.number == number).values(size=grown))
        connection.execute(
            insert(LogCheckpoint),
            {"origin": number, "size": grown, "note": note.encode(), "created_ms": self._clock.wall_ms()},
        )
        return LastCheckpoint(number=number, size=grown, note=note)

    async def sequence(self) -> bool:
        """Append receipts that are not in the log; returns whether there were any."""
        last = await self._store.database.write(self._sequence)
        if last is None:
            return False
        await asyncio.to_thread(self._store.tombstones.note_checkpoint, last)
        return True

    def _sequence(self, connection: Connection) -> LastCheckpoint | None:
        waiting = select(Batch.arrival, Batch.leaf_sha256).where(Batch.leaf_index.is_(None))
        rows = connection.execute(waiting.order_by(Batch.arrival).limit(_GROUP)).all()
        if not rows:
            return None
        origin = _newest_origin(connection)
        last = self._grow(connection, origin.number, origin.size, [row.leaf_sha256 for row in rows])
        places = [
            {"of_arrival": row.arrival, "leaf_origin": origin.number, "leaf_index": index}
            for index, row in enumerate(rows, start=origin.size)
        ]
        connection.execute(_PLACED, places)
        return last

    def of_session(self, connection: Connection, session: str) -> Logged:
        """The first checkpoint that covers all logged receipts of a session, with their proofs."""
        logged = (Batch.session == session) & Batch.leaf_index.is_not(None)
        statement = select(Batch.n, Batch.leaf_origin, Batch.leaf_index).where(logged).order_by(Batch.n)
        rows = connection.execute(statement).all()
        if not rows:
            return Logged(checkpoint=None, proofs=())
        origin = max(row.leaf_origin for row in rows)
        rows = [row for row in rows if row.leaf_origin == origin]
        enough = (LogCheckpoint.origin == origin) & (LogCheckpoint.size > max(row.leaf_index for row in rows))
        first = select(LogCheckpoint.size, LogCheckpoint.note).where(enough).order_by(LogCheckpoint.size).limit(1)
        size, note = connection.execute(first).one()
        tree = MerkleTree(connection, origin)
        proofs = tuple(
            LogProof(n=row.n, index=row.leaf_index, proof=tuple(tree.inclusion_proof(row.leaf_index, size)))
            for row in rows
        )
        return Logged(checkpoint=note.decode(), proofs=proofs)
