"""A relay between a client and a loopback server: it keeps what passed, can cut connections, and can lose answers."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_PIECE = 65536
_REQUEST = re.compile(rb"[A-Z]+ /")


@dataclass
class Wire:
    """One connection of a client."""

    sent: bytearray = field(default_factory=bytearray)
    """What the client sent."""
    got: bytearray = field(default_factory=bytearray)
    """What the server answered, lost answers too."""
    dropping: bool = False
    """Whether the next answer is lost, and the connection with it."""


class Relay:
    """Forwards connections to one server until it is cut; every client waits for each answer."""

    def __init__(self, target: str | Callable[[], str], *, as_own_host: bool = False) -> None:
        """Listen on loopback.

        Args:
            target: ``http://127.0.0.1:PORT``; a function is asked at each connection.
            as_own_host: let the Host header name the server where the client named this relay.
        """
        self._target = target if callable(target) else lambda: target
        self._as_own_host = as_own_host
        self._loses: Callable[[bytes], bool] = lambda _: False
        self._cut = False
        self.lost = 0
        """Answers that were lost."""
        self.wires: list[Wire] = []
        """Every connection, in the order in which they were made."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        """Where clients connect."""
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop accepting."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def lose_answer_to(self, beginning: bytes) -> None:
        """Let the server handle the next request that begins so, and drop its answer."""

        def loses(data: bytes) -> bool:
            if not data.startswith(beginning):
                return False
            self._loses = lambda _: False
            return True

        self._loses = loses

    def lose_answers(self, share: float, *, seed: int) -> None:
        """From now on, let the server handle every request, and drop this share of the answers."""
        dice = random.Random(seed)  # noqa: S311 - a fault's dice, repeatable by its seed
        self._loses = lambda data: _REQUEST.match(data) is not None and dice.random() < share

    def cut(self, *, cut: bool = True) -> None:
        """Refuse everything, or relay again."""
        self._cut = cut

    def _is_cut(self) -> bool:
        return self._cut

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self._is_cut():
                return
            wire = Wire()
            self.wires.append(wire)
            host, _, port = self._target().removeprefix("http://").rstrip("/").partition(":")
            with socket.create_connection((host, int(port))) as server:
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                back = threading.Thread(target=self._answers, args=(server, client, wire), daemon=True)
                back.start()
                self._requests(client, server, wire)
                with contextlib.suppress(OSError):
                    server.shutdown(socket.SHUT_WR)
                back.join()

    def _requests(self, client: socket.socket, server: socket.socket, wire: Wire) -> None:
        ports = (self.port, server.getpeername()[1])
        ours, theirs = (f": 127.0.0.1:{port}\r\n".encode() for port in ports)
        with contextlib.suppress(OSError):
            while (data := client.recv(_PIECE)) and not self._is_cut():
                wire.sent += data
                wire.dropping = wire.dropping or self._loses(data)
                server.sendall(data.replace(ours, theirs) if self._as_own_host else data)

    def _answers(self, server: socket.socket, client: socket.socket, wire: Wire) -> None:
        """Send answers back; the client's connection ends with the server's, or with the first lost answer."""
        with contextlib.suppress(OSError):
            while data := server.recv(_PIECE):
                wire.got += data
                if wire.dropping:
                    self.lost += 1
                    break
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
