"""How often something may be done: buckets that fill again with time, in memory and bounded.

What somebody can use up without the secret or the key that a route asks for is counted for the address it came from,
and counts failures only. So nobody uses up what belongs to a session or to an invite's holder, not even from the same
address: whatever is signed, and whoever holds the secret, is never refused for what others sent.
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
"""Buckets that one budget remembers; the least recently used goes first."""
_NETWORK_BITS = 64
"""Of an IPv6 address, those that tell one customer of a network from the next."""


class RateLimiter:
    """One bucket for each key: ``amount`` at once, and as much again in every ``seconds``."""

    def __init__(self, clock: Clock, *, amount: int, seconds: float) -> None:
        """All buckets are full at first."""
        self._clock = clock
        self._amount = float(amount)
        self._rate = amount / seconds
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """How many buckets are remembered."""
        return len(self._left)

    def take(self, key: str) -> int:
        """Count one; answers 0, or after how many whole seconds the next one is free and nothing was counted."""
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
    """What one sender is known by: an IPv4 address, or the first 64 bits of an IPv6 one."""
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
    """What an address may send without the signature or the secret that a route asks for.

    Only what failed is counted, and only when it has failed: the answer to a signed batch never depends on it.
    """

    def __init__(self, clock: Clock, *, unsigned_per_second: int, secrets_per_minute: int) -> None:
        """Nothing has failed yet."""
        self._unsigned = RateLimiter(clock, amount=unsigned_per_second, seconds=1.0)
        self._secrets = RateLimiter(clock, amount=secrets_per_minute, seconds=60.0)

    def unsigned(self, sender: str, refused: Exception) -> Exception:
        """The answer to what no session's key signed: the refusal itself, or that there were too many of them."""
        return self._answer(self._unsigned, sender, refused)

    def wrong_secret(self, sender: str, refused: Exception) -> Exception:
        """The answer to a secret that opens no invite, alike."""
        return self._answer(self._secrets, sender, refused)

    def _answer(self, buckets: RateLimiter, sender: str, refused: Exception) -> Exception:
        wait = buckets.take(sender)
        if not wait:
            return refused
        return BusyError("too many requests from this address were refused", retry_after=wait)
