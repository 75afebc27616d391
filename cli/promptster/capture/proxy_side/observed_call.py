"""Observes one proxied exchange: collects and decodes its bytes within limits, and reads them as they arrive.

The engine is called once the request has been read, and again once the response has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, assert_never

from promptster.capture.providers import provider_of
from promptster.capture.providers.interface import ModelAnswer, is_object, load, mapping
from promptster.protocol.events.base import Json
from promptster.protocol.events.choices import CallPurpose, ResponseOutcome
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
    from promptster.proxy.observation import ExchangeOutcome, Observation, RequestInfo


_BLANK = b"\xef\xbb\xbf\r\n"
_STREAMED = (b"event:", b"data:", b"id:", b"retry:", b":")
"""The possible beginnings of an event stream, which some providers send under another content type."""
_ERROR_KEPT = 4000
_HTTP_ERROR = 400


@dataclass(frozen=True, kw_only=True)
class CallLimits:
    """How much of an exchange is kept."""

    request: int = 64 << 20
    """Most bytes of a request's body that are kept for reading."""


@dataclass(frozen=True, kw_only=True)
class ReadRequest:
    """A request's body, as far as it could be read."""

    body: Mapping[str, Json] | None
    """The decoded JSON object, or ``None`` if the body is not one."""
    raw: bytes
    """The body as sent, if it is not a JSON object."""
    sha256: str
    """The SHA-256 of the body as sent."""
    cut: bool
    """Whether the body is incomplete, because it was too long or not all of it was observed."""


@dataclass(frozen=True, kw_only=True)
class ReadResponse:
    """A response, and how its exchange ended."""

    outcome: ResponseOutcome
    answer: ModelAnswer
    status: int | None
    retry_after: str | None
    first_byte_ms: int | None
    duration_ms: int
    error: Json


class CallReceiver(Protocol):
    """Receives what was read of an exchange."""

    def asked(self, exchange: ObservedCall, request: ReadRequest) -> None:
        """Take the request of a model call."""
        ...

    def answered(self, exchange: ObservedCall, response: ReadResponse) -> None:
        """Take the end of a model call; called once, after ``asked``."""
        ...

    def passed(self, exchange: ObservedCall, status: int | None) -> None:
        """Take the end of a request that is not a model call."""
        ...

    def lost(self, exchange: ObservedCall, detail: str, count: int) -> None:
        """Take note of bytes that were forwarded but could not be observed."""
        ...


class ObservedCall:
    """Observes one exchange for the proxy; see ``promptster.proxy.observation.Observer``."""

    def __init__(
        self,
        receiver: CallReceiver,
        writer: DraftWriter,
        info: RequestInfo,
        agents: AgentReaders,
        limits: CallLimits | None = None,
    ) -> None:
        self._limits = limits or CallLimits()
        self.info = info
        self.path = info.target.partition("?")[0]
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in info.headers}
        self.provider: Provider | None = provider_of(info.method, self.path)
        self.agent: ReadsRequests = agents.of_request(self.headers, self.provider.name if self.provider else "")
        self.identity: Identity | None = None
        """The conversation, once the request was read."""
        self.attempt: tuple[Asked, int] | None = None
        """The logical request and this attempt's number, once the request was read."""
        self.purpose = CallPurpose.OTHER
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
        """Take one observation of this exchange from the proxy."""
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
        room = self._limits.request - len(self._request)
        self._request += data[:room] if room < len(data) else data

    def _request_end(self) -> None:
        """Read the request, even if it was answered or cut before its end."""
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
        """Report bytes that were dropped because the observation queue was full."""
        if self.provider is None:
            return
        self._missed += size
        self._receiver.lost(self, "traffic was too fast to record in full", size)

    def _exchange_end(self, outcome: ExchangeOutcome, detail: str) -> None:
        """Report the end of the exchange."""
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
        """Stop observing: report what has arrived as a cut attempt, and ignore the rest."""
        if self._is_asked and not self._is_over:
            self._end("cut_by_provider", reason)
        self._is_over = True

    def _read_request(self) -> ReadRequest:
        sent, self._request = self._request, bytearray()
        cut = self._size > len(sent) or self._missed > 0
        decoder = ContentDecoder(self.headers.get("content-encoding", ""), limit=self._limits.request)
        is_coded = self.headers.get("content-encoding", "identity") != "identity"
        body = None if cut else load(decoder.feed(bytes(sent)) if is_coded else sent)
        is_readable = is_object(body)
        return ReadRequest(
            body=mapping(body) if is_readable else None,
            raw=b"" if is_readable else bytes(sent),
            sha256=self._hash.hexdigest(),
            cut=cut or decoder.fault is not None,
        )

    def _end(self, transport: ExchangeOutcome, detail: str = "") -> None:
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

    def _judge(
        self, answer: ModelAnswer, transport: ExchangeOutcome, detail: str, whole: bytes
    ) -> tuple[ResponseOutcome, Json]:
        """How the attempt ended, and the reason if it was not complete."""
        why: Json = answer.error
        if self._status is None:
            return (ResponseOutcome.ERROR if transport == "failed" else ResponseOutcome.CUT), {
                "type": transport,
                "detail": detail,
            }
        if self._status >= _HTTP_ERROR:
            return ResponseOutcome.ERROR, why or {
                "type": "http",
                "body": whole[:_ERROR_KEPT].decode("utf-8", "replace"),
            }
        if why is not None:
            return ResponseOutcome.ERROR, why
        unread = self._decoder.fault or ("missed" if self._missed else None)
        if self._sse is not None and self._sse.oversized:
            unread = "too_large"
        if unread and (answer.finished or transport == "complete"):
            return ResponseOutcome.COMPLETE, {"type": "not_observed", "detail": unread}
        if answer.finished or (answer.ended and transport == "complete"):
            return ResponseOutcome.COMPLETE, {
                "type": "begun_again",
                "content": answer.dropped,
            } if answer.dropped else None
        return ResponseOutcome.CUT, {"type": transport, "detail": detail} if transport != "complete" else {
            "type": "unfinished"
        }
