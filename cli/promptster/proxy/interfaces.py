"""What the two sides of the proxy and the exchange between them call on each other.

Each of them is given the others when it is made and knows them only by these Protocols, so that no module needs the
module that uses it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from promptster.proxy.framing import Body
from promptster.proxy.http1 import MessageRefusedError


class AgentWriter(Protocol):
    """An agent's connection, as the handler of its current request uses it."""

    writable: bool
    """Whether the agent's socket takes more bytes."""

    write: Callable[[bytes], None]
    """Sends response bytes, or queues them if the socket is full."""

    def pause_request(self) -> None:
        """Stop reading the request."""
        ...

    def resume_request(self) -> None:
        """Continue to read the request."""
        ...

    def ends_by_close(self) -> None:
        """Note that the response which has begun ends when the connection is closed, as nothing else marks its end."""
        ...

    def response_complete(self, *, close: bool, drain: bool) -> None:
        """Continue with the next request.

        Args:
            close: whether to close the connection instead.
            drain: whether the agent is still sending its request.
        """
        ...

    def refuse(self, error: MessageRefusedError) -> None:
        """Send an error response of the proxy's own, and close."""
        ...

    def cut(self, *, reset: bool, drain: bool) -> None:
        """Close without a complete response, as the provider did.

        Args:
            reset: whether the provider's connection was reset.
            drain: whether the agent is still sending its request.
        """
        ...


class RequestHandler(Protocol):
    """What an agent's connection gives the bytes of one request to."""

    request: Body
    """Follows the request's body; bytes from the agent belong to this request until it is done."""

    def start(self, data: bytes) -> bytes:
        """Begin with the body's first bytes, and return the bytes after the request."""
        ...

    def request_received(self, data: bytes) -> bytes:
        """Take bytes of the body, and return the bytes after the request."""
        ...

    def agent_disconnected(self) -> None:
        """Give up, because the agent has closed the connection."""
        ...

    def stop(self) -> None:
        """Give up, because the proxy stops."""
        ...

    def pause_response(self) -> None:
        """Stop sending, because the agent's socket is full."""
        ...

    def resume_response(self) -> None:
        """Continue to send."""
        ...


class ResponseHandler(Protocol):
    """What a provider's connection gives the bytes of one response to."""

    def response_received(self, data: bytes) -> None:
        """Take response bytes."""
        ...

    def provider_disconnected(self, exc: Exception | None) -> None:
        """Take the connection's end; ``exc`` is ``None`` when the provider closed it properly."""
        ...

    def pause_request(self) -> None:
        """Stop sending the request, because the provider's socket is full."""
        ...

    def resume_request(self) -> None:
        """Continue to send the request."""
        ...
