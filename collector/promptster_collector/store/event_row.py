"""The row that a segment keeps of an event."""

from __future__ import annotations

from msgspec import Struct


class EventRow(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One event on its way into or out of a segment."""

    n: int
    """The batch it came in."""
    seq: int
    src: str
    kind: str
    lane: int
    ms: int
    mono_ms: int
    public: bytes
    """The event's exact public bytes."""
    secrets: bytes
    """Salts and stored values as on the wire; empty if there are none."""
    blocks: bytes
    """Blocks first used by this event, as frames."""

    @property
    def size(self) -> int:
        """Bytes of everything binary in the row."""
        return len(self.public) + len(self.secrets) + len(self.blocks)
