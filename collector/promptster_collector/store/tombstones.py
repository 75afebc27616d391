"""What must outlive any restored backup: tombstones of erased sessions, and the log's last checkpoint.

A tombstone is on the disk before the first key is destroyed. ``serve`` replays all of them before it listens.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.privacy import WITHDRAWN
from promptster.protocol.signing import Envelope
from promptster_collector.errors import GoneError, SetupError
from promptster_collector.store.files import Durability, write_atomically, write_durably

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHECKPOINT = "checkpoint.json"
_SUFFIX = ".tombstone"


@dataclass(frozen=True, kw_only=True)
class Grave:
    """One erased session: ids and the signed tombstone, nothing about anybody."""

    organisation: str
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


def grave(*, organisation: str, session: str, person: str | None, state: str, envelope: bytes) -> Grave:
    """A grave around the tombstone's exact bytes."""
    return Grave(
        organisation=organisation, session=session, person=person, state=state, tombstone=b64u_encode(envelope)
    )


def buried(state: str, tombstone: bytes | None) -> GoneError:
    """The refusal for an erased session, with its tombstone."""
    envelope = None if tombstone is None else Envelope.decode(tombstone).to_json()
    what = "withdrawn" if state == WITHDRAWN else "deleted"
    hint = "Its keys are destroyed, so nobody can read it."
    return GoneError(f"the session was {what}", code=state, hint=hint, extra={"tombstone": envelope})


@dataclass(frozen=True, kw_only=True)
class LastCheckpoint:
    """How far the log had come: tells a restored database from the newest one."""

    number: int
    """The origin's number."""
    size: int
    """Leaves under the checkpoint."""
    note: str
    """The signed note."""


class TombstoneFolder:
    """The folder of tombstones."""

    def __init__(self, folder: Path) -> None:
        """Keep the path."""
        self._folder = folder

    def bury(self, grave: Grave) -> None:
        """Write one tombstone; returns when it is on the disk."""
        data = json.dumps(asdict(grave), sort_keys=True).encode()
        write_durably(self._folder / f"{grave.session}{_SUFFIX}", data)

    def graves(self) -> Iterator[Grave]:
        """Every erased session.

        Raises:
            SetupError: a tombstone cannot be read; nothing may be served then.
        """
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            try:
                yield Grave(**json.loads(path.read_bytes()))
            except (OSError, ValueError, TypeError) as error:
                hint = "Restore the tombstones folder. Without it erased sessions could come back."
                raise SetupError(f"the tombstone {path.name} cannot be read", hint=hint, code="tombstone") from error

    def note_checkpoint(self, last: LastCheckpoint) -> None:
        """Remember the newest checkpoint; returns when the file is whole on the disk, under its old or new name.

        A torn file would keep the collector from starting, because nothing else tells a restored database.
        """
        data = json.dumps(asdict(last), sort_keys=True).encode()
        write_atomically(self._folder / _CHECKPOINT, data, durability=Durability.CONTENT)

    def last_checkpoint(self) -> LastCheckpoint | None:
        """The newest checkpoint that this collector made, also when its database is older.

        Raises:
            SetupError: the file is damaged.
        """
        path = self._folder / _CHECKPOINT
        try:
            return LastCheckpoint(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise SetupError(f"{path.name} among the tombstones is damaged", code="tombstone") from error
