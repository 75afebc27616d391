"""Recorded streams of real providers, cut again anywhere, through the whole proxy."""

from __future__ import annotations

import json
import os
import random
import re
import textwrap
from pathlib import Path

import pytest
from tests.proxy.rig import Talk, provider, proxied

from promptster.proxy.sse import SseParser

_NEIGHBOUR = Path(__file__).parents[3] / "shared" / "data" / "provider_streams"
FOLDER = Path(os.environ.get("PROMPTSTER_PROVIDER_STREAMS", _NEIGHBOUR))
_BLOCK = re.compile(r"^ {6}string: \|[+-]?\n((?: {8}.*\n|\n)+)", re.MULTILINE)


def _streams() -> list[tuple[str, bytes]]:
    """The response bodies that the recordings hold as literal blocks of server-sent events."""
    found: list[tuple[str, bytes]] = []
    for file in sorted(FOLDER.glob("*.yaml")) if FOLDER.is_dir() else []:
        for number, match in enumerate(_BLOCK.finditer(file.read_text())):
            text = textwrap.dedent(match[1])
            if re.match(r"(event|data):", text):
                found.append((f"{file.stem}-{number}", text.encode()))
    return found


STREAMS = _streams()


@pytest.mark.skipif(not STREAMS, reason="no recorded streams beside the checkout")
@pytest.mark.parametrize(("name", "stream"), STREAMS, ids=[name for name, _ in STREAMS])
@pytest.mark.parametrize("seed", range(3))
async def test_a_recorded_stream_passes_unchanged_at_any_cut(name: str, stream: bytes, seed: int) -> None:
    """The agent gets the provider's bytes, the observer the payload, and its events are the recording's."""
    rng = random.Random(f"{name}{seed}")  # noqa: S311 - a test's repeatable choice
    sent = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n"
    at = 0
    while at < len(stream):
        piece = stream[at : at + rng.randrange(1, 4000)]
        sent += b"%x\r\n%s\r\n" % (len(piece), piece)
        at += len(piece)
    sent += b"0\r\n\r\n"

    async def script(talk: Talk) -> None:
        await talk.request()
        begin = 0
        while begin < len(sent):
            end = begin + rng.randrange(1, 4000)
            await talk.send(sent[begin:end])
            begin = end

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.ask(body=b"{}")
        assert await agent.reader.readexactly(len(sent)) == sent
        seen = await here.settled()
    assert seen.response == stream
    whole = SseParser().feed(stream)
    parser = SseParser()
    cut = [event for begin in range(0, len(stream), 7) for event in parser.feed(stream[begin : begin + 7])]
    assert cut == whole
    assert len(whole) > 3
    for event in whole:
        assert event.data == "[DONE]" or isinstance(json.loads(event.data), dict)
