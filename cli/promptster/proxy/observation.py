"""What the proxy tells about the traffic it forwards, and the bounded queue between forwarding and telling.

Forwarding never waits for an observer: what an observer is to see goes into a queue that is drained after the bytes
were written. When the queue is full, body bytes are left out and counted, and the observer is told how many it missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Headers = tuple[tuple[bytes, bytes], ...]
"""Header fields in order, names in the case in which they were sent."""

Outcome = Literal["complete", "cut_by_provider", "cut_by_agent", "failed"]
"""How an exchange ended; ``failed`` means that the provider never answered."""

PRIVATE_REQUEST_HEADERS = frozenset(
    {
        b"authorization",
        b"proxy-authorization",
        b"x-api-key",
        b"api-key",
        b"x-goog-api-key",
        b"x-amz-security-token",
        b"cookie",
        b"x-promptster-token",
    }
)
"""Credentials: forwarded to the provider, never shown to an observer."""

PRIVATE_RESPONSE_HEADERS = frozenset({b"set-cookie", b"set-cookie2", b"authentication-info", b"proxy-authenticate"})
"""Credentials that a provider hands out."""


@dataclass(frozen=True, kw_only=True)
class RequestInfo:
    """The head of one request that is being forwarded."""

    upstream: str
    """Name of the upstream, such as ``anthropic``."""
    method: str
    """Request method as sent."""
    target: str
    """Path and query below the upstream's base URL; the token is not part of it."""
    headers: Headers
    """Header fields as sent, without credentials."""
    received_ms: int
    """Wall clock when the head was complete, milliseconds since the epoch."""


class Observer(Protocol):
    """Sees one exchange, in order, after its bytes were written.

    Every method is called on the forwarder's event loop and returns quickly.
    """

    def request_body(self, data: bytes) -> None:
        """A piece of the request's payload, transfer coding removed, content coding not."""
        ...

    def request_end(self) -> None:
        """The request is complete."""
        ...

    def response_head(self, status: int, headers: Headers) -> None:
        """The provider's final status and header fields, without credentials."""
        ...

    def response_body(self, data: bytes) -> None:
        """A piece of the response's payload, transfer coding removed, content coding not."""
        ...

    def missed(self, count_bytes: int) -> None:
        """So many payload bytes were forwarded here but could not be kept for the observer."""
        ...

    def finished(self, outcome: Outcome, detail: str) -> None:
        """The exchange is over; called exactly once, last."""
        ...


def without(headers: Headers, private: frozenset[bytes]) -> Headers:
    """The header fields whose lower-case name is not in ``private``."""
    return tuple(item for item in headers if item[0].lower() not in private)
