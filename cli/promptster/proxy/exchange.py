"""One request and its response between an agent and a provider: bytes are forwarded first and reported afterwards."""

from __future__ import annotations

import asyncio
from typing import Final

from typing_extensions import override

from promptster.proxy.connecting import ProviderUnreachableError, explain, reason_for
from promptster.proxy.framing import Body, CloseDelimitedBody, FramingError, request_body, response_body
from promptster.proxy.http1 import (
    MessageRefusedError,
    RequestHead,
    ResponseHead,
    head_end,
    read_response,
    request_bytes,
    response_bytes,
)
from promptster.proxy.interfaces import AgentWriter, RequestHandler, ResponseHandler
from promptster.proxy.observation import ExchangeOutcome, RequestData, ResponseData
from promptster.proxy.observation_queue import ExchangeReporter
from promptster.proxy.provider_connections import ProviderConnection, ProviderPool
from promptster.proxy.upstreams import Upstream

_REPEATABLE: Final = frozenset({b"GET", b"HEAD", b"OPTIONS"})
"""Safe methods (RFC 9110, section 9.2.1): sending such a request twice does no harm."""


class Exchange(RequestHandler, ResponseHandler):
    """Forwards one request to its upstream and the response back."""

    def __init__(
        self,
        agent: AgentWriter,
        *,
        head: RequestHead,
        upstream: Upstream,
        target: bytes,
        pool: ProviderPool,
        reporter: ExchangeReporter,
        early_request_bytes: int,
    ) -> None:
        """Prepare the exchange; nothing is sent before ``start``.

        Args:
            agent: the connection that the request came over.
            head: the request's head.
            upstream: where the request goes.
            target: path and query below the upstream's base URL.
            pool: has connections to providers.
            reporter: reports the exchange to an observer.
            early_request_bytes: how much of the request to hold while the provider is being connected to.
        """
        self.request: Body = request_body(head)
        self._agent = agent
        self._method = head.method
        self._agent_closes = head.close
        self._upstream = upstream
        self._pool = pool
        self._reporter = reporter
        self._request_head = request_bytes(head, target, upstream)
        self._early: list[bytes] | None = [self._request_head]
        self._early_size = 0
        self._early_limit = early_request_bytes
        self._bodiless = self.request.done
        self._connecting: asyncio.Task[None] | None = None
        self._provider: ProviderConnection | None = None
        self._buffer = bytearray()
        self._searched = 0
        self._response_begun = False
        self._head: ResponseHead | None = None
        self._response: Body | None = None
        self._ended = False

    @override
    def start(self, data: bytes) -> bytes:
        if self.request.done:
            self._reporter.request_end()
            rest = data
        else:
            rest = self.request_received(data)
        if not self._ended:
            self._connect(self._pool.take(self._upstream))
        return rest

    def _connect(self, idle: ProviderConnection | None) -> None:
        if idle is not None:
            self._attach(idle)
        else:
            self._connecting = self._pool.run(self._open_connection())

    async def _open_connection(self) -> None:
        try:
            provider = await self._pool.open(self._upstream)
        except Exception as exc:  # noqa: BLE001 - whatever it was, the agent must get a response
            self._connecting = None
            self._fail(explain(exc, self._upstream.host))
            return
        self._connecting = None
        self._attach(provider)

    def _attach(self, provider: ProviderConnection) -> None:
        if self._ended or provider.closed:
            provider.abort()
            self._fail(ProviderUnreachableError(f"{self._upstream.host} closed the connection at once"))
            return
        provider.attach(self)
        self._provider = provider
        early, self._early = self._early or [], None
        provider.write(b"".join(early))
        if provider.writable:
            self._agent.resume_request()
        if not self._agent.writable:
            provider.pause_reading()

    def _fail(self, exc: ProviderUnreachableError) -> None:
        if self._ended:
            return
        text = f"{self._upstream.name} could not be reached: {exc.message}"
        self._end("failed", text)
        self._agent.refuse(MessageRefusedError(502, f"upstream_{exc.code}", text))

    def _end(self, outcome: ExchangeOutcome, reason: str) -> None:
        self._ended = True
        self._pool.stats.count(outcome)
        self._reporter.end(outcome, reason)

    # from the agent

    @override
    def request_received(self, data: bytes) -> bytes:
        try:
            wire, payload, rest = self.request.feed(data)
        except FramingError as exc:
            self._drop_provider()
            self._end("cut_by_agent", str(exc))
            if self._response is None:
                self._agent.refuse(MessageRefusedError(400, "bad_framing", str(exc)))
            else:
                self._cut()
            return b""
        if self._early is None:
            if self._provider is not None and wire:
                self._provider.write(wire)
        else:
            self._early.append(wire)
            self._early_size += len(wire)
            if self._early_size > self._early_limit:
                self._agent.pause_request()
        if payload:
            self._reporter.data(RequestData(payload))
        if self.request.done:
            self._reporter.request_end()
        return rest

    @override
    def agent_disconnected(self) -> None:
        if not self._ended:
            self._drop_provider()
            self._end("cut_by_agent", "the agent closed the connection")

    @override
    def pause_response(self) -> None:
        if self._provider is not None:
            self._provider.pause_reading()

    @override
    def resume_response(self) -> None:
        if self._provider is not None:
            self._provider.resume_reading()

    @override
    def stop(self) -> None:
        if not self._ended:
            self._drop_provider()
            self._end("failed", "promptster was stopped")

    def _drop_provider(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        if self._provider is not None:
            self._provider.detach()
            self._provider.abort()
            self._provider = None

    # from the provider

    @override
    def pause_request(self) -> None:
        self._agent.pause_request()

    @override
    def resume_request(self) -> None:
        self._agent.resume_request()

    @override
    def response_received(self, data: bytes) -> None:
        self._response_begun = True
        response = self._response
        try:
            if response is None:
                self._head_received(data)
                return
            wire, payload, rest = response.feed(data)
        except (FramingError, MessageRefusedError) as exc:
            self._unreadable(exc)
            return
        if wire:
            self._agent.write(wire)
        if payload:
            self._reporter.data(ResponseData(payload))
        if response.done:
            self._complete(reusable=not rest)

    def _head_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        while self._response is None:
            end = head_end(buffer, self._searched)
            self._searched = 0 if end else len(buffer)
            if not end:
                return
            head = read_response(bytes(buffer[:end]))
            del buffer[:end]
            if head.informational:
                self._agent.write(response_bytes(head, close=False))
            else:
                self._respond(head)

    def _respond(self, head: ResponseHead) -> None:
        """Send the final head together with the body's first bytes."""
        body = response_body(head, self._method)
        close = self._agent_closes or isinstance(body, CloseDelimitedBody)
        first, data = response_bytes(head, close=close), bytes(self._buffer)
        self._buffer.clear()
        self._head, self._response = head, body
        self._agent_closes = close
        wire, payload, rest = (b"", b"", data) if body.done else body.feed(data)
        if isinstance(body, CloseDelimitedBody):
            self._agent.ends_by_close()
        self._agent.write(first + wire)
        self._reporter.response_start(head.status, head.fields)
        if payload:
            self._reporter.data(ResponseData(payload))
        if body.done:
            self._complete(reusable=not rest)

    def _complete(self, *, reusable: bool) -> None:
        provider, head = self._provider, self._head
        self._provider = None
        if provider is not None:
            provider.detach()
            if reusable and self.request.done and head is not None and not head.close and provider.writable:
                self._pool.give_back(provider)
            else:
                provider.abort()
        self._end("complete", "")
        self._agent.response_complete(close=self._agent_closes or not self.request.done, drain=not self.request.done)

    @override
    def provider_disconnected(self, exc: Exception | None) -> None:
        provider, self._provider = self._provider, None
        if self._ended or provider is None:
            return
        reused = provider.uses > 1
        if exc is None and self._response is not None and self._response.ends_at_eof():
            self._complete(reusable=False)
        elif reused and not self._response_begun and self._bodiless and self._method in _REPEATABLE:
            self._early = [self._request_head]
            self._connect(None)
        else:
            why = f" ({reason_for(exc)})" if exc is not None else ""
            self._end("cut_by_provider", f"the provider closed the connection{why}")
            self._cut(reset=isinstance(exc, ConnectionResetError))

    def _unreadable(self, exc: FramingError | MessageRefusedError) -> None:
        """End the exchange, because no more of the provider's bytes can be passed on."""
        self._drop_provider()
        if self._response is None:
            self._end("failed", str(exc))
            self._agent.refuse(MessageRefusedError(502, "bad_answer", str(exc)))
        else:
            self._end("cut_by_provider", str(exc))
            self._cut()

    def _cut(self, *, reset: bool = False) -> None:
        self._agent.cut(reset=reset, drain=not self.request.done)
