"""The tables of the key store."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped

from promptster_collector.store.declare import Cipher, DataClass, Retention, declared


class KeyBase(DeclarativeBase):
    """Metadata of the key store."""


def _name_part(*, data: DataClass = DataClass.OPERATIONAL) -> Mapped[str]:
    return declared(String(64), data=data, retention=Retention.KEY)


class WrappedKey(KeyBase):
    """One key under the master key; ``pending`` until the control database knows its session."""

    __tablename__ = "wrapped_keys"
    __table_args__ = (UniqueConstraint("organisation", "purpose", "session", "person", "label"),)
    id: Mapped[int] = declared(Integer, primary_key=True, autoincrement=True, retention=Retention.KEY)
    organisation: Mapped[str] = _name_part()
    purpose: Mapped[str] = _name_part()
    session: Mapped[str] = _name_part(data=DataClass.PSEUDONYM)
    person: Mapped[str] = _name_part(data=DataClass.PSEUDONYM)
    label: Mapped[str] = _name_part()
    pending: Mapped[bool] = declared(Boolean, retention=Retention.KEY)
    wrapped: Mapped[bytes] = declared(
        LargeBinary, data=DataClass.SECRET, cipher=Cipher.WRAPPED, key="master key", retention=Retention.KEY
    )
    created_ms: Mapped[int] = declared(BigInteger, retention=Retention.KEY)


class KeyRecordRow(KeyBase):
    """The signed public record of a collector or log key, in order of succession."""

    __tablename__ = "key_records"
    position: Mapped[int] = declared(Integer, primary_key=True, autoincrement=False, retention=Retention.COLLECTOR)
    purpose: Mapped[str] = declared(String(16), retention=Retention.COLLECTOR)
    kid: Mapped[str] = declared(String(64), unique=True, data=DataClass.PUBLIC, retention=Retention.COLLECTOR)
    record: Mapped[bytes] = declared(LargeBinary, data=DataClass.PUBLIC, retention=Retention.COLLECTOR)


class EndedHead(KeyBase):
    """The head of the endings; one row."""

    __tablename__ = "ended_head"
    id: Mapped[int] = declared(Integer, primary_key=True, autoincrement=False, retention=Retention.COLLECTOR)
    entries: Mapped[int] = declared(BigInteger, retention=Retention.COLLECTOR)
    sha256: Mapped[bytes] = declared(
        LargeBinary(32), data=DataClass.PUBLIC, cipher=Cipher.HASHED, retention=Retention.COLLECTOR
    )
