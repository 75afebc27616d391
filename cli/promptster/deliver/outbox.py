"""The outbox: sealed batches and their receipts as files, and the position that follows from them.

``NNNNNNNN.batch`` is a batch's exact wire bytes, ``NNNNNNNN.receipt`` the collector's answer to it. No other record is
kept: the next position is computed from these files. ``NNNNNNNN.adopted`` says that the collector holds batches under
this number and the following ones that this machine no longer has, for example because its disk was restored. Files
that had to make room are kept under a name ending in ``.aside``.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptster.deliver.receipts import read_receipt
from promptster.journal.disk import write_whole
from promptster.protocol.batch import parse_batch, verify_batch_signature
from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.errors import BatchError, ProtocolError

if TYPE_CHECKING:
    from pathlib import Path

    from promptster.deliver.trust import TrustedKeys
    from promptster.journal.disk import Files
    from promptster.protocol.receipt import Receipt


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where the next batch begins."""

    n: int
    """Its number."""
    first: int
    """The seq of its first event."""
    prev: bytes
    """The hash of the header before it."""


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """Batches that only the collector holds."""

    n: int
    """The first of them."""
    last: int
    """The last of them."""
    header_sha256: bytes
    """The hash of the last one's header."""
    next_seq: int
    """The seq after their last event."""
    base: int | None
    """From this seq on, the journal held other events under the same numbers, which must be added again."""


@dataclass(frozen=True, kw_only=True)
class ChainEntry:
    """One sealed batch, or one adoption, of the chain."""

    n: int
    last: int
    """The number of its last batch; it differs from ``n`` only for adoptions."""
    first: int
    next_seq: int
    header_sha256: bytes
    adopted: Adoption | None = None


