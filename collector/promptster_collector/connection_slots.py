"""Slots for connections: as many as the process has file descriptors for, shared fairly among senders.

A connection takes a slot when it is accepted, before TLS, and releases it when it is closed. If all slots are taken, a
new connection evicts an idle one: one that has not sent its request, has stopped sending, or does not read its answer.
The sender with the most slots loses the one that lags furthest behind. So slow clients cannot lock out others, not even
those with the same address, as behind a proxy.

One sender can hold at most three quarters of the slots, and never evicts a sender who holds fewer. So a sender who
keeps every connection busy cannot lock out other addresses.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, cast

from promptster_collector.access.rate_limits import network_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_RESERVED: Final = 96
"""Descriptors kept for everything else: databases, segments, helper processes."""
_LEAST: Final = 16
_MOST: Final = 4096
_PACE: Final = 64 * 1024
"""Bytes of a body in a second that a connection is expected to send."""
_WANTED: Final = _MOST + _RESERVED


class SlotState(Enum):
    """What a connection is doing."""

    WAITING = "waiting"
    """It is idle, in its TLS handshake, or sending a request's head."""
    SENDING = "sending"
    """It is sending a request's body."""
    ANSWERED = "answered"
    """Its request is being answered; it is never evicted."""
    UNREAD = "unread"
    """It does not read its answer."""


@dataclass(eq=False)
class ConnectionSlot:
    """What one open connection is doing, for how long, and for whom."""

    connection: socket.socket
    descriptor: int
    sender: str
    since: float
    """When it began its current state."""
    doing: SlotState = SlotState.WAITING
    received: int = 0
    """Bytes since then."""
    transport: asyncio.Transport | None = None
    """Known after the TLS handshake."""
    leaving: bool = False

    def begin(self, doing: SlotState, now: float) -> None:
        """Begin another state."""
        if doing is not self.doing:
            self.doing, self.since, self.received = doing, now, 0

    def lag_s(self, now: float) -> float:
        """How many seconds it lags behind a client that keeps the expected pace."""
        return now - self.since - (self.received / _PACE if self.doing is SlotState.SENDING else 0.0)

    def give_way(self) -> None:
        """Close the connection; its descriptor is free shortly after."""
        self.leaving = True
        if self.transport is not None:
            self.transport.abort()
            return
        with contextlib.suppress(OSError):  # it was closed already
            self.connection.shutdown(socket.SHUT_RDWR)


@dataclass
class ConnectionSlots:
    """The slots of one listener."""

    limit: int
    clock: Callable[[], float] = time.monotonic
    _taken: dict[int, ConnectionSlot] = field(default_factory=dict[int, ConnectionSlot])
    _held: Counter[str] = field(default_factory=Counter[str])
    """The number that each sender holds, without those that are being closed."""

    def __len__(self) -> int:
        """The number of slots that are taken."""
        return len(self._taken)

    def take(self, connection: socket.socket, sender: str) -> ConnectionSlot:
        """Take a slot for an accepted connection."""
        descriptor = connection.fileno()
        slot = ConnectionSlot(connection=connection, descriptor=descriptor, sender=sender, since=self.clock())
        self._taken[descriptor] = slot
        self._held[sender] += 1
        return slot

    def leave(self, slot: ConnectionSlot) -> None:
        """Release the slot of a closed connection."""
        if self._taken.get(slot.descriptor) is slot:
            del self._taken[slot.descriptor]
            if not slot.leaving:
                self._release(slot)

    def _release(self, slot: ConnectionSlot) -> None:
        self._held[slot.sender] -= 1
        if not self._held[slot.sender]:
            del self._held[slot.sender]

    def of(self, transport: asyncio.Transport) -> ConnectionSlot | None:
        """The slot of a transport's connection."""
        ours = transport.get_extra_info("socket")
        slot = None if ours is None else self._taken.get(ours.fileno())
        if slot is not None:
            slot.transport = transport
        return slot

    @property
    def share(self) -> int:
        """The number that one sender may hold."""
        return self.limit * 3 // 4

    @property
    def crowded(self) -> bool:
        """Whether the next connection has to wait until an evicted one is closed."""
        return len(self._taken) >= self.limit and any(slot.leaving for slot in self._taken.values())

    def make_room(self, sender: str) -> bool:
        """Evict a connection for the next one of ``sender`` if needed; returns whether there is a slot."""
        mine = self._held[sender]
        if mine < self.share and len(self._taken) < self.limit:
            return True
        now = self.clock()
        waited_for = (
            slot
            for slot in self._taken.values()
            if slot.doing is not SlotState.ANSWERED
            and not slot.leaving
            and (slot.sender == sender or (mine < self.share and self._held[slot.sender] > mine))
        )
        found = max(waited_for, key=lambda slot: (self._held[slot.sender], slot.lag_s(now)), default=None)
        if found is None:
            return False
        found.give_way()
        self._release(found)
        return True


class _Accepted(socket.socket):
    """A connection that releases its slot when it is closed."""

    slot: ConnectionSlot | None = None
    slots: ConnectionSlots | None = None

    def close(self) -> None:
        """Close the socket, and let another connection have its slot."""
        super().close()
        if self.slot is not None and self.slots is not None:
            self.slots.leave(self.slot)


class Listener(socket.socket):
    """A listening socket whose connections take slots."""

    slots: ConnectionSlots | None = None

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection.

        Raises:
            BlockingIOError: there is none, or its slot is not free yet.
            ConnectionAbortedError: there was one, and no connection could be evicted for it.
        """
        slots = self.slots
        if slots is not None and slots.crowded:
            raise BlockingIOError
        descriptor, address = cast("Any", self)._accept()  # noqa: SLF001 - ``socket.accept`` itself begins with it
        connection = _Accepted(self.family, self.type, self.proto, fileno=descriptor)
        # Head and body of an answer are two writes: without this the second one waits 40 ms for an acknowledgement.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if slots is None:
            return connection, address
        sender = network_of(str(address[0]))
        if not slots.make_room(sender):
            connection.close()
            raise ConnectionAbortedError
        connection.slots, connection.slot = slots, slots.take(connection, sender)
        return connection, address


def slots_for_process() -> ConnectionSlots:
    """As many slots as this process has descriptors for, after raising its limit if that is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # the current limit has to do
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    room = _WANTED if soft == resource.RLIM_INFINITY else soft
    return ConnectionSlots(limit=max(_LEAST, min(_MOST, room - _RESERVED)))
