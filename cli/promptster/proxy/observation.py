"""What the proxy reports about the traffic that it forwards: one frozen message for each thing observed.

An observer watches one exchange. It is opened with the request's `RequestInfo` and receives, in this order:
`RequestData` and `RequestEnd`, `ResponseStart` and `ResponseData`, and `ExchangeEnd` exactly once, last. A provider may
respond before the request is complete, and `DataMissed` may come anywhere in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from promptster.proxy.header_fields import Headers

ExchangeOutcome = Literal["complete", "cut_by_provider", "cut_by_agent", "failed"]
"""How an exchange ended; ``failed`` means that the provider never responded."""


@dataclass(frozen=True, kw_only=True)
class RequestInfo:
    """The head of one request that is being forwarded."""

    upstream: str
    """Name of the upstream, such as ``anthropic``."""
    method: str
    """Request method as sent."""
    target: str
    """Path and query below the upstream's base URL, without the token."""
    headers: Headers
    """Header fields as sent, without credentials."""
    received_ms: int
    """Wall clock when the head was complete, milliseconds since the epoch."""
    credentials: frozenset[bytes] = field(default=frozenset(), repr=False)
    """The secrets in the removed fields; an observer uses them only to keep them out of what it records."""


@dataclass(frozen=True, slots=True)
class RequestData:
    """A piece of the request's body, transfer coding removed, content coding not."""

    data: bytes


@dataclass(frozen=True, slots=True)
class RequestEnd:
    """The request is complete."""


@dataclass(frozen=True, slots=True)
class ResponseStart:
    """The provider's final status and header fields, without credentials."""

    status: int
    headers: Headers


@dataclass(frozen=True, slots=True)
class ResponseData:
    """A piece of the response's body, transfer coding removed, content coding not."""

    data: bytes


@dataclass(frozen=True, slots=True)
class DataMissed:
    """Body bytes that were forwarded at this point but could not be kept for the observer."""

    size: int


@dataclass(frozen=True, slots=True)
class ExchangeEnd:
    """The exchange is over."""

    outcome: ExchangeOutcome
    reason: str
    """Why it ended early, for people; empty when it is complete."""


Observation = RequestData | RequestEnd | ResponseStart | ResponseData | DataMissed | ExchangeEnd
"""Everything that an observer receives."""


class Observer(Protocol):
    """Watches one exchange."""

    def observe(self, observation: Observation) -> None:
        """Take the next observation; called on the proxy's event loop, after the bytes were written, so be quick."""
        ...


class NullObserver:
    """Ignores the exchange."""

    def observe(self, observation: Observation) -> None:
        """Do nothing."""
