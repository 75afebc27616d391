"""One exchange's bytes: codings, sizes, and what an end means."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]  # its wheels carry no types
import pytest
import zstandard
from tests.helpers.capturing import (
    CLAUDE,
    JSON,
    SSE,
    CaptureBench,
    asks,
    exchange,
    messages_stream,
    pieces,
    text_block,
    values,
)

from promptster.capture.proxy_side.observed_call import CallLimits

BODY = asks(("user", "one"))


def _brotli(data: bytes) -> bytes:
    return bytes(brotli.compress(data))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def _zstd(data: bytes) -> bytes:
    return bytes(zstandard.compress(data))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


CODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"br": _brotli,
    b"zstd": _zstd,
    b"deflate": zlib.compress,
}


@pytest.mark.parametrize("coding", CODERS)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_coded_stream_is_read_as_it_comes(coding: bytes, size: int) -> None:
    """Agents offer br, gzip and zstd; the answer is the same in whatever pieces it comes."""
    bench = CaptureBench()
    observer = bench.observer(agent=CLAUDE)
    observer.request_body(json.dumps(BODY).encode())
    observer.request_end()
    observer.response_head(200, (*SSE, (b"Content-Encoding", coding)))
    coded = CODERS[coding](messages_stream(text_block("hello " * 50)))
    for piece in pieces(coded, range(0, len(coded), size)):
        observer.response_body(piece)
    observer.finished("complete", "")
    assert values(bench.kinds("model_response"), "outcome", "text") == [("complete", "hello " * 50)]


def test_a_compressed_request_is_read() -> None:
    """Codex compresses what it sends; the hash is that of the bytes as sent."""
    bench = CaptureBench()
    sent = _zstd(json.dumps(BODY).encode())
    observer = bench.observer(agent={**CLAUDE, "content-encoding": "zstd"})
    observer.request_body(sent)
    observer.request_end()
    (asked,) = bench.kinds("model_request")
    assert asked.fields["body"] == BODY
    assert asked.fields["request_sha256"] == hashlib.sha256(sent).hexdigest()


def test_an_answer_in_one_piece() -> None:
    """An answer that is not streamed is read when it is complete."""
    bench = CaptureBench()
    answer = {
        "type": "message",
        "id": "msg_1",
        "model": "m-1",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "opaque"},
            {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "x"}},
            text_block("yes"),
        ],
        "stop_reason": "pause_turn",
        "usage": {"output_tokens": 2},
    }
    exchange(bench, BODY, json.dumps(answer).encode(), headers=JSON, agent=CLAUDE)
    (told,) = bench.kinds("model_response")
    assert told.fields["content"] == answer["content"]
    names = ("outcome", "text", "thinking", "stop_reason", "model", "response_id", "usage")
    assert values([told], *names) == [("complete", "yes", "hm", "pause_turn", "m-1", "msg_1", {"output_tokens": 2})]
    assert values(bench.kinds("tool_call"), "tool_use_id", "name") == [("srv_1", "web_search")]


def test_a_stream_without_its_name_is_still_a_stream() -> None:
    """A stream without its content type is recognised by its content."""
    bench = CaptureBench()
    exchange(bench, BODY, messages_stream(text_block("hello")), headers=(), agent=CLAUDE)
    assert values(bench.kinds("model_response"), "outcome", "text") == [("complete", "hello")]


def test_a_request_over_the_limit_is_cut() -> None:
    """The beginning of a body that is too long is kept, as bytes, and the rest is a gap."""
    bench = CaptureBench({"limits": CallLimits(request=40)})
    exchange(bench, BODY, messages_stream(text_block("hello")), agent=CLAUDE)
    (asked,) = bench.kinds("model_request")
    assert asked.fields["body_raw"] == json.dumps(BODY).encode()[:40]
    assert asked.fields["request_sha256"] == hashlib.sha256(json.dumps(BODY).encode()).hexdigest()
    assert asked.fields["purpose"] == "other"
    assert len(bench.kinds("capture_gap")) == 1
    assert len(bench.kinds("model_response")) == 1


def test_an_answer_beyond_the_limit_is_marked() -> None:
    """An answer is kept up to 16 MiB; the rest is a gap, and the agent is not to blame."""
    bench = CaptureBench()
    observer = bench.observer(agent=CLAUDE)
    observer.request_body(json.dumps(BODY).encode())
    observer.request_end()
    observer.response_head(200, (*SSE, (b"content-encoding", b"gzip")))
    begun = messages_stream(text_block("hello"), whole=False)
    observer.response_body(gzip.compress(begun + b": " + b"x" * (17 << 20) + b"\n\n"))
    observer.finished("complete", "")
    assert values(bench.kinds("model_response"), "outcome", "text", "error") == [
        ("complete", "hello", {"type": "not_observed", "detail": "too_large"})
    ]
    assert len(bench.kinds("capture_gap")) == 1


@pytest.mark.parametrize("body", [b"", b"no json", b"[1]", b'"text"', b"\xff\xfe"])
def test_a_body_that_is_no_object_is_kept_as_it_came(body: bytes) -> None:
    """A body that cannot be read is still recorded."""
    bench = CaptureBench()
    observer = bench.observer(agent=CLAUDE)
    observer.request_body(body)
    observer.request_end()
    observer.response_head(400, JSON)
    observer.response_body(b"<html>no</html>")
    observer.finished("complete", "")
    (asked,) = bench.kinds("model_request")
    assert asked.fields.get("body_raw", b"") == body
    (told,) = bench.kinds("model_response")
    assert told.fields["outcome"] == "error"
    assert told.fields["error"] == {"type": "http", "body": "<html>no</html>"}
