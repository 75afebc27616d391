"""The bounded queue between forwarding and observing.

Forwarding never waits for an observer: observations are queued, and delivered after the bytes were written. When the
queue is full, body bytes are left out and counted, and the observer receives the count.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from promptster.proxy.header_fields import Headers, without_response_credentials
from promptster.proxy.limits import Limits, Timing
from promptster.proxy.observation import (
    DataMissed,
    ExchangeEnd,
    Observation,
    Observer,
    Outcome,
    RequestData,
    RequestEnd,
    RequestInfo,
    ResponseData,
    ResponseStart,
)

_ITEM_COST: Final = 256
"""Bytes that an item counts for in addition to its data, so that many tiny pieces are bounded too."""
_URGENT: Final = 1024 * 1024
"""Bytes in the queue that are delivered without delay."""

_REQUEST_END: Final = RequestEnd()


class ObservationQueue:
    """What observers have yet to receive, in order; bounded in bytes."""

    def __init__(self, *, limits: Limits, timing: Timing, on_fault: Callable[[Exception], None]) -> None:
        """Make an empty queue; exceptions of observers go to ``on_fault``."""
        self.missed_bytes = 0
        """Body bytes that no observer received since the start."""
        self.room = limits.observed_bytes
        """Bytes that may still be queued; messages without data are queued even below zero."""
        self._urgent_room = limits.observed_bytes - min(_URGENT, limits.observed_bytes // 2)
        self._timing = timing
        self._on_fault = on_fault
        self._items: deque[tuple[ExchangeReporter, RequestInfo | Observation, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._draining = False
        self._loop = asyncio.get_running_loop()

    def put(self, reporter: ExchangeReporter, item: RequestInfo | Observation, size: int = 0) -> None:
        """Queue one item of an exchange, with the size of its data."""
        cost = size + _ITEM_COST
        self._items.append((reporter, item, cost))
        self.room -= cost
        if self._timer is None:
            self._timer = self._loop.call_later(self._timing.observe_delay_s, self._drain)
        if self.room < self._urgent_room and not self._draining:
            self._draining = True
            self._loop.call_soon(self._drain)

    def has_room(self, size: int) -> bool:
        """Whether data of this size may be queued."""
        return self.room >= size + _ITEM_COST

    def _drain(self) -> None:
        self.deliver_for(self._timing.observe_slice_s)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._draining = bool(self._items)
        if self._draining:
            self._loop.call_soon(self._drain)

    def deliver_for(self, seconds: float) -> None:
        """Deliver queued items for about this long."""
        deadline = time.perf_counter() + seconds
        while self._items:
            self._deliver_one()
            if time.perf_counter() > deadline:
                break

    def _deliver_one(self) -> None:
        reporter, item, cost = self._items.popleft()
        self.room += cost
        try:
            reporter.deliver(item)
        except Exception as exc:  # noqa: BLE001 - an observer's fault must not reach the traffic
            self._on_fault(exc)

    def flush(self) -> None:
        """Deliver everything now."""
        while self._items:
            self._deliver_one()


class ExchangeReporter:
    """Reports one exchange to the queue, and opens its observer when the first item is delivered."""

    def __init__(
        self, queue: ObservationQueue, open_observer: Callable[[RequestInfo], Observer], info: RequestInfo
    ) -> None:
        """Queue the opening of the observer."""
        self._queue = queue
        self._open_observer = open_observer
        self._observer: Observer | None = None
        self._missed = 0
        self._ended = False
        queue.put(self, info)

    def deliver(self, item: RequestInfo | Observation) -> None:
        """Give one item to the observer; if it could not be opened, there is nobody to give it to."""
        if isinstance(item, RequestInfo):
            self._observer = self._open_observer(item)
        elif self._observer is not None:
            self._observer.observe(item)

    def request_data(self, data: bytes) -> None:
        """Report a piece of the request's body, or count it as missed."""
        if data and self._take(len(data)):
            self._queue.put(self, RequestData(data), len(data))

    def request_end(self) -> None:
        """Report that the request is complete."""
        self._report_missed()
        self._queue.put(self, _REQUEST_END)

    def response_start(self, status: int, headers: Headers) -> None:
        """Report the final response's head."""
        self._report_missed()
        self._queue.put(self, ResponseStart(status, without_response_credentials(headers)))

    def response_data(self, data: bytes) -> None:
        """Report a piece of the response's body, or count it as missed."""
        if data and self._take(len(data)):
            self._queue.put(self, ResponseData(data), len(data))

    def end(self, outcome: Outcome, reason: str) -> None:
        """Report the end, once."""
        if self._ended:
            return
        self._ended = True
        self._report_missed()
        self._queue.put(self, ExchangeEnd(outcome, reason))

    def _take(self, size: int) -> bool:
        """Whether the queue has room for data; if not, the data is missed."""
        if not self._queue.has_room(size):
            self._missed += size
            self._queue.missed_bytes += size
            return False
        self._report_missed()
        return True

    def _report_missed(self) -> None:
        if self._missed:
            self._queue.put(self, DataMissed(self._missed))
            self._missed = 0
