"""Feeds exchanges and hook payloads to the real capture engine, and keeps the drafts that come out."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from promptster.agents.registry import readers
from promptster.capture.engine import Capture
from promptster.protocol.events import Draft, compose
from promptster.proxy.header_fields import split_credentials
from promptster.proxy.observation import (
    DataMissed,
    ExchangeEnd,
    RequestData,
    RequestEnd,
    RequestInfo,
    ResponseData,
    ResponseStart,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from promptster.protocol.events import OpenedEvent
    from promptster.proxy.header_fields import Headers
    from promptster.proxy.observation import ExchangeOutcome, Observer

RECORDINGS = Path(__file__).parent.parent / "recordings"
"""What older versions of Promptster recorded."""
AGENTS = Path(__file__).parent.parent / "agents"
"""By agent, ``recordings/VERSION``: what the real one sent to a script of ours, without its own long texts."""

SSE = ((b"content-type", b"text/event-stream; charset=utf-8"),)
JSON = ((b"content-type", b"application/json"),)


class HandClock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now_ms = 0

    def wall_ms(self) -> int:
        """A fixed moment in November 2026 plus the time that has passed."""
        return 1_795_000_000_000 + self.now_ms

    def mono_ms(self) -> int:
        """The time that has passed."""
        return self.now_ms


@dataclass(frozen=True)
class Reports:
    """Reports one exchange to an observer, as the proxy does."""

    observer: Observer

    def request_body(self, data: bytes) -> None:
        """A piece of the request's body."""
        self.observer.observe(RequestData(data))

    def request_end(self) -> None:
        """The request's end."""
        self.observer.observe(RequestEnd())

    def response_head(self, status: int, headers: Headers) -> None:
        """The response's head."""
        self.observer.observe(ResponseStart(status, headers))

    def response_body(self, data: bytes) -> None:
        """A piece of the response's body."""
        self.observer.observe(ResponseData(data))

    def missed(self, size: int) -> None:
        """Bytes that were not observed."""
        self.observer.observe(DataMissed(size))

    def finished(self, outcome: ExchangeOutcome, reason: str) -> None:
        """The exchange's end."""
        self.observer.observe(ExchangeEnd(outcome, reason))


@dataclass
class CaptureBench:
    """A capture engine and the drafts it wrote; ``seq`` is the index in ``drafts``."""

    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    clock: HandClock = field(default_factory=HandClock)
    drafts: list[Draft] = field(default_factory=list[Draft])

    def __post_init__(self) -> None:
        """Start the first engine."""
        self.capture = Capture(self._append, self.clock, agents=readers(), **self.options)

    def _append(self, draft: Draft) -> int:
        self.drafts.append(draft)
        return len(self.drafts) - 1

    def restart(self, *, lost: int = 0) -> None:
        """Start a new engine from what the old one recorded, except the last few events, which were lost."""
        del self.drafts[len(self.drafts) - lost :]
        self.capture = Capture(self._append, self.clock, agents=readers(), **self.options)
        for event in self.recorded():
            self.capture.absorb(event)

    def recorded(self) -> list[OpenedEvent]:
        """The drafts as the journal would return them."""
        return [compose(draft, seq=seq, src_seq=seq, random=bytes).open() for seq, draft in enumerate(self.drafts)]

    def observer(
        self,
        target: str = "/v1/messages",
        *,
        upstream: str = "anthropic",
        method: str = "POST",
        agent: Mapping[str, str] = MappingProxyType({}),
    ) -> Reports:
        """Report a new exchange of the agent that sends these header fields."""
        headers, credentials = split_credentials(
            tuple((name.encode(), value.encode()) for name, value in agent.items())
        )
        info = RequestInfo(
            upstream=upstream,
            method=method,
            target=target,
            headers=headers,
            received_ms=self.clock.wall_ms(),
            credentials=credentials,
        )
        return Reports(self.capture.open_observer(info))

    def hook(self, agent: str, **payload: Any) -> None:
        """One hook payload."""
        self.capture.hook(agent, json.dumps(payload).encode())

    def kinds(self, *kinds: str, src: str | None = None) -> list[Draft]:
        """The drafts of these kinds, in order."""
        return [draft for draft in self.drafts if draft.kind in kinds and src in {None, draft.src}]

    def texts(self, src: str) -> list[str]:
        """The candidate's prompts as one source saw them."""
        return [str(draft.fields["text"]) for draft in self.kinds("prompt", src=src) if not draft.fields.get("machine")]


def values(drafts: Iterable[Draft], *names: str) -> list[tuple[Any, ...]]:
    """The values of some fields of each draft."""
    return [tuple(draft.fields.get(name) for name in names) for draft in drafts]


