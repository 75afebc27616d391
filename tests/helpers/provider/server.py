"""The scripted provider itself: a loopback server that answers the Messages and the Responses API from a script."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import zlib
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self, cast

import brotli  # type: ignore[import-untyped]  # its wheels carry no types
from tests.helpers.provider import messages, responses
from tests.helpers.provider.exchange import LIMIT, Exchange, read_body, read_head
from tests.helpers.provider.recognise import Api, Place, find_place, offered_tools, wants_title
from tests.helpers.provider.script import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from tests.helpers.provider.script import Script

_APIS = {"messages": messages, "responses": responses}


class Provider:
    """A provider on 127.0.0.1, for the time of an ``async with``."""

    def __init__(self, script: Script, *, port: int = 0, log: Path | None = None) -> None:
        """``log``: a file that gets one JSON line for each finished exchange."""
        self.script = script
        self.exchanges: list[Exchange] = []
        self._port = port
        self._log = log
        self._connections = 0
        self._attempts: Counter[tuple[str, str, int]] = Counter()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._released = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Listen."""
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port, limit=LIMIT)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the socket and every connection."""
        if self._server is None:
            return
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def release(self) -> None:
        """Let every held cut happen, and every later one too; any thread may call."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._released.set)

    @property
    def port(self) -> int:
        """The port that was bound."""
        return self._port

    @property
    def anthropic_url(self) -> str:
        """The value for ANTHROPIC_BASE_URL, or for ``--upstream anthropic=``."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def openai_url(self) -> str:
        """The value for a Codex provider's base_url, or for ``--upstream openai=``."""
        return f"http://127.0.0.1:{self._port}/v1"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        connection = self._connections
        try:
            while head := await read_head(reader):
                if b"\r\nexpect: 100-continue\r\n" in head.lower():
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                try:
                    body = await read_body(reader, head)
                except (asyncio.IncompleteReadError, ConnectionError):
                    return
                exchange = Exchange(number=len(self.exchanges), connection=connection, head=head, body=body)
                self.exchanges.append(exchange)
                if not await self._answer(exchange, writer):
                    return
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, exchange: Exchange, writer: asyncio.StreamWriter) -> bool:
        answer = _Answer(exchange, writer, self.script)
        try:
            alive = await self._route(exchange, answer)
            if exchange.outcome == "open":
                exchange.outcome = "complete"
        except ConnectionError:
            exchange.outcome = "client_gone"
            alive = False
        except asyncio.CancelledError:
            exchange.outcome = "client_gone"
            raise
        finally:
            if self._log is not None:
                with self._log.open("a") as file:
                    file.write(json.dumps(exchange.to_json()) + "\n")
        return alive

    async def _route(self, exchange: Exchange, answer: _Answer) -> bool:
        path = exchange.target.split("?", 1)[0]
        if exchange.method == "POST" and path.endswith("/messages"):
            return await self._model_call("messages", exchange, answer)
        if exchange.method == "POST" and path.endswith("/responses"):
            return await self._model_call("responses", exchange, answer)
        if exchange.method == "POST" and path.endswith("/messages/count_tokens"):
            await answer.whole(200, {"input_tokens": len(exchange.body) // 4})
        elif exchange.method == "HEAD" and path == "/api/hello":
            await answer.whole(200, None)
        elif path.endswith("/models") and exchange.method == "GET":
            await answer.whole(200, {"object": "list", "data": [], "models": [], "has_more": False})
        else:
            exchange.outcome = "refused"
            await answer.whole(404, messages.error_document(404))
        return True

    async def _model_call(self, api: Api, exchange: Exchange, answer: _Answer) -> bool:
        body = exchange.document()
        if not (exchange.header("authorization") or exchange.header("x-api-key")):
            exchange.outcome = "refused"
            await answer.whole(401, _APIS[api].error_document(401))
            return True
        place = find_place(self.script, api, body)
        if place is None:
            await self._side(api, exchange, answer)
            return True
        turn = place.conversation.turns[place.turn]
        exchange.conversation, exchange.turn = place.conversation.prompt, place.turn
        key = (api, place.conversation.prompt, place.turn)
        exchange.attempt = self._attempts[key] + 1
        self._attempts[key] += 1
        fault = turn.faults[exchange.attempt - 1] if exchange.attempt <= len(turn.faults) else None
        if fault is not None and fault.kind == "status":
            exchange.outcome = f"status_{fault.status}"
            extra = () if fault.retry_after is None else (("Retry-After", str(fault.retry_after)),)
            await answer.whole(fault.status, _APIS[api].error_document(fault.status), extra)
            return True
        return await self._turn(api, place, exchange, answer, fault)

    async def _turn(self, api: Api, place: Place, exchange: Exchange, answer: _Answer, fault: Fault | None) -> bool:
        body = exchange.document()
        turn = place.conversation.turns[place.turn]
        whole = _APIS[api].document(place, body)
        if not body.get("stream"):
            await answer.whole(200, whole)
            return True
        events = list(_APIS[api].stream(whole, turn.chunk))
        events = events if turn.is_marked else events[:-1]
        if fault is not None:
            exchange.outcome = fault.kind
            events = events[: fault.after]
            if fault.kind == "error_event":
                events.append(messages.error_event() if api == "messages" else responses.error_event(whole))
        cut = fault is not None and fault.kind == "cut"
        await answer.stream(events, pace_ms=turn.pace_ms, finish=not cut)
        if fault is not None and fault.held:
            await self._released.wait()
        return fault is None

    async def _side(self, api: Api, exchange: Exchange, answer: _Answer) -> None:
        body = exchange.document()
        words = exchange.body.decode("utf-8", "replace")
        text = next((side.text for side in self.script.side if side.contains in words), None)
        if text is None:
            titled = wants_title(body) or ("title" in words and not offered_tools(body))
            text = '{"title":"Scripted session"}' if titled else "Nothing is scripted here."
        whole = _APIS[api].side_document(text, body)
        if body.get("stream"):
            await answer.stream(list(_APIS[api].stream(whole, 16)), pace_ms=0, finish=True)
        else:
            await answer.whole(200, whole)


class _Answer:
    """Writes one answer and keeps a copy of every byte."""

    def __init__(self, exchange: Exchange, writer: asyncio.StreamWriter, script: Script) -> None:
        self._exchange = exchange
        self._writer = writer
        self._script = script

    async def whole(self, status: int, document: Any, extra: tuple[tuple[str, str], ...] = ()) -> None:
        """An answer of known length."""
        body = b"" if document is None else json.dumps(document, ensure_ascii=False).encode()
        head = (("Content-Type", "application/json"), *extra, *self._common(), ("Content-Length", str(len(body))))
        await self._write(_head(status, head) + body)

    async def stream(self, events: list[bytes], *, pace_ms: int, finish: bool) -> None:
        """A chunked SSE answer; without ``finish`` the connection ends where the last event ended."""
        encoding = self._script.encoding
        if encoding and encoding not in self._exchange.header("accept-encoding"):
            encoding = ""
        coded = (("Content-Encoding", encoding),) if encoding else ()
        kind = ("Content-Type", "text/event-stream; charset=utf-8")
        await self._write(_head(200, (kind, *coded, *self._common(), ("Transfer-Encoding", "chunked"))))
        process, end = _coder(encoding)
        for event in events:
            await self._chunk(process(event))
            if pace_ms:
                await asyncio.sleep(pace_ms / 1000)
        if finish:
            await self._chunk(end())
            await self._write(b"0\r\n\r\n")

    def _common(self) -> tuple[tuple[str, str], ...]:
        return (("Request-Id", f"req_{self._exchange.number:024d}"), *self._script.headers)

    async def _chunk(self, data: bytes) -> None:
        if data:
            await self._write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        self._exchange.answer += data
        await self._writer.drain()


def _head(status: int, headers: tuple[tuple[str, str], ...]) -> bytes:
    known = {item.value: item.phrase for item in HTTPStatus}
    lines = [f"HTTP/1.1 {status} {known.get(status, 'Scripted')}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _coder(encoding: str) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    if encoding == "gzip":
        gz = zlib.compressobj(wbits=31)
        return (lambda data: gz.compress(data) + gz.flush(zlib.Z_SYNC_FLUSH)), gz.flush
    if encoding == "br":
        br = cast("Any", brotli.Compressor(quality=4))  # pyright: ignore[reportUnknownMemberType]
        return (lambda data: bytes(br.process(data) + br.flush())), lambda: bytes(br.finish())
    return (lambda data: data), bytes


@contextlib.contextmanager
def running(script: Script, *, log: Path | None = None) -> Generator[Provider]:
    """A provider on a thread of its own, for tests that drive subprocesses without an event loop."""
    provider = Provider(script, log=log)
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def live() -> None:
        async with provider:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(live(),), name="scripted-provider")
    thread.start()
    ready.wait()
    try:
        yield provider
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
