"""Hooks that arrive by HTTP: the payload is collected, handed over and answered."""

from __future__ import annotations

from typing import Final, Protocol

from typing_extensions import override

from promptster.proxy.framing import Body, FramingError, request_body
from promptster.proxy.http1 import MessageRefusedError, RequestHead
from promptster.proxy.interfaces import AgentWriter, RequestHandler
from promptster.proxy.responses import hook_response

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class HookSink(Protocol):
    """Who takes hook payloads; no method raises."""

    def hook_received(self, agent: str, payload: bytes) -> None:
        """Take a complete payload."""
        ...

    def hook_too_large(self, agent: str, size: int, beginning: bytes) -> None:
        """Take note of a payload that was refused: its size as far as known, and its first bytes."""
        ...


class HookReceiver(RequestHandler):
    """Collects one hook's payload, hands it over and responds."""

    def __init__(
        self, connection: AgentWriter, sink: HookSink, *, head: RequestHead, agent: str, max_bytes: int
    ) -> None:
        """Expect the payload of the request with this head."""
        self.request: Body = request_body(head)
        self._connection = connection
        self._sink = sink
        self._agent = agent
        self._close = head.close
        self._expects_continue = any(value.lower() == b"100-continue" for value in head.values(b"expect"))
        self._announced = 0 if head.chunked else head.length
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._size = 0

    @override
    def start(self, data: bytes) -> bytes:
        if self._announced > self._max_bytes:
            self._refuse_size(self._announced, data)
            return b""
        if self.request.done:
            self._hand_over()
            return data
        if self._expects_continue and not data:
            self._connection.write(_CONTINUE)
        return self.request_received(data)

    @override
    def request_received(self, data: bytes) -> bytes:
        try:
            _, payload, rest = self.request.feed(data)
        except FramingError as exc:
            self._refuse(400, "bad_framing", str(exc))
            return b""
        self._parts.append(payload)
        self._size += len(payload)
        if self._size > self._max_bytes:
            self._refuse_size(self._size, next(part for part in self._parts if part))
        elif self.request.done:
            self._hand_over()
        return rest

    def _refuse_size(self, size: int, beginning: bytes) -> None:
        self._sink.hook_too_large(self._agent, size, beginning)
        self._refuse(413, "hook_too_large", "the hook's payload is too large")

    def _refuse(self, status: int, code: str, reason: str) -> None:
        self._parts.clear()
        self._connection.refuse(MessageRefusedError(status, code, reason))

    def _hand_over(self) -> None:
        self._sink.hook_received(self._agent, b"".join(self._parts))
        self._connection.write(hook_response(close=self._close))
        self._connection.response_complete(close=self._close, drain=False)

    @override
    def agent_disconnected(self) -> None:
        self._parts.clear()

    @override
    def stop(self) -> None:
        self._parts.clear()

    @override
    def pause_response(self) -> None:
        """Do nothing: a response of a few bytes needs no flow control."""

    @override
    def resume_response(self) -> None:
        """Do nothing, for the same reason."""
