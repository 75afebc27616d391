"""Names of keys: what a key is for, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Purpose(StrEnum):
    """What a key is for."""

    COLLECTOR = "collector"
    """Seed of the Ed25519 key that signs documents."""
    LOG = "log"
    """Seed of the Ed25519 key that signs checkpoints."""
    ORGANISATION = "organisation"
    """An organisation's assessments, and the outer layer of identifiers."""
    INDEX = "index"
    """Blind index over e-mail addresses."""
    PERSON = "person"
    """The inner layer of one person's identifiers."""
    SEALING = "sealing"
    """Private half of an invite's X25519 pair."""
    SESSION = "session"
    """Everything stored about one session."""
    CONTENT = "content"
    """The key that the candidate's client encrypts batches with."""
    SEGMENT = "segment"
    """One version of a session's segment."""


@dataclass(frozen=True, kw_only=True)
class KeyName:
    """The name of one key, bound into its wrapping."""

    purpose: Purpose
    organisation: str = ""
    session: str = ""
    person: str = ""
    label: str = ""
    """A key id or version, if one owner has several keys for a purpose."""

    @property
    def context(self) -> str:
        """The purpose part of the wrapping's associated data."""
        return f"{self.purpose}/{self.person}/{self.label}"


def organisation_key(organisation: str) -> KeyName:
    """The organisation's own data key."""
    return KeyName(purpose=Purpose.ORGANISATION, organisation=organisation)


def index_key(organisation: str) -> KeyName:
    """The key of the organisation's blind index."""
    return KeyName(purpose=Purpose.INDEX, organisation=organisation)


def person_key(organisation: str, person: str) -> KeyName:
    """The key of one person's identifiers within one organisation."""
    return KeyName(purpose=Purpose.PERSON, organisation=organisation, person=person)


def sealing_key(organisation: str, key_id: str) -> KeyName:
    """The private half of an invite's sealing pair."""
    return KeyName(purpose=Purpose.SEALING, organisation=organisation, label=key_id)


def session_key(organisation: str, session: str) -> KeyName:
    """The session's data key."""
    return KeyName(purpose=Purpose.SESSION, organisation=organisation, session=session)


def content_key(organisation: str, session: str) -> KeyName:
    """The session's content key, made by the candidate's client."""
    return KeyName(purpose=Purpose.CONTENT, organisation=organisation, session=session)


def segment_key(organisation: str, session: str, version: int) -> KeyName:
    """The key of one version of the session's segment."""
    return KeyName(purpose=Purpose.SEGMENT, organisation=organisation, session=session, label=str(version))
