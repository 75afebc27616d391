"""The endings of one collector and their copy elsewhere: deleted sessions, revoked tokens, used invites.

An entry is on the disk before what it names is destroyed. ``serve`` reapplies all entries before it listens, so that no
restored backup brings back a deleted session, a revoked token or a used invite.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from promptster.protocol.errors import ProtocolError
from promptster.protocol.privacy import Tombstone
from promptster.protocol.signing import Envelope, open_envelope
from promptster_collector.errors import OptionError, SetupError
from promptster_collector.store.disk_reserve import WritePriority
from promptster_collector.store.ending_lines import (
    NAME,
    EndingKind,
    EndingLine,
    EndingsHead,
    append_lines,
    check_lines,
    hash_of,
    head_of,
    line_of,
    read_lines,
    require_continuation,
)
from promptster_collector.store.tombstones import ErasedSession

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from promptster_collector.store.disk_reserve import DiskReserve
    from promptster_collector.store.keys.identity import CollectorIdentity

log = logging.getLogger("promptster_collector")

_MINE = "the tombstones"
_KEPT = "the copied tombstones"


class HeadKeeper(Protocol):
    """Stores the head of the endings a second time: the key store."""

    def ended_head(self) -> EndingsHead:
        """The last stored head."""
        ...

    def note_ended(self, head: EndingsHead) -> None:
        """Store a head durably."""
        ...


@dataclass(frozen=True, kw_only=True)
class Ending:
    """One ending, before it has a line in the file."""

    what: EndingKind
    organisation: str | None
    id: str
    at_ms: int
    person: str | None = None
    state: str | None = None
    tombstone: str | None = None

    @classmethod
    def of_erased_session(cls, erased: ErasedSession, at_ms: int) -> Ending:
        """The ending of a session that was erased, with its tombstone."""
        return cls(
            what=EndingKind.SESSION,
            organisation=erased.organisation,
            id=erased.session,
            at_ms=at_ms,
            person=erased.person,
            state=erased.state,
            tombstone=erased.tombstone,
        )


class Endings:
    """The endings of one collector."""

    def __init__(
        self,
        folder: Path,
        *,
        identity: CollectorIdentity,
        heads: HeadKeeper,
        reserve: DiskReserve,
        copy: Path | None = None,
    ) -> None:
        """Read the file, and demand that nothing is missing from it.

        Raises:
            SetupError: entries were changed or are missing, or the copy contradicts them.
            OptionError: the copy's folder does not exist, or is the same one.
        """
        self._path = folder / NAME
        self._copy = None if copy is None else copy / NAME
        self._identity = identity
        self._heads = heads
        self._reserve = reserve
        self._lock = threading.RLock()
        lines, self._size = read_lines(self._path)
        found = check_lines(lines, identity.succession, where=_MINE)
        found += self._catch_up_with_copy(lines)
        require_continuation(lines, heads.ended_head(), where=_MINE)
        self._ended = {(document.what, document.id): document for document in found}
        self._head = head_of(lines)
        if not self._path.exists():  # an empty file says that nothing has ended
            self._size = append_lines(self._path, [], size=0)
        self._note()

    def _catch_up_with_copy(self, lines: list[bytes]) -> list[EndingLine]:
        """Add what only the copy has; returns the entries that were missing here."""
        self._copied, self._copied_size = 0, 0
        if self._copy is None:
            return []
        if not self._copy.parent.is_dir():
            hint = "Create it, on another disk. Check --tombstones-copy."
            raise OptionError(f"there is no folder {self._copy.parent}", hint=hint, code="tombstones_copy")
        if self._copy.parent.samefile(self._path.parent):
            hint = "Choose a folder on another disk. Check --tombstones-copy."
            raise OptionError(
                "--tombstones-copy names the data folder's own tombstones", hint=hint, code="tombstones_copy"
            )
        kept, self._copied_size = read_lines(self._copy)
        documents = check_lines(kept, self._identity.succession, where=_KEPT)
        both = min(len(kept), len(lines))
        if kept[:both] != lines[:both]:
            raise SetupError(
                "the tombstones and their copy contradict each other: this data folder is from a backup",
                hint="Keep both and serve neither. Report this to Promptster's maintainers.",
                code="tombstones_fork",
            )
        missing = kept[len(lines) :]
        if missing:
            log.warning(
                "the data folder is from a backup: adding what only the copy of the tombstones has (%d)",
                len(missing),
            )
            self._size = self._reserve.use(
                WritePriority.ENDING, lambda: append_lines(self._path, missing, size=self._size)
            )
            lines.extend(missing)
        self._copied = len(kept)
        return documents[both:] if missing else []

    def _note(self, fresh: Sequence[bytes] = ()) -> None:
        """Store the head in the key store and update the copy; ``fresh`` are the lines that were just written."""
        if self._heads.ended_head() != self._head:
            self._heads.note_ended(self._head)
        self.bring_copy_up_to_date(fresh)

    def bring_copy_up_to_date(self, fresh: Sequence[bytes] = ()) -> None:
        """Update the copy; if that fails, log it and leave it for the next time."""
        if self._copy is None:
            return
        with self._lock:
            try:
                self._append_to_copy(self._copy, fresh)
            except OSError as error:
                log.error("cannot write the copy of the tombstones: %s", type(error).__name__)  # noqa: TRY400 - no content

    def _append_to_copy(self, copy: Path, fresh: Sequence[bytes]) -> None:
        if not copy.exists():  # it may be another disk now: write everything again
            self._copied, self._copied_size = 0, 0
        elif copy.stat().st_size < self._copied_size:
            raise OSError("it was cut")
        elif self._copied == self._head.count:
            return
        missing = fresh if self._copied + len(fresh) == self._head.count else read_lines(self._path)[0][self._copied :]
        self._copied_size = append_lines(copy, missing, size=self._copied_size)
        self._copied = self._head.count

    async def look_after_copy(self) -> None:
        """Update the copy in a thread; a sweep."""
        await asyncio.to_thread(self.bring_copy_up_to_date)

    @property
    def head(self) -> EndingsHead:
        """The head of the endings."""
        return self._head

    def has(self, what: EndingKind, name: str) -> bool:
        """Whether this has ended."""
        return (what, name) in self._ended

    def add(self, entries: Iterable[Ending]) -> None:
        """Add entries that are not there yet; returns when they are on the disk.

        Raises:
            StorageFullError: there is no space, not even in the reserve.
        """
        with self._lock:
            new = [entry for entry in entries if (entry.what, entry.id) not in self._ended]
            documents: list[EndingLine] = []
            lines: list[bytes] = []
            head = self._head
            for entry in new:
                documents.append(self._document(entry, head))
                lines.append(line_of(documents[-1], self._identity.signer))
                head = EndingsHead(head.count + 1, hash_of(lines[-1]))
            if lines:
                self._size = self._reserve.use(
                    WritePriority.ENDING, lambda: append_lines(self._path, lines, size=self._size)
                )
                self._head = head
                self._ended.update({(document.what, document.id): document for document in documents})
            self._note(lines)

    def _document(self, entry: Ending, head: EndingsHead) -> EndingLine:
        values: dict[str, Any] = dict(vars(entry))
        return EndingLine(kid=self._identity.signer.kid, i=head.count, prev=head.sha256, **values)

    def add_erased(self, erased: ErasedSession, *, at_ms: int) -> None:
        """Add an erased session; returns when it is on the disk."""
        self.add([Ending.of_erased_session(erased, at_ms)])

    def adopt(self, sessions: Iterable[ErasedSession], *, at_ms: int) -> None:
        """Add sessions whose tombstones are files of their own, from version 0.1.

        Raises:
            SetupError: this collector did not sign one of them.
        """
        found = list(sessions)
        for erased in found:
            self._require_own(erased)
        self.add(Ending.of_erased_session(erased, at_ms) for erased in found)

    def _require_own(self, erased: ErasedSession) -> None:
        with contextlib.suppress(ProtocolError):
            own = own_tombstone(Envelope.decode(erased.envelope), self._identity)
            if own is not None and own.session == erased.session:
                return
        hint = "Restore the tombstones folder. Without it erased sessions could come back."
        raise SetupError(f"the tombstone of {erased.session} belongs to another collector", hint=hint, code="tombstone")

    def erased_sessions(self) -> Iterator[ErasedSession]:
        """Every erased session, oldest first."""
        for document in self.all(EndingKind.SESSION):
            yield _erased_session(document)

    def erased_session(self, session: str) -> ErasedSession | None:
        """A session's ending, or ``None`` if it was not erased."""
        document = self._ended.get((EndingKind.SESSION, session))
        return None if document is None else _erased_session(document)

    def all(self, what: EndingKind) -> Sequence[EndingLine]:
        """Every entry of a kind, oldest first."""
        with self._lock:
            return [document for document in self._ended.values() if document.what == what]


def own_tombstone(envelope: Envelope, identity: CollectorIdentity) -> Tombstone | None:
    """A tombstone, if this collector signed it.

    Raises:
        ProtocolError: it is not a tombstone, or its signature is wrong.
    """
    key = identity.succession.find(Tombstone.parse(envelope.payload).kid)
    return None if key is None else open_envelope(Tombstone, envelope, key)


def _erased_session(document: EndingLine) -> ErasedSession:
    return ErasedSession(
        organisation=document.organisation,
        session=document.id,
        person=document.person,
        state=document.state or "",
        tombstone=document.tombstone or "",
    )
