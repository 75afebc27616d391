"""One request and its response on their way between an agent and a provider: bytes first, observation behind.

Sockets, pools and the gate live elsewhere; this is the order of things within one exchange.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from promptster.proxy.connecting import UnreachableError, explain, words_of
from promptster.proxy.framing import Body, ChunkedBody, FramingError, OpenBody, SizedBody
from promptster.proxy.http1 import (
    RefusedError,
    RequestHead,
    ResponseHead,
    head_end,
    read_response,
    request_bytes,
    response_bytes,
)

if TYPE_CHECKING:
    import asyncio

    from promptster.proxy.agent_connection import AgentConnection
    from promptster.proxy.observation import Outcome, Watch
    from promptster.proxy.provider_connections import ProviderConnection, ProviderPool
    from promptster.proxy.upstreams import Upstream

_EARLY_LIMIT: Final = 256 * 1024
"""Request bytes kept while the provider is being connected to; beyond them the agent has to wait."""
_REPEATABLE: Final = frozenset({b"GET", b"HEAD", b"OPTIONS"})


def request_body(head: RequestHead) -> Body:
    """The tracker for a request's body."""
    return ChunkedBody(hold_last=True) if head.chunked else SizedBody(head.length)


def _response_body(head: ResponseHead, method: bytes) -> Body:
    if not head.has_body(method):
        return SizedBody(0)
    if head.chunked:
        return ChunkedBody()
    return OpenBody() if head.length is None else SizedBody(head.length)


