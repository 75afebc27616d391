"""Real traffic, if it lies next to the project: transcripts of Claude Code, recorded streams."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.capturing import CLAUDE, CaptureBench, asks, exchange, messages_stream, pieces

from promptster.capture.providers import provider_of
from promptster.capture.providers.interface import ModelAnswer
from promptster.proxy.sse import SseParser

DATA = Path(__file__).parents[3] / "shared" / "data"
TRANSCRIPTS = sorted((DATA / "claude_code").glob("*.jsonl"))
STREAMS = sorted((DATA / "provider_streams").glob("*.yaml"))
NOT_TYPED = ("<local-command", "<command-name>", "[Request interrupted", "Base directory for this skill")

needs_transcripts = pytest.mark.skipif(not TRANSCRIPTS, reason="no foreign transcripts beside the project")
needs_streams = pytest.mark.skipif(not STREAMS, reason="no foreign streams beside the project")


def _entries(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["type"] in {"user", "assistant"} and not line.get("isSidechain")]


def _blocks(entry: dict[str, Any]) -> list[dict[str, Any]]:
    content = entry["message"]["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _conversation(path: Path) -> list[tuple[str, list[dict[str, Any]]]]:
    """The transcript as messages: one per answer of the model, followed by all its results and words."""
    messages: list[tuple[str, list[dict[str, Any]]]] = []
    answers: dict[str, list[dict[str, Any]]] = {}
    for entry in _entries(path):
        if entry["type"] == "assistant":
            name = entry["message"]["id"]
            if name not in answers:
                answers[name] = []
                messages.append(("assistant", answers[name]))
            answers[name].extend(_blocks(entry))
        elif messages and messages[-1][0] == "user":
            messages[-1][1].extend(_blocks(entry))
        else:
            messages.append(("user", _blocks(entry)))
    return messages


@needs_transcripts
@pytest.mark.parametrize("path", TRANSCRIPTS, ids=[path.stem for path in TRANSCRIPTS])
@pytest.mark.parametrize("restarts", [False, True])
def test_a_transcript_played_as_requests(path: Path, restarts: bool) -> None:  # noqa: FBT001 - a parameter
    """Each answer is asked for with its whole history: words, calls and results are recorded once, in order."""
    messages = _conversation(path)
    bench = CaptureBench()
    last = max(index for index, (role, _) in enumerate(messages) if role == "assistant")
    for index, (role, blocks) in enumerate(messages):
        if role == "assistant":
            exchange(bench, asks(*messages[:index]), messages_stream(*blocks), agent=CLAUDE)
        elif restarts and index % 7 == 0:
            bench.restart()
    sent = [block for role, blocks in messages[:last] if role == "user" for block in blocks]
    words = [block["text"] for block in sent if block["type"] == "text" and not block["text"].startswith(NOT_TYPED)]
    results = [block["tool_use_id"] for block in sent if block["type"] == "tool_result"]
    calls = [block["id"] for _, blocks in messages for block in blocks if block["type"] == "tool_use"]
    assert bench.texts("proxy") == words
    assert [draft.fields["tool_use_id"] for draft in bench.kinds("tool_call")] == calls
    assert [draft.fields["tool_use_id"] for draft in bench.kinds("tool_result")] == results


def _answer(target: str, body: bytes, cuts: list[int]) -> ModelAnswer:
    provider = provider_of("POST", target)
    assert provider is not None
    assembler, parser = provider.assembler(), SseParser()
    for piece in pieces(body, cuts):
        for event in parser.feed(piece):
            assembler.event(event.event, event.data)
    return assembler.answer()


@needs_streams
@pytest.mark.parametrize("path", STREAMS, ids=[path.stem for path in STREAMS])
def test_a_recorded_stream_cut_anywhere(path: Path) -> None:
    """Streams of real providers are read completely, and the same however they are cut."""
    yaml = pytest.importorskip("yaml", reason="the recorded streams are YAML files")
    chance = random.Random(3)  # noqa: S311 - a reproducible choice of cuts
    streams = 0
    for interaction in yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]:
        text = interaction["response"].get("body", {}).get("string", "")
        if not text.startswith(("event:", "data:")):
            continue
        streams += 1
        target = "/" + interaction["request"]["uri"].split("/", 3)[3].partition("?")[0]
        whole = _answer(target, text.encode(), [])
        assert whole.finished
        assert whole.error is None
        assert whole.text or whole.calls
        assert whole.content
        assert whole.stop_reason
        for _ in range(20):
            cuts = [chance.randrange(len(text)) for _ in range(60)]
            assert _answer(target, text.encode(), cuts) == whole
    assert streams
