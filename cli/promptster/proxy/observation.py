"""What the proxy tells about the traffic it forwards, and the bounded queue between forwarding and telling.

Forwarding never waits for an observer: what an observer is to see goes into a queue that is drained after the bytes
were written. When the queue is full, body bytes are left out and counted, and the observer is told how many it missed.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

Headers = tuple[tuple[bytes, bytes], ...]
"""Header fields in order, names in the case in which they were sent."""

Outcome = Literal["complete", "cut_by_provider", "cut_by_agent", "failed"]
"""How an exchange ended; ``failed`` means that the provider never answered."""

_CREDENTIAL_FIELD = re.compile(
    rb"(?:^|[-_])(?:api-?key|key|token|secret|password|auth|authorization|credentials?|cookie)(?:$|[-_])"
)
"""Names of request fields that carry credentials, of whatever provider: forwarded, never shown to an observer."""
_CREDENTIAL = re.compile(rb"[A-Za-z0-9._~+/|-]{16,}=*")
"""A word in such a field that is no scheme's and no cookie's name."""

_PRIVATE_RESPONSE_FIELDS = frozenset({b"set-cookie", b"set-cookie2", b"authentication-info", b"proxy-authenticate"})
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
    credentials: frozenset[bytes] = field(default=frozenset(), repr=False)
    """What the fields with credentials carried: only for an observer to keep it out of what it writes down."""


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


def part(headers: Headers) -> tuple[Headers, frozenset[bytes]]:
    """A request's fields without those that carry credentials, and the words that these carry."""
    shown, hidden = list[tuple[bytes, bytes]](), list[bytes]()
    for name, value in headers:
        if _CREDENTIAL_FIELD.search(name.lower()):
            hidden += _CREDENTIAL.findall(value)
        else:
            shown.append((name, value))
    return tuple(shown), frozenset(hidden)


_ITEM_COST: Final = 256
"""Bytes that one queued item is counted for beside its data, so that many tiny pieces are bounded too."""
_SLICE_S: Final = 0.002
"""Seconds of observers' work between two looks at the sockets."""
_DELAY_S: Final = 0.004
"""Seconds that an item may wait for others, so that one turn of the loop tells what many streams brought."""
_HURRY: Final = 1024 * 1024
"""Bytes in the queue that do not wait."""


class ObservationQueue:
    """What observers have yet to see, in order; bounded in bytes."""

    def __init__(self, *, limit_bytes: int, on_fault: Callable[[Exception], None]) -> None:
        """Hold at most ``limit_bytes``; what an observer raises goes to ``on_fault``."""
        self.missed_bytes = 0
        """Payload bytes that no observer saw since the start."""
        self.room = limit_bytes
        """Bytes that may still be queued; endings and heads are queued even below zero."""
        self._hurry = limit_bytes - min(_HURRY, limit_bytes // 2)
        self._on_fault = on_fault
        self._items: deque[tuple[Watch, str, tuple[Any, ...], int]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._hurried = False
        self._loop = asyncio.get_running_loop()

    def put(self, watch: Watch, method: str, arguments: tuple[Any, ...], size: int = 0) -> None:
        """Queue one call."""
        cost = size + _ITEM_COST
        self._items.append((watch, method, arguments, cost))
        self.room -= cost
        if self._timer is None:
            self._timer = self._loop.call_later(_DELAY_S, self._drain)
        if self.room < self._hurry and not self._hurried:
            self._hurried = True
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        self.catch_up(_SLICE_S)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._hurried = bool(self._items)
        if self._hurried:
            self._loop.call_soon(self._drain)

    def catch_up(self, seconds: float) -> None:
        """Tell what is queued, for about so long."""
        deadline = time.perf_counter() + seconds
        while self._items:
            self._deliver_one()
            if time.perf_counter() > deadline:
                break

    def _deliver_one(self) -> None:
        watch, method, arguments, cost = self._items.popleft()
        self.room += cost
        try:
            watch.deliver(method, arguments)
        except Exception as exc:  # noqa: BLE001 - an observer's fault must not reach the traffic
            self._on_fault(exc)

    def flush(self) -> None:
        """Tell everything now."""
        while self._items:
            self._deliver_one()


class Watch:
    """One exchange's way into the queue; opens its observer when the first item is told."""

    def __init__(
        self, queue: ObservationQueue, open_observer: Callable[[RequestInfo], Observer], info: RequestInfo
    ) -> None:
        """Queue the opening of the observer."""
        self._queue = queue
        self._open = open_observer
        self._observer: Observer | None = None
        self._missed = 0
        self._over = False
        queue.put(self, "opened", (info,))

    def deliver(self, method: str, arguments: tuple[Any, ...]) -> None:
        """Make one call; nothing is told when the observer could not be opened."""
        if method == "opened":
            self._observer = self._open(*arguments)
        elif self._observer is not None:
            getattr(self._observer, method)(*arguments)

    def body(self, method: str, data: bytes) -> None:
        """Tell a piece of payload by ``request_body`` or ``response_body``, or count it as missed."""
        size = len(data)
        if not size:
            return
        queue = self._queue
        if queue.room < size + _ITEM_COST:
            self._missed += size
            queue.missed_bytes += size
            return
        if self._missed:
            self._tell_missed()
        queue.put(self, method, (data,), size)

    def request_end(self) -> None:
        """Tell that the request is complete."""
        self._tell_missed()
        self._queue.put(self, "request_end", ())

    def response_head(self, status: int, headers: Headers) -> None:
        """Tell the final response's head."""
        self._tell_missed()
        shown = tuple(item for item in headers if item[0].lower() not in _PRIVATE_RESPONSE_FIELDS)
        self._queue.put(self, "response_head", (status, shown))

    def finished(self, outcome: Outcome, detail: str) -> None:
        """Tell the end, once."""
        if self._over:
            return
        self._over = True
        self._tell_missed()
        self._queue.put(self, "finished", (outcome, detail))

    def _tell_missed(self) -> None:
        if self._missed:
            self._queue.put(self, "missed", (self._missed,))
            self._missed = 0
