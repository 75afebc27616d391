"""The collector's settings, and where its files are.

Database and segments have names that other back ends can replace by URLs; the key store, the master key and the
tombstones are separate because each has its own backups.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits that ingest, checks, sealing, invites and reading enforce."""

    batch_body: int = 4 * MIB
    """Bytes of a batch's encrypted body."""
    session_bytes: int = 512 * MIB
    """Bytes of all encrypted bodies of one session."""
    batches_per_second: int = 20
    """Batches that one session may send in a second, also as a burst."""
    unsigned_per_second: int = 5
    """Unsigned batches and withdrawals that one address may send in a second."""
    wrong_secrets_per_minute: int = 60
    """Wrong invite secrets that one address may send in a minute."""
    invites_per_hour: int = 200
    """Invites that one token may create in an hour, also as a burst."""
    invite_ms: int = 72 * HOUR_MS
    """How long an invite can be redeemed."""
    untimed_session_ms: int = 24 * HOUR_MS
    """How long a session without a time limit may record."""
    upload_ms: int = 72 * HOUR_MS
    """How long after the end of recording batches are still accepted."""
    token_ms: int = 365 * DAY_MS
    """How long a team token is valid, unless its creator states less."""
    json_body: int = 256 * 1024
    """Bytes of a JSON request."""
    opened_bytes: int = 2048 * MIB
    """Bytes of all decrypted events of one session."""
    page_bytes: int = 16 * MIB
    """Bytes of events in one page, if it is more than one event."""
    piece_bytes: int = 16 * MIB
    """Bytes of events in one piece of a sealed session, if it is more than one event: what sealing and reading hold."""
    check_batches: int = 64
    """Batches that one round of checks opens at most."""
    check_bytes: int = 8 * MIB
    """Encrypted bytes that one round of checks holds in memory, if it is more than one batch."""
    seal_sessions: int = 20
    """Sessions that one round seals at most."""
    empty_bodies: int = 512
    """Bodies of a sealed session that one write empties at most."""
    empty_bytes: int = 8 * MIB
    """Bytes of them, if it is more than one: the database holds what a write changes in memory, and others wait."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long the background work waits, in seconds."""

    between_rounds: float = 0.05
    """Pause between two rounds, so that one round takes several batches."""
    for_requests: float = 0.25
    """How long a round waits at most while requests are being answered."""
    after_fault: float = 2.0
    """When work that failed is tried again."""
    after_full_disk: float = 15.0
    """When work that found no room on the disk is tried again."""
    first_seal_retry: float = 900.0
    """When a session that could not be sealed is tried again; twice as long after each further failure."""
    last_seal_retry: float = 86_400.0
    """The longest that this becomes."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One collector's folder and limits."""

    data: Path
    """The data folder."""
    public_url: str = ""
    """The base URL of invite links; empty until the listening address is known."""
    limits: Limits = field(default_factory=Limits)
    """The limits to enforce."""
    timing: Timing = field(default_factory=Timing)
    """How long background work waits."""
    sweep_seconds: float = 60.0
    """Seconds between two sweeps for expiry, retention and unfinished work."""
    key_backup_days: int | None = None
    """Days that a key backup can be used, 0 to 7; ``None`` if nothing is stated."""
    tombstones_copy: Path | None = None
    """A folder elsewhere for a copy of the tombstones."""
    reserve_bytes: int = 32 * MIB
    """Bytes of the disk that are reserved for deletion."""

    @property
    def marker(self) -> Path:
        """The file that marks a collector's data folder and names its format."""
        return self.data / "settings.json"

    @property
    def lock(self) -> Path:
        """The lock file of the one process that serves this folder."""
        return self.data / "serve.lock"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the control database."""
        return f"sqlite:///{self.data / 'control' / 'control.sqlite3'}"

    @property
    def databases(self) -> tuple[Path, ...]:
        """The files that both URLs name; a missing one would otherwise be created empty."""
        return (self.data / "control" / "control.sqlite3", self.data / "keystore" / "keystore.sqlite3")

    @property
    def segments(self) -> Path:
        """Folder of sealed sessions."""
        return self.data / "segments"

    @property
    def keystore_url(self) -> str:
        """SQLAlchemy URL of the key store."""
        return f"sqlite:///{self.data / 'keystore' / 'keystore.sqlite3'}"

    @property
    def master_key(self) -> Path:
        """The key file (0600) that wraps all other keys."""
        return self.data / "master.key"

    @property
    def tombstones(self) -> Path:
        """Folder of the endings and of the log's last checkpoint; never restored from a backup."""
        return self.data / "tombstones"

    @property
    def reserve(self) -> Path:
        """Folder of the files that reserve space for deletion."""
        return self.data / "reserve"

    @property
    def backup_keys(self) -> Path:
        """Folder of the keys that encrypt key backups; never part of a backup."""
        return self.data / "backup-keys"

    @property
    def restoring(self) -> Path:
        """The file that marks an unfinished restore."""
        return self.data / "restoring"

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder that ``init`` creates, mode 0700."""
        return (self.data, self.data / "control", self.segments, self.data / "keystore", self.tombstones)
