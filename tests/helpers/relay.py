"""A wire between a client and a loopback server that can be cut, and that can lose an answer on its way back."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

_PIECE = 65536


class Relay:
    """Forwards connections to one server, until told otherwise."""

    def __init__(self, target: str) -> None:
        """Relay to ``http://127.0.0.1:PORT``."""
        host, _, port = target.removeprefix("http://").partition(":")
        self._target = (host, int(port))
        self._lose: bytes | None = None
        self._cut = False
        self.lost = 0
        """Answers that were lost."""
        self.requests: list[bytes] = []
        """The first piece of every request."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
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
        self._lose = beginning

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
        """One connection, request by request; the client is expected to wait for each answer."""
        with client, contextlib.suppress(OSError):
            if self._is_cut():
                return
            with socket.create_connection(self._target) as server:
                dropping = threading.Event()
                back = threading.Thread(target=self._answers, args=(server, client, dropping), daemon=True)
                back.start()
                while data := client.recv(_PIECE):
                    if self._is_cut():
                        break
                    self.requests.append(data)
                    if self._lose is not None and data.startswith(self._lose):
                        self._lose = None
                        dropping.set()
                    server.sendall(data)
                with contextlib.suppress(OSError):
                    server.shutdown(socket.SHUT_WR)
                back.join()

    def _answers(self, server: socket.socket, client: socket.socket, dropping: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(_PIECE):
                if dropping.is_set():
                    self.lost += 1
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(data)