def recording(name: str) -> list[dict[str, Any]]:
    """The steps of one recording, ``AGENT/VERSION/NAME``."""
    agent, version, file = name.split("/")
    lines = (AGENTS / agent / "recordings" / version / f"{file}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def recorded_hooks(agent: str, version: str, name: str = "hooks") -> list[dict[str, Any]]:
    """The hook payloads of one recording that holds nothing else."""
    found: list[dict[str, Any]] = json.loads(
        (AGENTS / agent / "recordings" / version / f"{name}.json").read_text(encoding="utf-8")
    )
    return found


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """The data cut at these offsets."""
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def play(
    bench: CaptureBench,
    steps: Iterable[Mapping[str, Any]],
    *,
    cut: Callable[[bytes], Sequence[bytes]] = lambda data: [data],
    without_hooks: bool = False,
) -> None:
    """Play a recording to an engine: each step at its time, bodies in pieces."""
    open_: dict[int, Reports] = {}
    for index, step in enumerate(steps):
        bench.clock.now_ms = max(bench.clock.now_ms, step["ms"])
        if "hook" in step:
            if not without_hooks:
                bench.capture.hook(step["hook"], json.dumps(step["payload"]).encode())
        elif "request" in step:
            open_[index] = _ask(bench, step["request"], cut)
        else:
            _answer(open_.pop(step["response_to"]), step, cut)
        bench.capture.tick()


def _ask(bench: CaptureBench, request: Mapping[str, Any], cut: Callable[[bytes], Sequence[bytes]]) -> Reports:
    info = RequestInfo(
        upstream=request["upstream"],
        method=request["method"],
        target=request["target"],
        headers=tuple((name.encode(), value.encode()) for name, value in request["headers"]),
        received_ms=bench.clock.wall_ms(),
    )
    observer = Reports(bench.capture.open_observer(info))
    body = request["body"]
    for piece in cut(b"" if body is None else json.dumps(body).encode()):
        observer.request_body(piece)
    observer.request_end()
    return observer


def _answer(observer: Reports, step: Mapping[str, Any], cut: Callable[[bytes], Sequence[bytes]]) -> None:
    observer.response_head(step["status"], tuple((name.encode(), value.encode()) for name, value in step["headers"]))
    for piece in cut(step["body"].encode()):
        observer.response_body(piece)
    outcome: ExchangeOutcome = step["end"]
    observer.finished(outcome, "")


def exchange(
    bench: CaptureBench,
    body: Mapping[str, Any],
    answer: bytes | None,
    *,
    status: int = 200,
    headers: Sequence[tuple[bytes, bytes]] = SSE,
    outcome: ExchangeOutcome = "complete",
    target: str = "/v1/messages",
    upstream: str = "anthropic",
    agent: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """One whole exchange; ``answer`` is ``None`` if the provider never answered."""
    observer = bench.observer(target, upstream=upstream, agent=agent)
    observer.request_body(json.dumps(body).encode())
    observer.request_end()
    if answer is not None:
        observer.response_head(status, tuple(headers))
        observer.response_body(answer)
    observer.finished(outcome, "")


def messages_stream(*blocks: Mapping[str, Any], stop: str | None = None, whole: bool = True) -> bytes:
    """A stream of Anthropic's Messages API with these content blocks; without its end unless ``whole``."""
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "msg_1", "model": "m-1", "usage": {"input_tokens": 3}}}
    ]
    for index, block in enumerate(blocks):
        empty = dict(block)
        if "text" in block:
            empty["text"] = ""
        if "input" in block:
            empty["input"] = {}
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        if block["type"] == "text":
            events.append(_delta(index, type="text_delta", text=block["text"]))
        if block["type"] == "tool_use":
            events.append(_delta(index, type="input_json_delta", partial_json=json.dumps(block["input"])))
        events.append({"type": "content_block_stop", "index": index})
    if whole:
        reason = stop or ("tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn")
        events.append({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 5}})
        events.append({"type": "message_stop"})
    return sse(events)


def _delta(index: int, **delta: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def sse(events: Iterable[Mapping[str, Any]]) -> bytes:
    """Events as a stream names and sends them."""
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def text_block(text: str) -> dict[str, Any]:
    """A content block of text."""
    return {"type": "text", "text": text}


def tool_block(tool_use_id: str, name: str = "Bash", **given: Any) -> dict[str, Any]:
    """A content block that calls a tool."""
    return {"type": "tool_use", "id": tool_use_id, "name": name, "input": given}


def result_block(tool_use_id: str, content: str = "done", *, is_error: bool = False) -> dict[str, Any]:
    """A content block that answers a tool call."""
    return {"type": "tool_result", "tool_use_id": tool_use_id, "content": content, "is_error": is_error}


def asks(*messages: tuple[str, Any], **more: Any) -> dict[str, Any]:
    """A request's body with these (role, content) messages, as an agent with tools sends it."""
    listed = [{"role": role, "content": content} for role, content in messages]
    return {"model": "m-1", "stream": True, "tools": [{"name": "Bash"}], "messages": listed, **more}


CLAUDE = {"User-Agent": "claude-cli/2.1.330", "X-Claude-Code-Session-Id": "session-1"}
"""Header fields of Claude Code."""