class Outbox:
    """The folder ``batches`` of one session; one recorder writes it."""

    def __init__(
        self,
        *,
        files: Files,
        folder: Path,
        session: str,
        genesis: bytes,
        session_public_key: bytes,
        keys: TrustedKeys,
    ) -> None:
        """Read the folder; files that do not continue the chain are set aside.

        Args:
            files: the disk.
            folder: the folder of the batches.
            session: the session's id.
            genesis: hash of the certificate's payload, the ``prev`` of batch 0.
            session_public_key: signs every batch.
            keys: the collector's keys that are trusted.

        Raises:
            OSError: the folder cannot be read.
        """
        self._files, self._folder, self._session = files, folder, session
        self._genesis, self._public_key, self._keys = genesis, session_public_key, keys
        self.chain: list[ChainEntry] = []
        """What is sealed, in order."""
        self._received = 0
        self._lock = threading.RLock()
        files.make_folder(folder)
        self._load()

    @property
    def position(self) -> Position:
        """Where the next batch begins."""
        if not self.chain:
            return Position(n=0, first=0, prev=self._genesis)
        last = self.chain[-1]
        return Position(n=last.last + 1, first=last.next_seq, prev=last.header_sha256)

    @property
    def sealed(self) -> int:
        """Number of batches that are sealed or known at the collector."""
        return self.position.n

    @property
    def received(self) -> int:
        """Number of batches acknowledged by receipts, from the first on."""
        return self.chain[self._received - 1].last + 1 if self._received else 0

    @property
    def received_events(self) -> int:
        """Number of events in acknowledged batches."""
        return self.chain[self._received - 1].next_seq if self._received else 0

    @property
    def unsent(self) -> ChainEntry | None:
        """The first batch without a receipt."""
        return self.chain[self._received] if self._received < len(self.chain) else None

    @property
    def backlog(self) -> int:
        """Number of batches without a receipt."""
        return len(self.chain) - self._received

    @property
    def last_adoption(self) -> Adoption | None:
        """The newest adoption after which events must be added again."""
        found = [entry.adopted for entry in self.chain if entry.adopted is not None and entry.adopted.base is not None]
        return found[-1] if found else None

    def events_until(self, n: int) -> int:
        """Number of events in the batches up to ``n``."""
        return max((entry.next_seq for entry in self.chain if entry.last <= n), default=0)

    def store(self, wire: bytes) -> None:
        """Store a newly sealed batch durably; it may be sent only after this.

        Raises:
            OSError: the batch was not stored and must be sealed again.
            BatchError: the batch does not continue the chain.
        """
        with self._lock:
            entry = self._examine(wire, self.position)
            write_whole(self._files, self._path(entry.n, "batch"), wire)
            self.chain.append(entry)

    def wire(self, n: int) -> bytes:
        """Read the exact bytes of a sealed batch."""
        return self._files.read(self._path(n, "batch"))

    def receipt(self, n: int) -> bytes | None:
        """Read the exact bytes of the stored receipt for a batch."""
        try:
            return self._files.read(self._path(n, "receipt"))
        except FileNotFoundError:
            return None

    def accept(self, n: int, receipt: bytes) -> None:
        """Verify and keep the receipt for the first unsent batch.

        Raises:
            ProtocolError: it is not this collector's receipt for this batch.
            OSError: it was not stored; the collector answers again with the same one.
        """
        with self._lock:
            entry = self.unsent
            if entry is None or entry.n != n:
                raise BatchError("a receipt does not belong to a batch that waits for one", code="receipt_unexpected")
            self._read_receipt(n, receipt, entry.header_sha256)
            write_whole(self._files, self._path(n, "receipt"), receipt)
            self._received += 1

    def verify(self, n: int, receipt: bytes, header_sha256: bytes | None) -> Receipt:
        """Verify a receipt for batch ``n`` without keeping it.

        Raises:
            ProtocolError: it is not this collector's receipt.
        """
        return self._read_receipt(n, receipt, header_sha256)

    def set_aside(self, n: int) -> None:
        """Take batch ``n`` and all later ones out of the chain and keep their bytes."""
        with self._lock:
            self._aside_from(n)
            self.chain = [entry for entry in self.chain if entry.last < n]
            self._received = min(self._received, len(self.chain))

    def adopt(self, adoption: Adoption, receipts: dict[int, bytes]) -> None:
        """Put batches that only the collector holds into the chain.

        Raises:
            OSError: the own batches from there on are set aside, and nothing else changed.
        """
        document = {
            "n": adoption.n,
            "last": adoption.last,
            "header_sha256": b64u_encode(adoption.header_sha256),
            "next_seq": adoption.next_seq,
            "base": adoption.base,
        }
        with self._lock:
            self.set_aside(adoption.n)
            for n, receipt in sorted(receipts.items()):
                write_whole(self._files, self._path(n, "receipt"), receipt)
            write_whole(self._files, self._path(adoption.n, "adopted"), json.dumps(document).encode())
            self._append_adoption(adoption)
            self._received = len(self.chain)

    def _load(self) -> None:
        names = set(self._files.names(self._folder))
        gap = False
        while True:
            position = self.position
            stem = f"{position.n:08d}"
            if f"{stem}.adopted" in names:
                adoption = self._read_adoption(position)
                if adoption is None:
                    break
                self._append_adoption(adoption)
                has_receipt = True
            elif f"{stem}.batch" in names:
                try:
                    self.chain.append(self._examine(self.wire(position.n), position))
                except ProtocolError:
                    break
                has_receipt = f"{stem}.receipt" in names and self._has_sound_receipt(self.chain[-1])
            else:
                break
            gap = gap or not has_receipt
            if not gap:
                self._received = len(self.chain)
        self._aside_from(self.position.n)

    def _examine(self, wire: bytes, position: Position) -> ChainEntry:
        batch = parse_batch(wire)
        verify_batch_signature(batch, self._public_key)
        header = batch.header
        named = (header.session, header.n, header.first, header.prev)
        if named != (self._session, position.n, position.first, position.prev):
            raise BatchError("a batch does not continue the chain", code="chain", fault="local")
        return ChainEntry(
            n=header.n,
            last=header.n,
            first=header.first,
            next_seq=header.first + header.count,
            header_sha256=batch.header_sha256,
        )

    def _has_sound_receipt(self, entry: ChainEntry) -> bool:
        try:
            self._read_receipt(entry.n, self.receipt(entry.n) or b"", entry.header_sha256)
        except ProtocolError:
            return False
        return True

    def _read_receipt(self, n: int, receipt: bytes, header_sha256: bytes | None) -> Receipt:
        return read_receipt(receipt, keys=self._keys, session=self._session, n=n, header_sha256=header_sha256)

    def _read_adoption(self, position: Position) -> Adoption | None:
        try:
            document: dict[str, Any] = json.loads(self._files.read(self._path(position.n, "adopted")))
            return Adoption(
                n=int(document["n"]),
                last=int(document["last"]),
                header_sha256=b64u_decode(document["header_sha256"]),
                next_seq=int(document["next_seq"]),
                base=None if document["base"] is None else int(document["base"]),
            )
        except (ValueError, KeyError, TypeError, ProtocolError):
            return None

    def _append_adoption(self, adoption: Adoption) -> None:
        self.chain.append(
            ChainEntry(
                n=adoption.n,
                last=adoption.last,
                first=self.position.first,
                next_seq=adoption.next_seq,
                header_sha256=adoption.header_sha256,
                adopted=adoption,
            )
        )

    def _aside_from(self, n: int) -> None:
        names = self._files.names(self._folder)
        for name in names:
            stem, _, kind = name.partition(".")
            if not stem.isdigit() or int(stem) < n or kind not in {"batch", "receipt", "adopted"}:
                continue
            copies = sum(other.startswith(f"{name}.") and other.endswith(".aside") for other in names)
            self._files.rename(self._folder / name, self._folder / f"{name}.{copies}.aside")
        self._files.sync_folder(self._folder)

    def _path(self, n: int, kind: str) -> Path:
        return self._folder / f"{n:08d}.{kind}"
