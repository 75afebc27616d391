"""Declarations of what each stored column holds, printed by ``storage-map`` and required by a test."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import MappedColumn, mapped_column

if TYPE_CHECKING:
    from sqlalchemy import MetaData

INFO_KEY = "storage_map"


class DataClass(StrEnum):
    """How sensitive a stored value is."""

    OPERATIONAL = "operational"
    """Counts, times, states and random ids of the service itself."""
    PSEUDONYM = "pseudonym"
    """Belongs to one candidate's session without naming anyone."""
    IDENTIFIER = "direct identifier"
    """A name or an e-mail address."""
    CONTENT = "session content"
    """What a candidate and an agent wrote."""
    BUSINESS = "business"
    """What the organisation wrote about its assessments."""
    SECRET = "secret"  # noqa: S105 - the name of a class of data
    """A key, or what a credential is compared with."""
    PUBLIC = "public"
    """Signed statements and hashes that are made to be shared."""


class Cipher(StrEnum):
    """How a stored value is protected."""

    NONE = "none"
    SEALED = "AES-256-GCM"
    SEALED_TWICE = "AES-256-GCM twice"
    WRAPPED = "AES-256-GCM key wrap"
    HASHED = "SHA-256"
    KEYED_HASH = "HMAC-SHA-256"


class Retention(StrEnum):
    """When a stored value is deleted."""

    COLLECTOR = "life of the collector"
    ORGANISATION = "life of the organisation"
    INVITE = "until redeemed or expired, then with the person"
    SESSION = "until erasure or the end of retention"
    INBOX = "until the session is sealed"
    PERSON = "last session of the person"
    KEY = "until erasure, rewrite or rotation"
    BACKUP = "until the backup's days are over, 7 at most"
    RESTORE = "while a restore is under way"


@dataclass(frozen=True, kw_only=True)
class Holding:
    """One column's declaration."""

    data: DataClass
    cipher: Cipher
    key: str
    retention: Retention


def declared(
    *types: Any,
    data: DataClass = DataClass.OPERATIONAL,
    cipher: Cipher = Cipher.NONE,
    key: str = "",
    retention: Retention = Retention.SESSION,
    **options: Any,
) -> MappedColumn[Any]:
    """A column with its declaration."""
    holding = Holding(data=data, cipher=cipher, key=key, retention=retention)
    return mapped_column(*types, info={INFO_KEY: holding}, **options)


def holdings(metadata: MetaData) -> dict[tuple[str, str], Holding | None]:
    """Every column of the metadata with its declaration, ``None`` if it has none."""
    return {
        (table.name, column.name): column.info.get(INFO_KEY)
        for table in metadata.sorted_tables
        for column in table.columns
    }
