"""One proxied exchange: its bytes are collected and decoded within bounds, and read as they come.

The engine is told twice: when the request is known, and when the answer is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, assert_never

from promptster.capture.providers import provider_of
from promptster.capture.providers.interface import Answer, Json, load, mapping
from promptster.proxy.decoding import ContentDecoder, content_encoding
from promptster.proxy.observation import (
    DataMissed,
    ExchangeEnd,
    RequestData,
    RequestEnd,
    ResponseData,
    ResponseStart,
)
from promptster.proxy.sse import SseParser

if TYPE_CHECKING:
    from promptster.capture.agent import Identity, ReadsRequests
    from promptster.capture.draft_writer import DraftWriter, Stamp
    from promptster.capture.providers.interface import Provider
    from promptster.capture.proxy_side.conversation import Asked
    from promptster.capture.readers import AgentReaders
    from promptster.proxy.header_fields import Headers
    from promptster.proxy.observation import Observation, Outcome, RequestInfo

MAX_REQUEST = 64 << 20
"""Bytes of a request's body that are kept for reading."""

_BLANK = b"\xef\xbb\xbf\r\n"
_STREAMED = (b"event:", b"data:", b"id:", b"retry:", b":")
"""Beginnings of a stream of events, by whatever type it goes."""
_ERROR_KEPT = 4000
_HTTP_ERROR = 400

End = Literal["complete", "cut", "error"]


@dataclass(frozen=True, kw_only=True)
class ReadRequest:
    """A request's body, as far as it could be read."""

    body: Mapping[str, Json] | None
    """The decoded JSON object, or ``None`` when it is none."""
    raw: bytes
    """The body as sent, when it is no JSON object."""
    sha256: str
    """Of the body as sent."""
    cut: bool
    """Whether the body was longer than what is kept, or not all of it was seen."""


@dataclass(frozen=True, kw_only=True)
class ReadResponse:
    """An exchange's end."""

    outcome: End
    answer: Answer
    status: int | None
    retry_after: str | None
    first_byte_ms: int | None
    duration_ms: int
    error: Json


class CallReceiver(Protocol):
    """Who is told."""

    def asked(self, exchange: ObservedCall, request: ReadRequest) -> None:
        """A model call's request is known."""
        ...

    def answered(self, exchange: ObservedCall, response: ReadResponse) -> None:
        """A model call is over; told once, after ``asked``."""
        ...

    def passed(self, exchange: ObservedCall, status: int | None) -> None:
        """Another request is over."""
        ...

    def lost(self, exchange: ObservedCall, detail: str, count: int) -> None:
        """Bytes were forwarded that could not be observed."""
        ...


