"""How large batches grow, and how long sealing and sending wait."""

from __future__ import annotations

from dataclasses import dataclass

from promptster.protocol.batch import MAX_EVENTS


@dataclass(frozen=True, kw_only=True)
class SealingLimits:
    """Sizes in bytes, times in seconds."""

    batch_bytes: int = 3 * 1024 * 1024
    """Plain bytes of events after which a batch is full; a larger event has a batch to itself."""
    batch_events: int = MAX_EVENTS
    """Events after which a batch is full."""
    smallest_batch: int = 64 * 1024
    """``batch_bytes`` is never halved below this."""
    backlog: int = 4
    """Number of batches without receipts from which on new ones are delayed."""
    backlog_factor: int = 20
    """How much longer events are then collected."""
    gather_s: float = 1.0
    """How long events gather before they are sealed."""
    retry_s: float = 2.0
    """The pause after a batch that could not be stored."""


@dataclass(frozen=True, kw_only=True)
class UploadTiming:
    """Times in seconds."""

    first_pause_s: float = 0.5
    """The highest first pause after a failure; it doubles with each further one."""
    longest_pause_s: float = 60.0
    """It doubles up to this."""
    longest_retry_after_s: float = 300.0
    """The longest pause that a collector can ask for."""
    between_s: float = 0.055
    """The pause between batches: the collector takes 20 a second of one session."""
    poll_s: float = 1.0
    """The pause between questions whether everything is checked."""
