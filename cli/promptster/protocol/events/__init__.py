"""Events: a frozen class for every kind, and how its fields are written, committed to, and read back."""

from promptster.protocol.events.body import read_body
from promptster.protocol.events.kinds import FIELD_TYPES, KINDS, Event
from promptster.protocol.events.public import MAX_REFS, PublicEvent
from promptster.protocol.events.recorded import OpenedEvent, RecordedEvent
from promptster.protocol.events.sources import Source
from promptster.protocol.events.writing import Draft, compose

__all__ = [
    "FIELD_TYPES",
    "KINDS",
    "MAX_REFS",
    "Draft",
    "Event",
    "OpenedEvent",
    "PublicEvent",
    "RecordedEvent",
    "Source",
    "compose",
    "read_body",
]
