"""Places for connections: as many as there are file descriptors for, and shared among those who come.

A connection takes a slot when it is accepted, before any TLS, and leaves it when it is closed. Where all are taken the
next one still gets in, and one that has not said yet what it wants, says nothing more, or does not read what it asked
for gives way: of the sender who holds most slots the one that is furthest behind. So nobody who is slow on purpose
keeps out those who are not, not even from the same address, which is that of everybody behind a proxy.

One sender holds three quarters of the slots at most, and never takes one of somebody who holds fewer. So whoever keeps
every connection busy keeps out nobody at another address.
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
"""Descriptors that are for everything else: databases, segments, helping processes."""
_LEAST: Final = 16
_MOST: Final = 4096
_PACE: Final = 64 * 1024
"""Bytes of a body in a second, by which those are measured who send one."""
_WANTED: Final = _MOST + _RESERVED


class SlotState(Enum):
    """What a connection does."""

    WAITING = "waiting"
    """It owes a request's head, TLS before that, or nothing at all."""
    SENDING = "sending"
    """A request's body is on its way."""
    ANSWERED = "answered"
    """Its request is worked on; it never gives way."""
    UNREAD = "unread"
    """There is an answer, and nobody takes it."""


@dataclass(eq=False)
class ConnectionSlot:
    """One connection's slot."""

    connection: socket.socket
    descriptor: int
    sender: str
    since: float
    """When it began to do what it does."""
    doing: SlotState = SlotState.WAITING
    received: int = 0
    """Bytes since then."""
    transport: asyncio.Transport | None = None
    """Known once there is a request to be expected: behind a TLS handshake."""
    leaving: bool = False

    def begin(self, doing: SlotState, now: float) -> None:
        """Do something else from now on."""
        if doing is not self.doing:
            self.doing, self.since, self.received = doing, now, 0

    def behind(self, now: float) -> float:
        """How many seconds it is behind somebody who says at once what there is to say."""
        return now - self.since - (self.received / _PACE if self.doing is SlotState.SENDING else 0.0)

    def give_way(self) -> None:
        """Close the connection; its descriptor is free a moment later."""
        self.leaving = True
        if self.transport is not None:
            self.transport.abort()
            return
        with contextlib.suppress(OSError):  # whoever was there has gone by itself
            self.connection.shutdown(socket.SHUT_RDWR)


@dataclass
class ConnectionSlots:
    """All slots of one listener."""

    limit: int
    clock: Callable[[], float] = time.monotonic
    _taken: dict[int, ConnectionSlot] = field(default_factory=dict[int, ConnectionSlot])
    _held: Counter[str] = field(default_factory=Counter[str])
    """How many each sender holds, without those that are leaving."""

    def __len__(self) -> int:
        """How many are taken."""
        return len(self._taken)

    def take(self, connection: socket.socket, sender: str) -> ConnectionSlot:
        """A slot for a connection that was accepted."""
        descriptor = connection.fileno()
        slot = ConnectionSlot(connection=connection, descriptor=descriptor, sender=sender, since=self.clock())
        self._taken[descriptor] = slot
        self._held[sender] += 1
        return slot

    def leave(self, slot: ConnectionSlot) -> None:
        """The connection is closed."""
        if self._taken.get(slot.descriptor) is slot:
            del self._taken[slot.descriptor]
            if not slot.leaving:
                self._release(slot)

    def _release(self, slot: ConnectionSlot) -> None:
        self._held[slot.sender] -= 1
        if not self._held[slot.sender]:
            del self._held[slot.sender]

    def of(self, transport: asyncio.Transport) -> ConnectionSlot | None:
        """The slot of a connection that can be spoken on."""
        ours = transport.get_extra_info("socket")
        slot = None if ours is None else self._taken.get(ours.fileno())
        if slot is not None:
            slot.transport = transport
        return slot

    @property
    def share(self) -> int:
        """How many one sender may hold."""
        return self.limit * 3 // 4

    @property
    def crowded(self) -> bool:
        """Whether the next one has to wait a moment until somebody who gave way is gone."""
        return len(self._taken) >= self.limit and any(slot.leaving for slot in self._taken.values())

    def make_room(self, sender: str) -> bool:
        """Have somebody give way to the next one of ``sender``, if that is needed; answers whether it has a slot."""
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
        found = max(waited_for, key=lambda slot: (self._held[slot.sender], slot.behind(now)), default=None)
        if found is None:
            return False
        found.give_way()
        self._release(found)
        return True


class _Accepted(socket.socket):
    """A connection that leaves its slot when it is closed, by whomever."""

    slot: ConnectionSlot | None = None
    slots: ConnectionSlots | None = None

    def close(self) -> None:
        """Close it."""
        super().close()
        if self.slot is not None and self.slots is not None:
            self.slots.leave(self.slot)


class Listener(socket.socket):
    """A listening socket that gives slots."""

    slots: ConnectionSlots | None = None

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection.

        Raises:
            BlockingIOError: there is none, or its slot is being made free and it can be had in a moment.
            ConnectionAbortedError: there was one, and nobody gives way to it.
        """
        slots = self.slots
        if slots is not None and slots.crowded:
            raise BlockingIOError
        descriptor, address = cast("Any", self)._accept()  # noqa: SLF001 - what ``socket.accept`` itself begins with
        connection = _Accepted(self.family, self.type, self.proto, fileno=descriptor)
        # Head and body of an answer are two writes: without this the second waits for the other side's word, 40 ms.
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
    """As many slots as this process may have descriptors for, having asked for more if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # what there is has to do
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    room = _WANTED if soft == resource.RLIM_INFINITY else soft
    return ConnectionSlots(limit=max(_LEAST, min(_MOST, room - _RESERVED)))