class Exchange:
    """Forwards one request to its upstream and the response back."""

    def __init__(
        self,
        agent: AgentConnection,
        *,
        head: RequestHead,
        upstream: Upstream,
        target: bytes,
        pool: ProviderPool,
        watch: Watch,
    ) -> None:
        """Prepare; nothing is sent before ``start``."""
        self.request: Body = request_body(head)
        """Follows the request's body; the agent's bytes are ours until it is done."""
        self._agent = agent
        self._method = head.method
        self._agent_closes = head.close
        self._upstream = upstream
        self._pool = pool
        self._watch = watch
        self._request_head = request_bytes(head, target, upstream)
        self._early: list[bytes] | None = [self._request_head]
        self._early_size = 0
        self._bodiless = self.request.done
        self._connecting: asyncio.Task[None] | None = None
        self._provider: ProviderConnection | None = None
        self._buffer = bytearray()
        self._searched = 0
        self._heard = False
        self._head: ResponseHead | None = None
        self._response: Body | None = None
        self._over = False

    def start(self, data: bytes) -> bytes:
        """Send the head together with the body's first bytes; return what lies behind the request."""
        if self.request.done:
            self._watch.request_end()
            rest = data
        else:
            rest = self.from_agent(data)
        if not self._over:
            self._connect(self._pool.take(self._upstream))
        return rest

    def _connect(self, ready: ProviderConnection | None) -> None:
        if ready is not None:
            self._attach(ready)
        else:
            self._connecting = self._pool.run(self._dial())

    async def _dial(self) -> None:
        try:
            provider = await self._pool.open(self._upstream)
        except Exception as exc:  # noqa: BLE001 - whatever it was, an agent must not wait for ever
            self._connecting = None
            self._fail(explain(exc, self._upstream.host))
            return
        self._connecting = None
        self._attach(provider)

    def _attach(self, provider: ProviderConnection) -> None:
        if self._over or provider.gone:
            provider.abort()
            self._fail(UnreachableError(f"{self._upstream.host} closed the connection at once"))
            return
        provider.begin(self)
        self._provider = provider
        early, self._early = self._early or [], None
        provider.write(b"".join(early))
        if not provider.full:
            self._agent.hold_for_provider(False)
        if self._agent.full:
            provider.hold(True)

    def _fail(self, exc: UnreachableError) -> None:
        if self._over:
            return
        text = f"{self._upstream.name} could not be reached: {exc.message}"
        self._end("failed", text)
        self._agent.refuse(RefusedError(502, f"upstream_{exc.code}", text))

    def _end(self, outcome: Outcome, detail: str) -> None:
        self._over = True
        self._pool.stats.ended(outcome)
        self._watch.finished(outcome, detail)

    # from the agent

    def from_agent(self, data: bytes) -> bytes:
        """Pass request bytes on; return those behind the request's end."""
        try:
            wire, payload, rest = self.request.feed(data)
        except FramingError as exc:
            self._drop_provider()
            self._end("cut_by_agent", str(exc))
            if self._response is None:
                self._agent.refuse(RefusedError(400, "bad_framing", str(exc)))
            else:
                self._cut()
            return b""
        if self._early is None:
            if self._provider is not None and wire:
                self._provider.write(wire)
        else:
            self._early.append(wire)
            self._early_size += len(wire)
            if self._early_size > _EARLY_LIMIT:
                self._agent.hold_for_provider(True)
        self._watch.body("request_body", payload)
        if self.request.done:
            self._watch.request_end()
        return rest

    def agent_lost(self) -> None:
        """The agent hung up before its response was complete."""
        if not self._over:
            self._drop_provider()
            self._end("cut_by_agent", "the agent closed the connection")

    def agent_full(self, full: bool) -> None:  # noqa: FBT001 - mirrors asyncio's flow control
        """The agent reads slower than the provider writes, or has caught up."""
        if self._provider is not None:
            self._provider.hold(full)

    def provider_full(self, full: bool) -> None:  # noqa: FBT001 - mirrors asyncio's flow control
        """The provider reads slower than the agent writes, or has caught up."""
        self._agent.hold_for_provider(full)

    def stop(self) -> None:
        """The forwarder itself is being stopped."""
        if not self._over:
            self._drop_provider()
            self._end("failed", "promptster was stopped")

    def _drop_provider(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        if self._provider is not None:
            self._provider.end()
            self._provider.abort()
            self._provider = None

    # from the provider

    def from_provider(self, data: bytes) -> None:
        """Pass response bytes on."""
        self._heard = True
        response = self._response
        try:
            if response is None:
                self._head_bytes(data)
                return
            wire, payload, rest = response.feed(data)
        except (FramingError, RefusedError) as exc:
            self._broken(exc)
            return
        if wire:
            self._agent.write(wire)
        self._watch.body("response_body", payload)
        if response.done:
            self._complete(reusable=not rest)

    def _head_bytes(self, data: bytes) -> None:
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
                self._answer(head)

    def _answer(self, head: ResponseHead) -> None:
        """Send the final head together with the body's first bytes."""
        body = _response_body(head, self._method)
        close = self._agent_closes or isinstance(body, OpenBody)
        first, data = response_bytes(head, close=close), bytes(self._buffer)
        self._buffer.clear()
        self._head, self._response = head, body
        self._agent_closes = close
        wire, payload, rest = (b"", b"", data) if body.done else body.feed(data)
        if isinstance(body, OpenBody):
            self._agent.open_ended()
        self._agent.write(first + wire)
        self._watch.response_head(head.status, head.fields)
        self._watch.body("response_body", payload)
        if body.done:
            self._complete(reusable=not rest)

    def _complete(self, *, reusable: bool) -> None:
        provider, head = self._provider, self._head
        self._provider = None
        if provider is not None:
            provider.end()
            if reusable and self.request.done and head is not None and not head.close and not provider.full:
                self._pool.give_back(provider)
            else:
                provider.abort()
        self._end("complete", "")
        self._agent.answered(close=self._agent_closes or not self.request.done, drain=not self.request.done)

    def provider_lost(self, exc: Exception | None) -> None:
        """The provider's connection ended; whether properly is for the response's framing to say."""
        provider, self._provider = self._provider, None
        if self._over or provider is None:
            return
        reused = provider.uses > 1
        if exc is None and self._response is not None and self._response.ends_at_eof():
            self._complete(reusable=False)
        elif reused and not self._heard and self._bodiless and self._method in _REPEATABLE:
            self._early = [self._request_head]
            self._connect(None)
        else:
            why = f" ({words_of(exc)})" if exc is not None else ""
            self._end("cut_by_provider", f"the provider closed the connection{why}")
            self._cut(reset=isinstance(exc, ConnectionResetError))

    def _broken(self, exc: FramingError | RefusedError) -> None:
        """The provider's bytes make no sense: nothing of them can be passed on any more."""
        self._drop_provider()
        if self._response is None:
            self._end("failed", str(exc))
            self._agent.refuse(RefusedError(502, "bad_answer", str(exc)))
        else:
            self._end("cut_by_provider", str(exc))
            self._cut()

    def _cut(self, *, reset: bool = False) -> None:
        self._agent.cut(reset=reset, drain=not self.request.done)
