"""The closed list of sources, and what each of them may say about the session's course."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from promptster.protocol.events.kinds import Kind


class Source(enum.StrEnum):
    """Who saw what an event reports."""

    PROXY = "proxy"
    HOOK = "hook"
    LAUNCHER = "launcher"
    WORKSPACE = "workspace"
    CANDIDATE = "candidate"
    RECORDER = "recorder"


SOURCES: Final = tuple(source.value for source in Source)
"""Every source, in the order in which they are listed for people."""

OWN_SOURCES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        Kind.OPENED: frozenset({Source.RECORDER}),
        Kind.CONSENT: frozenset({Source.CANDIDATE}),
        Kind.PAUSED: frozenset({Source.CANDIDATE, Source.RECORDER}),
        Kind.RESUMED: frozenset({Source.CANDIDATE, Source.RECORDER}),
        Kind.SUBMISSION_BASELINE: frozenset({Source.WORKSPACE}),
        Kind.SUBMISSION_FINAL: frozenset({Source.WORKSPACE}),
        Kind.CAPTURE_HEARTBEAT: frozenset({Source.RECORDER}),
        Kind.CAPTURE_CLOCK_JUMP: frozenset({Source.RECORDER}),
        Kind.CAPTURE_RECOVERED: frozenset({Source.RECORDER}),
        Kind.CLOSED: frozenset({Source.RECORDER}),
    }
)
"""Who may say that a session began, continues, pauses and ends; such a kind from another source means nothing."""


def is_own(kind: str, src: str) -> bool:
    """Whether an event of this kind is one of those in ``OWN_SOURCES``, and from a source that may report it."""
    return src in OWN_SOURCES.get(kind, ())


def ends_session(kind: str, src: str) -> bool:
    """Whether nothing follows an event: a ``closed``, and the recorder's."""
    return kind == Kind.CLOSED and is_own(kind, src)
