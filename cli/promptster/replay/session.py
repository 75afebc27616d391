"""A session ready to be shown: its timeline, what verification said, and the facts that stand at its head."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from promptster.replay.timeline import build

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from promptster.protocol.events import OpenedEvent
    from promptster.protocol.verification import Verification
    from promptster.replay.model import Gap, Timeline


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What stands at the head of a replay; every text may be empty where nobody knows it."""

    session: str = ""
    """The session's id."""
    title: str = ""
    """The assessment's title."""
    organisation: str = ""
    """Who invited."""
    candidate: str = ""
    """Whose work it is; a bundle does not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """Everything that a reader or an exporter needs."""

    timeline: Timeline
    """What happened."""
    facts: Facts = field(default_factory=Facts)
    """What stands at its head."""
    verification: Verification | None = None
    """What checking the bundle said; ``None`` where there is no bundle yet."""
    bundle: bytes | None = None
    """The bundle's own bytes."""


def from_opened(events: Sequence[OpenedEvent], *, facts: Facts | None = None, beyond: Iterable[Gap] = ()) -> Replay:
    """A replay of a session that is still running, or of which only the events are at hand.

    Args:
        events: opened wire events, in any order.
        facts: what stands at its head.
        beyond: gaps that no event reports.
    """
    return Replay(timeline=build(events, beyond=beyond), facts=facts or Facts())
