"""Who may use the proxy, and where an admitted request goes."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from promptster.proxy.http1 import TOKEN_HEADER, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from promptster.proxy.http1 import RequestHead

HOOK_AGENTS: Final = frozenset({"claude"})
"""Agents whose hooks arrive by HTTP, at ``/hooks/<agent>``."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where an admitted request goes: to an upstream, or to the hook receiver."""

    upstream: str | None
    """Name of the upstream, or ``None`` for a hook."""
    target: bytes
    """Path and query below the upstream's base URL; for a hook, the agent's name."""


def _segment(path: bytes) -> tuple[bytes, bytes]:
    """The first path segment, and what follows it from the next slash on."""
    first, slash, rest = path[1:].partition(b"/")
    return first, slash + rest


class Gate:
    """Decides who may use the proxy, and where an admitted request goes."""

    def __init__(self, *, token: str, port: int, upstreams: Iterable[str]) -> None:
        """Guard the listening ``port`` with ``token``."""
        self._token = token.encode()
        self._host = b"127.0.0.1:%d" % port
        self._upstreams = {name.encode(): name for name in upstreams}

    def _same(self, given: bytes) -> bool:
        return hmac.compare_digest(given, self._token)

    def admit(self, head: RequestHead) -> Route:
        """Check host, origin, protocol and token, in this order, then look the path up.

        Raises:
            RefusedError: when any of them is wrong.
        """
        if head.values(b"host") != [self._host]:
            raise RefusedError(421, "wrong_host", "the Host field does not name this proxy's address")
        if b"origin" in head.names:
            raise RefusedError(403, "browser", "requests of web pages are not served here")
        if b"upgrade" in head.names:
            raise RefusedError(426, "upgrade", "only plain HTTP/1.1 is served here")
        path, mark, query = head.target.partition(b"?")
        first, rest = _segment(path)
        given = head.values(TOKEN_HEADER)
        by_path, by_header = self._same(first), len(given) == 1 and self._same(given[0])
        if not (by_path or by_header) or (given and not by_header):
            raise RefusedError(403, "wrong_token", "the token is missing or wrong")
        if by_path:
            first, rest = _segment(rest)
        if first == b"hooks" and by_header and not by_path:
            return self._hook(head, rest)
        name = self._upstreams.get(first)
        if name is None:
            raise RefusedError(404, "unknown_path", "no provider is known by this path")
        return Route(upstream=name, target=rest + mark + query)

    def _hook(self, head: RequestHead, rest: bytes) -> Route:
        agent = rest[1:]
        if agent.decode("latin-1") not in HOOK_AGENTS:
            raise RefusedError(404, "unknown_path", "no agent's hooks are known by this path")
        if head.method != b"POST":
            raise RefusedError(405, "method", "hooks are taken by POST only")
        return Route(upstream=None, target=agent)