class ObservedCall:
    """An observer of the proxy's; see ``promptster.proxy.observation.Observer``."""

    def __init__(self, receiver: CallReceiver, writer: DraftWriter, info: RequestInfo, agents: AgentReaders) -> None:
        self.info = info
        self.path = info.target.partition("?")[0]
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in info.headers}
        self.provider: Provider | None = provider_of(info.method, self.path)
        self.agent: ReadsRequests = agents.of_request(self.headers, self.provider.name if self.provider else "")
        self.identity: Identity | None = None
        """The conversation, once the request was read."""
        self.attempt: tuple[Asked, int] | None = None
        """The logical request and this attempt's number, once the request was read."""
        self.purpose = "other"
        self.began: Stamp = writer.now()
        self._receiver = receiver
        self._writer = writer
        self._request = bytearray()
        self._hash = hashlib.sha256()
        self._size = 0
        self._missed = 0
        self._is_asked = False
        self._is_over = False
        self._status: int | None = None
        self._retry_after: str | None = None
        self._first_byte: Stamp | None = None
        self._assembler = self.provider.assembler() if self.provider else None
        self._decoder = ContentDecoder()
        self._sse: SseParser | None = None
        self._whole: list[bytes] = []

    def observe(self, observation: Observation) -> None:
        """Take what the proxy reports of this exchange."""
        match observation:
            case ResponseData():
                self._response_data(observation.data)
            case RequestData():
                self._request_data(observation.data)
            case RequestEnd():
                self._request_end()
            case ResponseStart(status, headers):
                self._response_start(status, headers)
            case DataMissed(size):
                self._data_missed(size)
            case ExchangeEnd(outcome, reason):
                self._exchange_end(outcome, reason)
            case _:
                assert_never(observation)

    def _request_data(self, data: bytes) -> None:
        """Keep a piece of the body."""
        if self.provider is None:
            return
        self._hash.update(data)
        self._size += len(data)
        room = MAX_REQUEST - len(self._request)
        self._request += data[:room] if room < len(data) else data

    def _request_end(self) -> None:
        """Read the request; also when it was answered or cut before its end."""
        if self.provider is None or self._is_asked or self._is_over:
            return
        self._is_asked = True
        self._receiver.asked(self, self._read_request())

    def _response_start(self, status: int, headers: Headers) -> None:
        """Prepare for the body."""
        self._status = status
        if self.provider is None or self._is_over:
            return
        self._request_end()
        fields = {name.lower(): value.decode("latin-1") for name, value in headers}
        self._retry_after = fields.get(b"retry-after")
        self._decoder = ContentDecoder(content_encoding(headers))
        if "event-stream" in fields.get(b"content-type", "").lower():
            self._sse = SseParser()

    def _response_data(self, data: bytes) -> None:
        """Read a piece of the body."""
        if self._first_byte is None:
            self._first_byte = self._writer.now()
        if self._assembler is None or self._is_over:
            return
        had_fault = self._decoder.fault
        decoded = self._decoder.feed(data)
        if self._sse is None:
            self._whole.append(decoded)
        else:
            for event in self._sse.feed(decoded):
                self._assembler.event(event.event, event.data)
                if self._assembler.settled:
                    self._end("complete")
                    return
        if self._decoder.fault and self._decoder.fault != had_fault:
            self._receiver.lost(self, f"a response could not be read: {self._decoder.fault}", 0)

    def _data_missed(self, size: int) -> None:
        """The observation queue was full."""
        if self.provider is None:
            return
        self._missed += size
        self._receiver.lost(self, "the proxy forwarded faster than it could be observed", size)

    def _exchange_end(self, outcome: Outcome, detail: str) -> None:
        """The exchange is over."""
        if self._is_over:
            return
        if self.provider is None:
            self._is_over = True
            self._receiver.passed(self, self._status)
            return
        if not self._is_asked:
            if not self._size and outcome != "complete":
                self._is_over = True
                self._receiver.passed(self, self._status)
                return
            self._request_end()
        self._decoder.finish()
        self._end(outcome, detail)

    def abandon(self, reason: str) -> None:
        """Stop looking: what came so far is told as a cut attempt, the rest is not looked at."""
        if self._is_asked and not self._is_over:
            self._end("cut_by_provider", reason)
        self._is_over = True

    def _read_request(self) -> ReadRequest:
        sent, self._request = self._request, bytearray()
        cut = self._size > len(sent) or self._missed > 0
        decoder = ContentDecoder(self.headers.get("content-encoding", ""), limit=MAX_REQUEST)
        is_coded = self.headers.get("content-encoding", "identity") != "identity"
        body = None if cut else load(decoder.feed(bytes(sent)) if is_coded else sent)
        is_object = isinstance(body, dict)
        return ReadRequest(
            body=mapping(body) if is_object else None,
            raw=b"" if is_object else bytes(sent),
            sha256=self._hash.hexdigest(),
            cut=cut or decoder.fault is not None,
        )

    def _end(self, transport: Outcome, detail: str = "") -> None:
        if self._assembler is None:
            return
        self._is_over = True
        whole = b"".join(self._whole)
        self._whole = []
        if whole.lstrip(_BLANK).startswith(_STREAMED):
            for event in SseParser().feed(whole):
                self._assembler.event(event.event, event.data)
        elif whole:
            self._assembler.whole(load(whole))
        answer = self._assembler.answer()
        now = self._writer.now()
        outcome, error = self._judge(answer, transport, detail, whole)
        self._receiver.answered(
            self,
            ReadResponse(
                outcome=outcome,
                answer=answer,
                status=self._status,
                retry_after=self._retry_after,
                first_byte_ms=self._first_byte.mono_ms - self.began.mono_ms if self._first_byte else None,
                duration_ms=now.mono_ms - self.began.mono_ms,
                error=error,
            ),
        )

    def _judge(self, answer: Answer, transport: Outcome, detail: str, whole: bytes) -> tuple[End, Json]:
        """How the attempt ended, and why if not well."""
        why: Json = answer.error
        if self._status is None:
            return ("error" if transport == "failed" else "cut"), {"type": transport, "detail": detail}
        if self._status >= _HTTP_ERROR:
            return "error", why or {"type": "http", "body": whole[:_ERROR_KEPT].decode("utf-8", "replace")}
        if why is not None:
            return "error", why
        unseen = self._decoder.fault or ("missed" if self._missed else None)
        if self._sse is not None and self._sse.oversized:
            unseen = "too_large"
        if unseen and (answer.finished or transport == "complete"):
            return "complete", {"type": "not_observed", "detail": unseen}
        if answer.finished or (answer.ended and transport == "complete"):
            return "complete", {"type": "begun_again", "content": answer.dropped} if answer.dropped else None
        return "cut", {"type": transport, "detail": detail} if transport != "complete" else {"type": "unfinished"}
