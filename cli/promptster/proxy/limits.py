"""The sizes and times that bound the proxy's work; tests pass smaller ones."""

from __future__ import annotations

from dataclasses import dataclass

_KIB = 1024
_MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much the proxy holds and accepts."""

    observed_bytes: int = 64 * _MIB
    """Payload waiting for observers; bytes beyond this are still forwarded, but not observed, and are counted."""
    connections: int = 512
    """Open connections from agents; a further one closes the oldest that never presented the token."""
    idle_connections: int = 8
    """Unused connections kept per upstream."""
    hook_bytes: int = 16 * _MIB
    """Size of a hook's payload: twice the longest recorded value, which leaves room for JSON escapes and the rest."""
    pipelined_bytes: int = 64 * _KIB
    """Bytes that an agent may send beyond its current request before the proxy stops reading."""
    early_request_bytes: int = 256 * _KIB
    """Request bytes held while the provider is being connected to; then the proxy stops reading."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long the proxy waits, in seconds."""

    head_s: float = 30.0
    """For a complete request head."""
    connect_s: float = 30.0
    """For a connection to a provider, TLS included."""
    idle_s: float = 60.0
    """Until an unused connection to a provider is closed."""
    drain_s: float = 5.0
    """For an agent to stop sending and close, after it was given its last response."""
    reset_check_s: float = 0.05
    """Between two checks of whether everything before a reset was sent: the system reports no event."""
    observe_delay_s: float = 0.004
    """That an observation waits for others, so that one turn of the loop delivers what many streams brought."""
    observe_slice_s: float = 0.002
    """That observers may work before the loop looks at the sockets again."""
    before_hook_s: float = 0.01
    """That a hook waits for observers; hooks are answered within 50 ms."""
