"""Tombstones of erased sessions, and the log's last checkpoint, which must survive any restored backup.

Version 0.1 kept each tombstone as a file of its own here; they are read once and added to the endings.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.privacy import TombstoneOutcome
from promptster.protocol.signing import Envelope
from promptster_collector.errors import GoneError, SetupError
from promptster_collector.store.durable_files import Durability, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger("promptster_collector")

_CHECKPOINT = "checkpoint.json"
_SUFFIX = ".tombstone"


@dataclass(frozen=True, kw_only=True)
class ErasedSession:
    """One erased session: ids and the signed tombstone, no personal data."""

    organisation: str | None
    """Its organisation; ``None`` if only its tombstone is known."""
    session: str
    person: str | None
    """The person whose last session this was."""
    state: str
    """``withdrawn`` or ``erased``."""
    tombstone: str
    """The signed tombstone's envelope, base64url."""

    @property
    def envelope(self) -> bytes:
        """The signed tombstone's exact bytes."""
        return b64u_decode(self.tombstone)


def erased_session(
    *, organisation: str | None, session: str, person: str | None, state: str, envelope: bytes
) -> ErasedSession:
    """An erased session, from its tombstone's exact bytes."""
    return ErasedSession(
        organisation=organisation, session=session, person=person, state=state, tombstone=b64u_encode(envelope)
    )


def erased_refusal(state: str, tombstone: bytes | None) -> GoneError:
    """The refusal for an erased session, with its tombstone."""
    envelope = None if tombstone is None else Envelope.decode(tombstone).to_json()
    what = "withdrawn" if state == TombstoneOutcome.WITHDRAWN else "deleted"
    hint = "Its keys are destroyed, so nobody can read it."
    return GoneError(f"the session was {what}", code=state, hint=hint, extra={"tombstone": envelope})


@dataclass(frozen=True, kw_only=True)
class LastCheckpoint:
    """The end of the log, by which a restored database is recognised."""

    number: int
    """The origin's number."""
    size: int
    """Leaves under the checkpoint."""
    note: str
    """The signed note."""


class TombstoneFolder:
    """The folder of tombstones, and its copy elsewhere if there is one."""

    def __init__(self, folder: Path, copy: Path | None = None) -> None:
        self._folder = folder
        self._copy = copy

    def old_erased_sessions(self) -> Iterator[ErasedSession]:
        """Every session whose tombstone is a file of its own.

        Raises:
            SetupError: a tombstone cannot be read, so that nothing may be served.
        """
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            try:
                yield ErasedSession(**json.loads(path.read_bytes()))
            except (OSError, ValueError, TypeError) as error:
                hint = "Restore the tombstones folder. Without it erased sessions could come back."
                raise SetupError(f"the tombstone {path.name} cannot be read", hint=hint, code="tombstone") from error

    def note_checkpoint(self, last: LastCheckpoint) -> None:
        """Store the newest checkpoint; returns when a complete file is on the disk, the new or the old one.

        A damaged file would keep the collector from starting, because nothing else shows a restored database. A copy
        that cannot be written is tried again with the next checkpoint.
        """
        _write_checkpoint(self._folder, last)
        self._write_copy(last)

    def _write_copy(self, last: LastCheckpoint) -> None:
        if self._copy is None:
            return
        try:
            _write_checkpoint(self._copy, last)
        except OSError as error:
            log.error("cannot write the copy of the tombstones: %s", type(error).__name__)  # noqa: TRY400 - no content

    def last_checkpoint(self) -> LastCheckpoint | None:
        """The newest checkpoint of this collector, even if its database or this folder is older.

        Raises:
            SetupError: the file is damaged.
        """
        mine = _read_checkpoint(self._folder)
        kept = None if self._copy is None else _read_checkpoint(self._copy)
        if kept is None or (mine is not None and (mine.number, mine.size) >= (kept.number, kept.size)):
            if mine is not None and mine != kept:
                self._write_copy(mine)
            return mine
        log.warning("the copy of the tombstones has a newer checkpoint of the log: the data folder is from a backup")
        return kept


def _write_checkpoint(folder: Path, last: LastCheckpoint) -> None:
    data = json.dumps(asdict(last), sort_keys=True).encode()
    write_atomically(folder / _CHECKPOINT, data, durability=Durability.CONTENT)


def _read_checkpoint(folder: Path) -> LastCheckpoint | None:
    path = folder / _CHECKPOINT
    try:
        return LastCheckpoint(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        hint = "Restore the tombstones folder from its newest copy."
        raise SetupError(f"{path.name} in the tombstones folder is damaged", hint=hint, code="tombstone") from error
