"""Size limits of the journal and its queues, and the pauses of its writer."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class JournalLimits:
    """Sizes in bytes, times in seconds."""

    file: int = 8 * MIB
    """Size from which records go to a new file."""
    pending: int = 32 * MIB
    """Agents' events that may wait while the disk fails; further ones are dropped and counted."""
    recent: int = 6 * MIB
    """Durable events kept in memory for the next batch; what does not fit is read from the disk."""
    group: int = MIB
    """Events that are made durable together, at most."""
    heavy: int = 4096
    """Encoded size above which a field is left out while the disk is nearly full."""
    low_space: int = 64 * MIB
    """Free space below which the disk is nearly full."""
    gather_s: float = 0.005
    """How long events gather before they are made durable together."""
    retry_s: tuple[float, ...] = (0.1, 0.5, 1.0, 2.0, 5.0)
    """Pauses between tries while the disk fails; the last one repeats."""
