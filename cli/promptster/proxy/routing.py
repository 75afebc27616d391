"""Which requests the proxy accepts, and where it sends them."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from promptster.proxy.http1 import TOKEN_HEADER, MessageRefusedError, RequestHead

_HOOKS: Final = b"hooks"


@dataclass(frozen=True, slots=True)
class UpstreamRoute:
    """To a provider."""

    upstream: str
    """Name of the upstream."""
    target: bytes
    """Path and query below the upstream's base URL."""


@dataclass(frozen=True, slots=True)
class HookRoute:
    """To the hook receiver."""

    agent: str
    """The agent that the hook is from."""


def _segment(path: bytes) -> tuple[bytes, bytes]:
    """The first path segment, and the rest from the next slash on."""
    first, slash, rest = path[1:].partition(b"/")
    return first, slash + rest


class Router:
    """Checks each request's host, origin, protocol and token, and finds its route."""

    def __init__(self, *, token: str, port: int, upstreams: Collection[str], hook_agents: Collection[str]) -> None:
        """Route requests to the listening port.

        Args:
            token: the secret that every request must present, ASCII.
            port: the port at 127.0.0.1 that the Host field must name.
            upstreams: names of the upstreams, each a first path segment.
            hook_agents: agents whose hooks arrive by HTTP, at ``/hooks/<agent>``.
        """
        self._token = token.encode()
        self._host = b"127.0.0.1:%d" % port
        self._upstreams = {name.encode(): name for name in upstreams}
        self._hook_agents = {name.encode(): name for name in hook_agents}

    def _is_token(self, given: bytes) -> bool:
        return hmac.compare_digest(given, self._token)

    def route(self, head: RequestHead) -> UpstreamRoute | HookRoute:
        """Check host, origin, protocol and token, in this order, and then look up the path.

        Raises:
            MessageRefusedError: when any of them is wrong.
        """
        if head.values(b"host") != [self._host]:
            raise MessageRefusedError(421, "wrong_host", "the Host field does not name this proxy's address")
        if b"origin" in head.names:
            raise MessageRefusedError(403, "browser", "requests from web pages are not allowed")
        if b"upgrade" in head.names:
            raise MessageRefusedError(426, "upgrade", "only plain HTTP/1.1 is supported")
        path, mark, query = head.target.partition(b"?")
        first, rest = _segment(path)
        given = head.values(TOKEN_HEADER)
        by_path, by_header = self._is_token(first), len(given) == 1 and self._is_token(given[0])
        if not (by_path or by_header) or (given and not by_header):
            raise MessageRefusedError(403, "wrong_token", "the token is missing or wrong")
        if by_path:
            first, rest = _segment(rest)
        if first == _HOOKS and by_header and not by_path:
            return self._hook(head, rest)
        name = self._upstreams.get(first)
        if name is None:
            raise MessageRefusedError(404, "unknown_path", "no provider is configured at this path")
        return UpstreamRoute(upstream=name, target=rest + mark + query)

    def _hook(self, head: RequestHead, rest: bytes) -> HookRoute:
        agent = self._hook_agents.get(rest[1:])
        if agent is None:
            raise MessageRefusedError(404, "unknown_path", "no agent sends its hooks to this path")
        if head.method != b"POST":
            raise MessageRefusedError(405, "method", "hooks must be sent by POST")
        return HookRoute(agent)
