"""Has a collector prove that its log only grew since the last time, and keeps the checkpoints that it shows.

Nothing here stops a command: what cannot be asked now is asked another time. A log that does not continue is reported,
and the signed notes that show it are kept.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from promptster.client import CollectorAnswerError, CollectorClient, CollectorRefusedError
from promptster.config import PinnedKeys
from promptster.errors import CollectorError, ConfigurationError, reason_of
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.errors import LogError, ProtocolError
from promptster.protocol.log_consistency import Relation, View, compare
from promptster.protocol.merkle import leaf_hash, verify_consistency
from promptster.protocol.transparency_log import Checkpoint
from promptster.watching.kept import Kept, KeptLog, KeptLogs, NoteStanding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from promptster.config import Config
    from promptster.paths import Paths
    from promptster.protocol.key_succession import KeySuccession

MOST_ASKED: Final = 16
"""The most proofs that are requested at a time; the others are requested later."""
PATIENCE: Final = 3
"""How often in a row a collector may answer without a proof before that is reported."""
_NOT_FOUND: Final = 404
_EMPTY: Final = "log_empty"
_NO_SUCH_SIZE: Final = "log_size"


class LogFault(StrEnum):
    """What can be wrong with a log."""

    EQUIVOCATION = "equivocation"
    """It signed two trees of which neither begins with the other."""
    NOT_CONTINUED = "not_continued"
    """Its proof that it only grew does not lead from one checkpoint to the other."""
    ROLLED_BACK = "rolled_back"
    """Its newest checkpoint is older than one that it signed before."""
    FOREIGN_KEY = "foreign_key"
    """Its newest checkpoint is signed with a key that nobody vouches for."""
    NO_PROOF = "no_proof"
    """It answered several times without the requested proof."""
    RESTARTED = "restarted"
    """It started a new log, and did not show that it continues from the last kept checkpoint of the previous one."""


CONTRADICTIONS: Final = frozenset(
    {LogFault.EQUIVOCATION, LogFault.NOT_CONTINUED, LogFault.ROLLED_BACK, LogFault.FOREIGN_KEY}
)
"""Findings that no correct collector can cause; the others may have an innocent reason."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """One finding, with both signed notes."""

    kind: LogFault
    collector: str
    origin: str
    kept: str
    """The note that this computer had kept; empty if there is none."""
    shown: str
    """The note that does not fit; empty if the log is said to be empty."""
    evidence: str | None
    """The file with both notes."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """The result of one check."""

    splits: tuple[Split, ...] = ()
    trouble: str | None = None
    """Why checkpoints could not be saved on this computer."""


def watch(
    config: Config,
    url: str,
    *,
    seen: Iterable[View | None] = (),
    notes: Iterable[str] = (),
) -> Watched:
    """Keep the checkpoints that were seen and the newest one, and have the collector prove that they are one log.

    Args:
        config: settings and the folder of the notes.
        url: the collector's address; its pinned keys say which notes are its own.
        seen: checkpoints of verified bundles of this collector.
        notes: other checkpoints that it showed; those that it did not sign are ignored.
    """
    try:
        keys = PinnedKeys(config.paths).get(url)
        if keys is None or not keys.log:
            return Watched()
        with CollectorClient(url, network=config.network) as client:
            return Watched(splits=tuple(_Watch(config, url, client, keys).run(seen, notes)))
    except OSError as error:
        return Watched(trouble=reason_of(error))
    except (ConfigurationError, ProtocolError) as error:
        return Watched(trouble=error.message)


def remember(paths: Paths, url: str, note: str) -> None:
    """Keep a checkpoint that came with another answer, if the collector signed it; it is checked by the next command.

    Never raises, so that recording is not disturbed.
    """
    with suppress(OSError, ConfigurationError, ProtocolError):
        keys = PinnedKeys(paths).get(url)
        view = None if keys is None else _signed(keys, Checkpoint.parse(note))
        if view is not None:
            KeptLogs(paths).log(*view.log).keep(view)


def _signed(keys: KeySuccession, checkpoint: Checkpoint) -> View | None:
    """The checkpoint as a view, if one of these log keys signed it."""
    for record in keys.log:
        with suppress(LogError):
            checkpoint.verify(record.public_key)
            return View(checkpoint, record.public_key)
    return None


class _Watch:
    """One check of one collector."""

    def __init__(self, config: Config, url: str, client: CollectorClient, keys: KeySuccession) -> None:
        self._logs, self._pins = KeptLogs(config.paths), PinnedKeys(config.paths)
        self._url, self._client, self._keys = url, client, keys
        self._found: list[Split] = []
        self._refused = False

    def run(self, seen: Iterable[View | None], notes: Iterable[str]) -> list[Split]:
        """Do all checks, in an order in which a second command at the same time causes no contradiction."""
        own = {record.public_key for record in self._keys.log}
        for view in (*seen, *map(self._read, notes)):
            if view is not None and view.public_key in own:
                self._take(view)
        before = {
            record.public_key: (self._logs.heads(record.public_key), self._largest(record.public_key))
            for record in self._keys.log
        }
        head = self._head()
        if head is not None:
            self._compare_heads(head, *before.get(head.public_key, ([], {})))
            self._take(head)
            self._prove(head)
        self._count_refusals(head)
        return self._found

    def _count_refusals(self, head: View | None) -> None:
        """Count answers without a proof, and report a collector that keeps answering without one."""
        key = self._keys.log[-1].public_key
        if not self._refused:
            if head is not None:
                self._logs.forget_refusals(key)
            return
        origins = [head.checkpoint.origin] if head is not None else self._logs.heads(key)[-1:]
        if not origins or self._logs.count_refusal(key) < PATIENCE:
            return
        notes = self._logs.log(key, origins[0]).notes()
        held = [kept.view.checkpoint.note for kept in notes if kept.standing is NoteStanding.HELD]
        unproved = [kept.view.checkpoint.note for kept in notes if kept.standing is NoteStanding.NEW]
        kept, shown = held[-1] if held else "", unproved[-1] if unproved else ""
        kind = LogFault.NO_PROOF
        split = Split(kind=kind, collector=self._url, origin=origins[0], kept=kept, shown=shown, evidence=None)
        self._found.append(split)

    def _largest(self, public_key: bytes) -> dict[str, Kept]:
        """For each origin that was the newest log, the note that covers the most entries."""
        notes = {origin: self._logs.log(public_key, origin).notes() for origin in self._logs.heads(public_key)}
        return {origin: kept[-1] for origin, kept in notes.items() if kept}

    def _take(self, view: View) -> None:
        """Keep a note, and compare it with all that are kept."""
        log = self._logs.log(*view.log)
        log.keep(view)
        for pair in compare([view, *(kept.view for kept in log.notes())]):
            if pair.relation is not Relation.EQUIVOCATION or self._has(pair.small, pair.large):
                continue
            turned = view.tree == pair.small.tree
            if turned or view.tree == pair.large.tree:
                log.keep(view, NoteStanding.SPLIT)
            kept, shown = (pair.large, pair.small) if turned else (pair.small, pair.large)
            self._tell(LogFault.EQUIVOCATION, log, kept, shown)

    def _has(self, one: View, other: View) -> bool:
        notes = {one.checkpoint.note, other.checkpoint.note}
        return any({split.kept, split.shown} == notes for split in self._found)

    def _head(self) -> View | None:
        """The collector's newest checkpoint, if it has one and one of its keys signed it."""
        try:
            note = self._client.log_checkpoint()
        except CollectorRefusedError as error:
            if error.status == _NOT_FOUND and error.code == _EMPTY:
                self._nothing_left()
            else:
                self._refused = True
            return None
        except CollectorError as error:
            self._refused = isinstance(error, CollectorAnswerError)
            return None
        try:
            checkpoint = Checkpoint.parse(note)
        except LogError:
            self._refused = True  # no collector answers like that, so nothing was shown
            return None
        view = _signed(self._keys, checkpoint)
        if view is None:
            self._pinned_anew()
            view = _signed(self._keys, checkpoint)
        if view is None:
            log = self._logs.log(self._keys.log[-1].public_key, checkpoint.origin)
            kept = log.notes()
            self._tell(LogFault.FOREIGN_KEY, log, kept[-1].view if kept else None, checkpoint)
        return view

    def _read(self, note: str) -> View | None:
        try:
            return _signed(self._keys, Checkpoint.parse(note))
        except LogError:
            return None

    def _pinned_anew(self) -> None:
        """Accept keys that the collector's key file adds after the pinned ones, if they do not contradict them."""
        try:
            self._keys = self._pins.pin(self._url, self._client.keys())
        except (CollectorError, ProtocolError):
            return

    def _nothing_left(self) -> None:
        for record in self._keys.log:
            for origin in self._logs.heads(record.public_key):
                log = self._logs.log(record.public_key, origin)
                if notes := log.notes():
                    self._tell(LogFault.ROLLED_BACK, log, notes[-1].view, None)

    def _compare_heads(self, head: View, heads: list[str], largest: dict[str, Kept]) -> None:
        """Report a newest checkpoint that is older than one known before the request."""
        origin = head.checkpoint.origin
        if origin in heads[:-1] and heads[-1] in largest:
            last = largest[heads[-1]]
            self._tell(LogFault.ROLLED_BACK, self._logs.log(*last.view.log), last.view, head)
        elif origin in largest and largest[origin].size > head.checkpoint.size:
            self._tell(LogFault.ROLLED_BACK, self._logs.log(*head.log), largest[origin].view, head)
        if origin not in heads and self._compare_beginning(head, largest.get(heads[-1]) if heads else None):
            self._logs.add_head(head.public_key, origin)

    def _compare_beginning(self, head: View, last: Kept | None) -> bool:
        """Check that a new log continues the previous one: its first leaf is the last checkpoint of that log.

        Returns:
            Whether it could be checked, so that it is reported only once.
        """
        if last is None or any(split.origin == last.view.checkpoint.origin for split in self._found):
            return True  # what was just reported about the log before is worse, and may be why it was left
        size, begun = head.checkpoint.size, leaf_hash(last.view.checkpoint.note.encode())
        proof = self._proof(head.checkpoint.origin, 1, size) if size else []
        if proof is None:
            return False
        if not _leads(1, begun, head.checkpoint, proof):
            self._tell(LogFault.RESTARTED, self._logs.log(*head.log), last.view, head, proof)
        return True

    def _prove(self, head: View) -> None:
        """Have the collector prove that the notes not held yet belong to one log with the held ones.

        Notes for which that failed are checked again each time, and reported as long as it fails.
        """
        log = self._logs.log(*head.log)
        anchor = log.begin()
        if anchor is None or anchor.size > head.checkpoint.size:
            return  # a log that went back was already reported, and cannot prove what it lacks
        size = head.checkpoint.size
        asked = [kept for kept in log.notes() if kept.size <= size and kept.standing is not NoteStanding.HELD]
        held_sizes = {kept.size for kept in log.notes() if kept.standing is NoteStanding.HELD}
        for kept in [kept for kept in asked if kept.size not in held_sizes][-MOST_ASKED:]:
            small, large = sorted((anchor.view, kept.view), key=lambda view: view.checkpoint.size)
            proof = self._proof(small.checkpoint.origin, small.checkpoint.size, large.checkpoint.size)
            if proof is None:
                return
            held = _holds(small.checkpoint, large.checkpoint, proof)
            log.keep(kept.view, NoteStanding.HELD if held else NoteStanding.SPLIT)
            if not held:
                self._tell(LogFault.NOT_CONTINUED, log, anchor.view, kept.view, proof)
            elif kept.size > anchor.size:
                anchor = kept

    def _proof(self, origin: str, old: int, new: int) -> list[bytes] | None:
        """The collector's proof that one tree begins with the other; ``None`` if it gave no answer.

        If it says that this log has no such size, that counts as an empty proof, because it signed that size.
        """
        if old == 0:
            return []
        try:
            named, proof = self._client.log_consistency(old, new)
        except CollectorRefusedError as error:
            if error.code == _NO_SUCH_SIZE and error.problem.get("origin") == origin:
                return []
            self._refused = True
            return None
        except CollectorError as error:
            self._refused = isinstance(error, CollectorAnswerError)
            return None
        if named == origin:
            return proof
        self._refused = True  # another log has just replaced it, or it keeps claiming that
        return None

    def _tell(
        self,
        kind: LogFault,
        log: KeptLog,
        kept: View | None,
        shown: View | Checkpoint | None,
        proof: Iterable[bytes] = (),
    ) -> None:
        checkpoint = shown.checkpoint if isinstance(shown, View) else shown
        notes = ["" if kept is None else kept.checkpoint.note, "" if checkpoint is None else checkpoint.note]
        named = checkpoint if kept is None else kept.checkpoint
        origin = "" if named is None else named.origin
        document: dict[str, Any] = {
            "v": 1,
            "kind": kind.value,
            "collector": self._url,
            "origin": origin,
            "log_key": b64u_encode(kept.public_key if kept is not None else self._keys.log[-1].public_key),
            "kept": notes[0],
            "shown": notes[1],
            "proof": [b64u_encode(item) for item in proof],
            "found_ms": time.time_ns() // 1_000_000,
        }
        path = log.keep_evidence(document)
        split = Split(
            kind=kind,
            collector=self._url,
            origin=origin,
            kept=notes[0],
            shown=notes[1],
            evidence=None if path is None else str(path),
        )
        self._found.append(split)
        if kind is not LogFault.FOREIGN_KEY and notes[0]:
            with suppress(CollectorError):  # its operator should know, and a log that lost entries is not continued
                self._client.hand_in_checkpoint(notes[0])


def _holds(small: Checkpoint, large: Checkpoint, proof: list[bytes]) -> bool:
    """Whether a proof shows that one tree begins with the other; every tree begins with the empty one."""
    return small.size == 0 or _leads(small.size, small.root, large, proof)


def _leads(old_size: int, old_root: bytes, new: Checkpoint, proof: list[bytes]) -> bool:
    """Whether a proof leads from a tree with this root to the checkpoint's."""
    try:
        verify_consistency(old_size=old_size, old_root=old_root, new_size=new.size, new_root=new.root, proof=proof)
    except LogError:
        return False
    return True
