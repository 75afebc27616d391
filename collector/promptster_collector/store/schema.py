"""The tables of the control database.

Every table with an organisation's data has a column for it. Columns named ``*_sealed`` are AES-256-GCM under
the session's, the organisation's or the person's key; times are milliseconds since the Unix epoch.
"""

from __future__ import annotations

from typing import cast

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, LargeBinary, String, Table, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped

from promptster_collector.store.declare import Cipher, DataClass, Retention, declared

_ORGANISATION_KEY = "organisation key"
_SESSION_KEY = "session data key"
_BOTH_KEYS = "person key, then organisation key"


class Base(DeclarativeBase):
    """Metadata of the control database."""


def _row_number() -> Mapped[int]:
    return declared(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


def _organisation() -> Mapped[str]:
    return declared(ForeignKey("organisations.id"), index=True, retention=Retention.ORGANISATION)


class Organisation(Base):
    """One hiring company."""

    __tablename__ = "organisations"
    id: Mapped[str] = declared(String(64), primary_key=True, retention=Retention.ORGANISATION)
    name_sealed: Mapped[bytes] = declared(
        LargeBinary,
        data=DataClass.BUSINESS,
        cipher=Cipher.SEALED,
        key=_ORGANISATION_KEY,
        retention=Retention.ORGANISATION,
    )
    created_ms: Mapped[int] = declared(BigInteger, retention=Retention.ORGANISATION)


class Person(Base):
    """A member of the hiring team or a candidate; only this table has direct identifiers."""

    __tablename__ = "persons"
    __table_args__ = (UniqueConstraint("organisation", "email_index"),)
    id: Mapped[str] = declared(String(64), primary_key=True, data=DataClass.PSEUDONYM, retention=Retention.PERSON)
    organisation: Mapped[str] = _organisation()
    email_index: Mapped[bytes] = declared(
        LargeBinary(32),
        data=DataClass.IDENTIFIER,
        cipher=Cipher.KEYED_HASH,
        key="organisation index key",
        retention=Retention.PERSON,
    )
    email_sealed: Mapped[bytes] = declared(
        LargeBinary, data=DataClass.IDENTIFIER, cipher=Cipher.SEALED_TWICE, key=_BOTH_KEYS, retention=Retention.PERSON
    )
    name_sealed: Mapped[bytes] = declared(
        LargeBinary, data=DataClass.IDENTIFIER, cipher=Cipher.SEALED_TWICE, key=_BOTH_KEYS, retention=Retention.PERSON
    )
    created_ms: Mapped[int] = declared(BigInteger, retention=Retention.PERSON)


class Membership(Base):
    """A person of the hiring team with a role."""

    __tablename__ = "members"
    id: Mapped[str] = declared(String(64), primary_key=True, retention=Retention.ORGANISATION)
    organisation: Mapped[str] = _organisation()
    person: Mapped[str] = declared(ForeignKey("persons.id"), data=DataClass.PSEUDONYM, retention=Retention.ORGANISATION)
    role: Mapped[str] = declared(String(16), retention=Retention.ORGANISATION)
    created_ms: Mapped[int] = declared(BigInteger, retention=Retention.ORGANISATION)


class Token(Base):
    """A bearer token of the hiring team."""

    __tablename__ = "tokens"
    id: Mapped[str] = declared(String(64), primary_key=True, retention=Retention.ORGANISATION)
    organisation: Mapped[str] = _organisation()
    role: Mapped[str] = declared(String(16), retention=Retention.ORGANISATION)
    label_sealed: Mapped[bytes] = declared(
        LargeBinary,
        data=DataClass.BUSINESS,
        cipher=Cipher.SEALED,
        key=_ORGANISATION_KEY,
        retention=Retention.ORGANISATION,
    )
    secret_sha256: Mapped[bytes] = declared(
        LargeBinary(32), unique=True, data=DataClass.SECRET, cipher=Cipher.HASHED, retention=Retention.ORGANISATION
    )
    created_ms: Mapped[int] = declared(BigInteger, retention=Retention.ORGANISATION)
    expires_ms: Mapped[int] = declared(BigInteger, retention=Retention.ORGANISATION)
    revoked_ms: Mapped[int | None] = declared(BigInteger, retention=Retention.ORGANISATION)


class Assessment(Base):
    """An assessment; its policy's exact bytes never change."""

    __tablename__ = "assessments"
    id: Mapped[str] = declared(String(64), primary_key=True, retention=Retention.ORGANISATION)
    organisation: Mapped[str] = _organisation()
    title_sealed: Mapped[bytes] = declared(
        LargeBinary,
        data=DataClass.BUSINESS,
        cipher=Cipher.SEALED,
        key=_ORGANISATION_KEY,
        retention=Retention.ORGANISATION,
    )
    repository_sealed: Mapped[bytes | None] = declared(
        LargeBinary,
        data=DataClass.BUSINESS,
        cipher=Cipher.SEALED,
        key=_ORGANISATION_KEY,
        retention=Retention.ORGANISATION,
    )
    time_limit_minutes: Mapped[int] = declared(Integer, retention=Retention.ORGANISATION)
    retention_days: Mapped[int] = declared(Integer, retention=Retention.ORGANISATION)
    policy_sealed: Mapped[bytes] = declared(
        LargeBinary,
        data=DataClass.BUSINESS,
        cipher=Cipher.SEALED,
        key=_ORGANISATION_KEY,
        retention=Retention.ORGANISATION,
    )
    policy_sha256: Mapped[str] = declared(
        String(64), data=DataClass.PUBLIC, cipher=Cipher.HASHED, retention=Retention.ORGANISATION
    )
    created_ms: Mapped[int] = declared(BigInteger, retention=Retention.ORGANISATION)


class Invite(Base):
    """One invitation; it is redeemed once, by one key."""

    __tablename__ = "invites"
    id: Mapped[str] = declared(String(64), primary_key=True, retention=Retention.INVITE)
    organisation: Mapped[str] = _organisation()
    assessment: Mapped[str] = declared(ForeignKey("assessments.id"), retention=Retention.INVITE)
    person: Mapped[str | None] = declared(
        ForeignKey("persons.id"), index=True, data=DataClass.PSEUDONYM, retention=Retention.PERSON
    )
    secret_sha256: Mapped[bytes] = declared(
        LargeBinary(32), data=DataClass.SECRET, cipher=Cipher.HASHED, retention=Retention.INVITE
    )
    document_sealed: Mapped[bytes] = declared(
        LargeBinary, data=DataClass.BUSINESS, cipher=Cipher.SEALED, key=_ORGANISATION_KEY, retention=Retention.INVITE
    )
    sealing_key_id: Mapped[str] = declared(String(64), data=DataClass.PUBLIC, retention=Retention.INVITE)
    created_ms: Mapped[int] = declared(BigInteger, retention=Retention.INVITE)
    expires_ms: Mapped[int] = declared(BigInteger, retention=Retention.INVITE)
    used_ms: Mapped[int | None] = declared(BigInteger, retention=Retention.INVITE)
    request_sha256: Mapped[bytes | None] = declared(
        LargeBinary(32), data=DataClass.PSEUDONYM, cipher=Cipher.HASHED, retention=Retention.INVITE
    )
    box_sha256: Mapped[bytes | None] = declared(
        LargeBinary(32), data=DataClass.PSEUDONYM, cipher=Cipher.HASHED, retention=Retention.INVITE
    )
    session: Mapped[str | None] = declared(String(64), data=DataClass.PSEUDONYM, retention=Retention.INVITE)
    opened_ms: Mapped[int | None] = declared(BigInteger, data=DataClass.PSEUDONYM, retention=Retention.INVITE)
    reopened: Mapped[int] = declared(Integer, data=DataClass.PSEUDONYM, retention=Retention.INVITE, server_default="0")
    reopened_ms: Mapped[str] = declared(
        String(256), data=DataClass.PSEUDONYM, retention=Retention.INVITE, server_default="[]"
    )


class Session(Base):
    """One candidate's session, from redemption to its tombstone."""

    __tablename__ = "sessions"
    id: Mapped[str] = declared(String(64), primary_key=True, data=DataClass.PSEUDONYM)
    organisation: Mapped[str] = _organisation()
    assessment: Mapped[str] = declared(ForeignKey("assessments.id"))
    invite: Mapped[str] = declared(String(64))
    person: Mapped[str | None] = declared(
        ForeignKey("persons.id"), index=True, data=DataClass.PSEUDONYM, retention=Retention.PERSON
    )
    state: Mapped[str] = declared(String(16), index=True, retention=Retention.COLLECTOR)
    public_key: Mapped[bytes | None] = declared(LargeBinary(32), data=DataClass.PSEUDONYM)
    access_sha256: Mapped[bytes | None] = declared(
        LargeBinary(32), unique=True, data=DataClass.SECRET, cipher=Cipher.HASHED
    )
    certificate_sealed: Mapped[bytes | None] = declared(
        LargeBinary, data=DataClass.PSEUDONYM, cipher=Cipher.SEALED, key=_SESSION_KEY
    )
    consent_sealed: Mapped[bytes | None] = declared(
        LargeBinary, data=DataClass.PSEUDONYM, cipher=Cipher.SEALED, key=_SESSION_KEY
    )
    redeem_sealed: Mapped[bytes | None] = declared(
        LargeBinary, data=DataClass.PSEUDONYM, cipher=Cipher.SEALED, key=_SESSION_KEY
    )
    policy_sealed: Mapped[bytes | None] = declared(
        LargeBinary, data=DataClass.BUSINESS, cipher=Cipher.SEALED, key=_SESSION_KEY
    )
    retention_days: Mapped[int] = declared(Integer)
    started_ms: Mapped[int] = declared(BigInteger)
    record_until_ms: Mapped[int] = declared(BigInteger)
    upload_until_ms: Mapped[int] = declared(BigInteger)
    next_n: Mapped[int] = declared(Integer)
    next_seq: Mapped[int] = declared(BigInteger)
    head_sha256: Mapped[bytes | None] = declared(LargeBinary(32), data=DataClass.PSEUDONYM, cipher=Cipher.HASHED)
    stored_bytes: Mapped[int] = declared(BigInteger)
    checked_n: Mapped[int] = declared(Integer)
    opened_bytes: Mapped[int] = declared(BigInteger, server_default="0")
    source_counts: Mapped[str] = declared(String(512), data=DataClass.PSEUDONYM)
    closed_ms: Mapped[int | None] = declared(BigInteger)
    close_sealed: Mapped[bytes | None] = declared(
        LargeBinary, data=DataClass.PSEUDONYM, cipher=Cipher.SEALED, key=_SESSION_KEY
    )
    sealed_ms: Mapped[int | None] = declared(BigInteger)
    tombstone: Mapped[bytes | None] = declared(LargeBinary, data=DataClass.PUBLIC, retention=Retention.COLLECTOR)


class Batch(Base):
    """One received batch; the table is the inbox. ``arrival`` is the order in which receipts enter the log."""

    __tablename__ = "batches"
    __table_args__ = (
        UniqueConstraint("session", "n"),
        Index("ix_batches_unlogged", "leaf_index", "arrival"),
        Index("ix_batches_unchecked", "checked_ms", "arrival"),
    )
    arrival: Mapped[int] = _row_number()
    organisation: Mapped[str] = _organisation()
    session: Mapped[str] = declared(ForeignKey("sessions.id"), data=DataClass.PSEUDONYM)
    n: Mapped[int] = declared(Integer)
    first: Mapped[int] = declared(BigInteger)
    count: Mapped[int] = declared(Integer)
    header_sha256: Mapped[bytes] = declared(LargeBinary(32), data=DataClass.PSEUDONYM, cipher=Cipher.HASHED)
    head_sealed: Mapped[bytes] = declared(LargeBinary, data=DataClass.PSEUDONYM, cipher=Cipher.SEALED, key=_SESSION_KEY)
    body_sealed: Mapped[bytes | None] = declared(
        LargeBinary, data=DataClass.CONTENT, cipher=Cipher.SEALED, key=_SESSION_KEY, retention=Retention.INBOX
    )
    received_ms: Mapped[int] = declared(BigInteger)
    receipt_sealed: Mapped[bytes] = declared(
        LargeBinary, data=DataClass.PSEUDONYM, cipher=Cipher.SEALED, key=_SESSION_KEY
    )
    leaf_sha256: Mapped[bytes] = declared(LargeBinary(32), data=DataClass.PUBLIC, cipher=Cipher.HASHED)
    leaf_origin: Mapped[int | None] = declared(Integer)
    leaf_index: Mapped[int | None] = declared(BigInteger)
    checked_ms: Mapped[int | None] = declared(BigInteger)
    check_sealed: Mapped[bytes | None] = declared(
        LargeBinary, data=DataClass.PSEUDONYM, cipher=Cipher.SEALED, key=_SESSION_KEY
    )
    readable: Mapped[bool | None] = declared(Boolean)


class Conflict(Base):
    """Another header for a batch number that was taken; at most four are kept for a session."""

    __tablename__ = "conflicts"
    __table_args__ = (UniqueConstraint("session", "n", "header_sha256"),)
    id: Mapped[int] = _row_number()
    organisation: Mapped[str] = _organisation()
    session: Mapped[str] = declared(ForeignKey("sessions.id"), index=True, data=DataClass.PSEUDONYM)
    n: Mapped[int] = declared(Integer)
    header_sha256: Mapped[bytes] = declared(LargeBinary(32), data=DataClass.PSEUDONYM, cipher=Cipher.HASHED)
    head_sealed: Mapped[bytes] = declared(LargeBinary, data=DataClass.PSEUDONYM, cipher=Cipher.SEALED, key=_SESSION_KEY)
    at_ms: Mapped[int] = declared(BigInteger)


class Segment(Base):
    """One sealed file of a session."""

    __tablename__ = "segments"
    __table_args__ = (UniqueConstraint("session", "version"),)
    id: Mapped[int] = _row_number()
    organisation: Mapped[str] = _organisation()
    session: Mapped[str] = declared(ForeignKey("sessions.id"), data=DataClass.PSEUDONYM)
    version: Mapped[int] = declared(Integer)
    file_sha256: Mapped[bytes] = declared(LargeBinary(32), cipher=Cipher.HASHED)
    size: Mapped[int] = declared(BigInteger)
    events: Mapped[int] = declared(BigInteger)
    created_ms: Mapped[int] = declared(BigInteger)


class LogOrigin(Base):
    """One Merkle log; a restored collector starts a new one."""

    __tablename__ = "log_origins"
    number: Mapped[int] = declared(Integer, primary_key=True, autoincrement=False, retention=Retention.COLLECTOR)
    origin: Mapped[str] = declared(String(256), data=DataClass.PUBLIC, retention=Retention.COLLECTOR)
    size: Mapped[int] = declared(BigInteger, retention=Retention.COLLECTOR)
    created_ms: Mapped[int] = declared(BigInteger, retention=Retention.COLLECTOR)


class LogNode(Base):
    """The hash of a complete subtree; level 0 holds the leaves."""

    __tablename__ = "log_nodes"
    origin: Mapped[int] = declared(
        ForeignKey("log_origins.number"), primary_key=True, autoincrement=False, retention=Retention.COLLECTOR
    )
    level: Mapped[int] = declared(Integer, primary_key=True, autoincrement=False, retention=Retention.COLLECTOR)
    position: Mapped[int] = declared(BigInteger, primary_key=True, autoincrement=False, retention=Retention.COLLECTOR)
    hash: Mapped[bytes] = declared(
        LargeBinary(32), data=DataClass.PUBLIC, cipher=Cipher.HASHED, retention=Retention.COLLECTOR
    )


class LogCheckpoint(Base):
    """A signed note over the log at one size."""

    __tablename__ = "log_checkpoints"
    origin: Mapped[int] = declared(
        ForeignKey("log_origins.number"), primary_key=True, autoincrement=False, retention=Retention.COLLECTOR
    )
    size: Mapped[int] = declared(BigInteger, primary_key=True, autoincrement=False, retention=Retention.COLLECTOR)
    note: Mapped[bytes] = declared(LargeBinary, data=DataClass.PUBLIC, retention=Retention.COLLECTOR)
    created_ms: Mapped[int] = declared(BigInteger, retention=Retention.COLLECTOR)


class Alarm(Base):
    """An alarm for the operator: ids, no content."""

    __tablename__ = "alarms"
    id: Mapped[int] = _row_number()
    organisation: Mapped[str | None] = declared(
        ForeignKey("organisations.id"), index=True, retention=Retention.ORGANISATION
    )
    kind: Mapped[str] = declared(String(32), retention=Retention.ORGANISATION)
    invite: Mapped[str | None] = declared(String(64), retention=Retention.ORGANISATION)
    session: Mapped[str | None] = declared(
        String(64), index=True, data=DataClass.PSEUDONYM, retention=Retention.ORGANISATION
    )
    at_ms: Mapped[int] = declared(BigInteger, retention=Retention.ORGANISATION)


class Read(Base):
    """The read audit: who read which session, by which route."""

    __tablename__ = "reads"
    id: Mapped[int] = _row_number()
    organisation: Mapped[str] = _organisation()
    session: Mapped[str] = declared(String(64), index=True, data=DataClass.PSEUDONYM)
    reader: Mapped[str] = declared(String(16))
    token: Mapped[str | None] = declared(String(64))
    action: Mapped[str] = declared(String(16))
    at_ms: Mapped[int] = declared(BigInteger)


SESSIONS = cast("Table", Session.__table__)
"""For statements that run for every batch, where the mapped class costs too much."""
BATCHES = cast("Table", Batch.__table__)
"""For the same statements."""
