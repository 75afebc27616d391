"""The proxy's place in the recorder: it forwards from the first moment, watched as soon as recording is possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.config import Config
from promptster.errors import ConfigurationError
from promptster.network import Network
from promptster.paths import Paths
from promptster.proxy.forward import Forwarder, Limits, Upstream
from promptster_hooks import spool

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from promptster.capture.engine import Capture
    from promptster.clock import Clock
    from promptster.proxy.forward import Headers, Observer, Outcome, RequestInfo
    from promptster.recorder.process_log import Log
    from promptster.session_folder.folder import SessionFacts

_OBSERVED_BYTES = 32 * 1024 * 1024
"""Payload held for capture at any time: the whole recorder is to stay below 80 MiB."""


class WatchedProxy:
    """The forwarder, with or without somebody who watches."""

    def __init__(self, facts: SessionFacts, token: str, clock: Clock, log: Log, spool_folder: Path) -> None:
        """Prepare the forwarder for a session's upstreams."""
        self._capture: Capture | None = None
        self._receive: Callable[[str, bytes], None] = self._leave_in_spool
        self._spool = str(spool_folder)
        self._clock, self._log = clock, log
        self._serving = False
        self.last_call_ms: int | None = None
        """Monotonic time of an agent's last call; ``None`` before the first."""
        self._forwarder = Forwarder(
            token=token,
            upstreams={name: Upstream(name, url) for name, url in facts.upstreams.items()},
            open_observer=self._observe,
            on_hook=self._hook,
            on_hook_refused=self._hook_refused,
            network=_network(log),
            clock=clock,
            on_fault=self._fault,
            limits=Limits(observed_bytes=_OBSERVED_BYTES),
        )

    @property
    def missed_bytes(self) -> int:
        """Payload that was forwarded and could not be kept for capture."""
        return self._forwarder.stats.missed_bytes

    async def serve(self, sock: socket.socket) -> None:
        """Forward from now on; nothing happens if that has begun."""
        if self._serving:
            return
        self._serving = True
        sock.setblocking(False)
        await self._forwarder.serve(sock)

    def attach(self, capture: Capture, receive: Callable[[str, bytes], None]) -> None:
        """Let this capture watch from now on, and let ``receive`` take hook calls."""
        self._capture, self._receive = capture, receive

    def catch_up(self) -> None:
        """Let capture see now everything that was forwarded so far."""
        self._forwarder.tell_observers()

    async def aclose(self) -> None:
        """Cut what is under way, and let capture see everything that was forwarded."""
        await self._forwarder.aclose()

    def _observe(self, info: RequestInfo) -> Observer:
        self.last_call_ms = self._clock.mono_ms()
        return _Nobody() if self._capture is None else self._capture.open_observer(info)

    def _hook(self, agent: str, payload: bytes) -> None:
        self.last_call_ms = self._clock.mono_ms()
        self._receive(agent, payload)

    def _leave_in_spool(self, agent: str, payload: bytes) -> None:
        """Nothing can be recorded yet: the call waits as those do whose recorder does not run."""
        try:
            spool.keep(self._spool, agent, payload)
        except (OSError, spool.SpoolError) as error:
            self._log.fault("spool", error)

    def _hook_refused(self, agent: str, size: int, beginning: bytes) -> None:
        self.last_call_ms = self._clock.mono_ms()
        if self._capture is not None:
            self._capture.hook_refused(agent, size, beginning)

    def _fault(self, error: Exception) -> None:
        """An observer or a hook raised: traffic goes on, and the recording says that something is missing."""
        self._log.fault("capture", error)
        if self._capture is not None:
            self._capture.faulted()


class _Nobody:
    """Watches nothing."""

    def request_body(self, data: bytes) -> None:
        """Nothing."""

    def request_end(self) -> None:
        """Nothing."""

    def response_head(self, status: int, headers: Headers) -> None:
        """Nothing."""

    def response_body(self, data: bytes) -> None:
        """Nothing."""

    def missed(self, count_bytes: int) -> None:
        """Nothing."""

    def finished(self, outcome: Outcome, detail: str) -> None:
        """Nothing."""


def _network(log: Log) -> Network:
    """The way to the providers, from the environment that the session was started in."""
    try:
        return Config.load(Paths.from_environment()).network
    except ConfigurationError as error:
        log.fault("network", error)
        return Network()
