"""The recorder's proxy: it forwards from the start, and capture observes it as soon as recording is possible."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from promptster.agents.registry import http_hooked
from promptster.config import network_from_environment
from promptster.proxy.limits import Limits
from promptster.proxy.observation import NullObserver
from promptster.proxy.reverse_proxy import ReverseProxy
from promptster.proxy.upstreams import Upstream
from promptster_hooks import spool

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from promptster.capture.engine import Capture
    from promptster.clock import Clock
    from promptster.proxy.observation import Observer, RequestInfo
    from promptster.recorder.process_log import Log
    from promptster.session_folder.folder import SessionFacts

_OBSERVED_BYTES = 32 * 1024 * 1024
"""Most payload held for capture at any time, so that the whole recorder stays below 80 MiB."""


class WatchedProxy:
    """The proxy, with or without capture observing it."""

    def __init__(self, facts: SessionFacts, token: str, clock: Clock, log: Log, spool_folder: Path) -> None:
        """Prepare the proxy for a session's upstreams."""
        self._capture: Capture | None = None
        self._receive: Callable[[str, bytes], None] = self._leave_in_spool
        self._spool = str(spool_folder)
        self._clock, self._log = clock, log
        self._serving = False
        self.last_call_ms: int | None = None
        """Monotonic time of an agent's last call; ``None`` before the first."""
        self._proxy = ReverseProxy(
            token=token,
            upstreams={name: Upstream(name, url) for name, url in facts.upstreams.items()},
            open_observer=self._observe,
            on_hook=self._hook,
            hook_agents=http_hooked(),
            on_hook_refused=self._hook_refused,
            network=network_from_environment(partial(log.fault, "network")),
            clock=clock,
            on_fault=self._fault,
            limits=Limits(observed_bytes=_OBSERVED_BYTES),
        )

    @property
    def missed_bytes(self) -> int:
        """Bytes of payload that were forwarded but could not be kept for capture."""
        return self._proxy.stats.missed_bytes

    async def serve(self, sock: socket.socket) -> None:
        """Start to forward, unless forwarding has already begun."""
        if self._serving:
            return
        self._serving = True
        sock.setblocking(False)
        await self._proxy.serve(sock)

    def attach(self, capture: Capture, receive: Callable[[str, bytes], None]) -> None:
        """Let ``capture`` observe from now on, and pass hook calls to ``receive``."""
        self._capture, self._receive = capture, receive

    def catch_up(self) -> None:
        """Show capture everything that was forwarded so far."""
        self._proxy.flush_observations()

    async def aclose(self) -> None:
        """Cut the open exchanges, and show capture everything that was forwarded."""
        await self._proxy.aclose()

    def _observe(self, info: RequestInfo) -> Observer:
        self.last_call_ms = self._clock.mono_ms()
        return NullObserver() if self._capture is None else self._capture.open_observer(info)

    def _hook(self, agent: str, payload: bytes) -> None:
        self.last_call_ms = self._clock.mono_ms()
        self._receive(agent, payload)

    def _leave_in_spool(self, agent: str, payload: bytes) -> None:
        """Leave a call in the spool, as a hook does when no recorder runs: nothing can be recorded yet."""
        try:
            spool.keep(self._spool, agent, payload)
        except (OSError, spool.SpoolError) as error:
            self._log.fault("spool", error)

    def _hook_refused(self, agent: str, size: int, beginning: bytes) -> None:
        self.last_call_ms = self._clock.mono_ms()
        if self._capture is not None:
            self._capture.hook_refused(agent, size, beginning)

    def _fault(self, error: Exception) -> None:
        """Report an exception of an observer or a hook: forwarding continues, and a gap is recorded."""
        self._log.fault("capture", error)
        if self._capture is not None:
            self._capture.faulted()
