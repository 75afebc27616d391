"""The bounded queue between forwarding and observing.

Forwarding never waits for an observer: observations are queued, and delivered after the bytes were written. When the
queue is full, body bytes are left out and counted, and the observer receives the count.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from promptster.proxy.header_fields import Headers, without_response_credentials
from promptster.proxy.limits import Limits, Timing
from promptster.proxy.observation import (
    DataMissed,
    ExchangeEnd,
    ExchangeOutcome,
    Observation,
    Observer,
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
        self._items: deque[tuple[ExchangeReporter, Observation | None, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._draining = False
        self._loop = asyncio.get_running_loop()

    def put(self, reporter: ExchangeReporter, observation: Observation | None, size: int = 0) -> None:
        """Queue an observation of an exchange, with the size of its data, or ``None`` to open its observer."""
        cost = size + _ITEM_COST
        self._items.append((reporter, observation, cost))
        self.room -= cost
        if self._timer is None:
            self._timer = self._loop.call_later(self._timing.observe_delay_s, self._drain)
        if self.room < self._urgent_room and not self._draining:
            self._draining = True
            self._loop.call_soon(self._drain)

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
        self._deliver(time.perf_counter() + seconds)

    def flush(self) -> None:
        """Deliver everything now."""
        self._deliver(math.inf)

    def _deliver(self, deadline: float) -> None:
        items = self._items
        while items:
            reporter, observation, cost = items.popleft()
            self.room += cost
            try:
                if observation is None:
                    reporter.open()
                elif reporter.observer is not None:
                    reporter.observer.observe(observation)
            except Exception as exc:  # noqa: BLE001 - an observer's fault must not reach the traffic
                self._on_fault(exc)
            if time.perf_counter() > deadline:
                break


class ExchangeReporter:
    """Reports one exchange to the queue, and opens its observer when the first item is delivered."""

    def __init__(
        self, queue: ObservationQueue, open_observer: Callable[[RequestInfo], Observer], info: RequestInfo
    ) -> None:
        """Queue the opening of the observer."""
        self._queue = queue
        self._open_observer = open_observer
        self._info = info
        self.observer: Observer | None = None
        """Receives the observations; stays ``None`` if it could not be opened, and they are dropped."""
        self._missed = 0
        self._ended = False
        queue.put(self, None)

    def open(self) -> None:
        """Open the observer."""
        self.observer = self._open_observer(self._info)

    def data(self, piece: RequestData | ResponseData) -> None:
        """Report a piece of a body, or count it as missed if the queue is full."""
        size, queue = len(piece.data), self._queue
        if queue.room < size + _ITEM_COST:
            self._missed += size
            queue.missed_bytes += size
            return
        if self._missed:
            self._report_missed()
        queue.put(self, piece, size)

    def request_end(self) -> None:
        """Report that the request is complete."""
        self._report_missed()
        self._queue.put(self, _REQUEST_END)

    def response_start(self, status: int, headers: Headers) -> None:
        """Report the final response's head."""
        self._report_missed()
        self._queue.put(self, ResponseStart(status, without_response_credentials(headers)))

    def end(self, outcome: ExchangeOutcome, reason: str) -> None:
        """Report the end, once."""
        if self._ended:
            return
        self._ended = True
        self._report_missed()
        self._queue.put(self, ExchangeEnd(outcome, reason))

    def _report_missed(self) -> None:
        if self._missed:
            self._queue.put(self, DataMissed(self._missed))
            self._missed = 0
