"""Rate limits: token buckets in memory, bounded in number.

Requests that lack the secret or the signature that their route requires are counted by the sender's address, and only
when they fail. So nobody can use up the limits of a session or of an invite's holder, not even from the same address:
a signed request, or one with the right secret, is never refused because of what others sent.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from promptster_collector.errors import BusyError

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection

    from promptster_collector.clock import Clock

_KEPT = 10_000
"""Buckets that one limiter remembers; the least recently used is dropped first."""
_NETWORK_BITS = 64
"""The part of an IPv6 address that identifies one customer's network."""


class RateLimiter:
    """A token bucket for each key: ``amount`` at once, refilled over ``seconds``."""

    def __init__(self, clock: Clock, *, amount: int, seconds: float) -> None:
        """All buckets start full."""
        self._clock = clock
        self._amount = float(amount)
        self._rate = amount / seconds
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """The number of buckets that are remembered."""
        return len(self._left)

    def take(self, key: str) -> int:
        """Count one and return 0, or count nothing and return the whole seconds until the next one is free."""
        now = self._clock.monotonic()
        left, then = self._left.get(key, (self._amount, now))
        left = min(self._amount, left + (now - then) * self._rate)
        if left < 1.0:
            return math.ceil((1.0 - left) / self._rate) or 1
        self._left[key] = (left - 1.0, now)
        self._left.move_to_end(key)
        if len(self._left) > _KEPT:
            self._left.popitem(last=False)
        return 0


def network_of(address: str) -> str:
    """What identifies a sender: an IPv4 address, or the first 64 bits of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _NETWORK_BITS), strict=False).network_address)


def sender_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The network that a request came from."""
    return "" if connection.client is None else network_of(connection.client.host)


class FailureLimits:
    """Limits requests that lack the signature or the secret that their route requires, by sender.

    Only failures are counted, after they failed: the answer to a signed batch never depends on them.
    """

    def __init__(self, clock: Clock, *, unsigned_per_second: int, secrets_per_minute: int) -> None:
        """No failures are counted yet."""
        self._unsigned = RateLimiter(clock, amount=unsigned_per_second, seconds=1.0)
        self._secrets = RateLimiter(clock, amount=secrets_per_minute, seconds=60.0)

    def unsigned(self, sender: str, refused: Exception) -> Exception:
        """The error for a request that no session's key signed: ``refused``, or that there were too many of them."""
        return self._answer(self._unsigned, sender, refused)

    def wrong_secret(self, sender: str, refused: Exception) -> Exception:
        """The error for a secret that opens no invite: ``refused``, or that there were too many of them."""
        return self._answer(self._secrets, sender, refused)

    def _answer(self, buckets: RateLimiter, sender: str, refused: Exception) -> Exception:
        wait = buckets.take(sender)
        if not wait:
            return refused
        return BusyError("too many invalid requests from this address", retry_after=wait)
