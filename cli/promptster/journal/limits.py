"""How large the journal and what waits for it may grow, and how long its writer waits."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class JournalLimits:
    """Sizes in bytes, times in seconds."""

    file: int = 8 * MIB
    """From this size on, records go to a new file."""
    pending: int = 32 * MIB
    """Agents' events that wait for a disk that refuses; more are dropped and counted."""
    fresh: int = 6 * MIB
    """Durable events kept in memory for the next batch; later ones are read from the disk."""
    group: int = MIB
    """Events that are made durable together."""
    heavy: int = 4096
    """A field is heavy, and may be left out while the disk is nearly full, from this encoded size on."""
    low_space: int = 64 * MIB
    """The disk is nearly full below this."""
    gather_s: float = 0.005
    """How long events gather before they are made durable together."""
    retry_s: tuple[float, ...] = (0.1, 0.5, 1.0, 2.0, 5.0)
    """Pauses between tries while the disk refuses; the last one repeats."""
