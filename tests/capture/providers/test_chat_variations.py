"""Chat completions in all the ways in which providers stream them: calls, words and counts are the same."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers.capturing import CaptureBench, asks, exchange, values

from promptster.capture.providers.interface import ModelAnswer, ToolUse, mapping
from promptster.capture.providers.openai_chat import OpenAIChat

WORDS = st.text('ab{}"\\ ü\n', max_size=12)
ARGUMENTS = st.dictionaries(st.sampled_from(["path", "q", "n"]), WORDS | st.integers(0, 9), min_size=1, max_size=3)
CALLS = st.lists(st.tuples(st.sampled_from(["read", "grep", "re"]), ARGUMENTS), min_size=1, max_size=4)


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a provider streams calls."""

    index: str
    """``own``: one for each call; ``zero``: the same for all; ``none``: left out."""
    ids: str
    """With the first piece (``once``), the ``last`` or ``each``; another with each (``new``); the ``same`` for all."""
    name: str
    """``once`` or ``each``."""
    arguments: str
    """``pieces``, ``whole``, ``object``, ``repeated`` (all again after the pieces), ``so_far`` (each time)."""
    together: bool
    """Whether all calls together are sent in as few chunks as there are pieces of one."""

    def is_clear(self) -> bool:
        """Whether calls can be distinguished: by index, by id, or because each comes whole."""
        if self.ids == "last":
            return self.index == "own"
        if self.ids == "new":
            return not self.together and self.name == "once" and self.arguments in {"pieces", "whole", "object"}
        if self.ids == "same":
            return self.index == "own" or (self.name == "once" and self.arguments in {"whole", "object"})
        return not self.together or self.index == "own" or self.ids == "each"


MANNERS = st.builds(
    Manner,
    index=st.sampled_from(["own", "zero", "none"]),
    ids=st.sampled_from(["once", "last", "each", "new", "same"]),
    name=st.sampled_from(["once", "each"]),
    arguments=st.sampled_from(["pieces", "whole", "object", "repeated", "so_far"]),
    together=st.booleans(),
).filter(Manner.is_clear)


def _texts(manner: Manner, arguments: dict[str, Any], cuts: list[int]) -> list[Any]:
    text = json.dumps(arguments)
    edges = sorted({0, len(text), *(cut % len(text) for cut in cuts)})
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
    match manner.arguments:
        case "whole":
            return [text]
        case "object":
            return [arguments]
        case "repeated":
            return [*pieces, text]
        case "so_far":
            return [text[:end] for end in edges[1:]]
        case _:
            return pieces


def _entries(manner: Manner, place: int, name: str, arguments: dict[str, Any], cuts: list[int]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    texts = _texts(manner, arguments, cuts)
    for at, text in enumerate(texts):
        function: dict[str, Any] = {"arguments": text}
        entry: dict[str, Any] = {"type": "function", "function": function}
        if manner.index != "none":
            entry["index"] = place if manner.index == "own" else 0
        if manner.ids in {"each", "new"} or at == (len(texts) - 1 if manner.ids == "last" else 0):
            entry["id"] = "call_same" if manner.ids == "same" else f"call_{place}"
            entry["id"] += f"_{at}" if at and manner.ids == "new" else ""
        if not at or manner.name == "each":
            function["name"] = name
        entries.append(entry)
    return entries


def _chunk(reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "c", "model": "g", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def _answer(*chunks: dict[str, Any]) -> ModelAnswer:
    assembler = OpenAIChat().assembler()
    for chunk in chunks:
        assembler.event("message", json.dumps(chunk))
    return assembler.answer()


@given(calls=CALLS, manner=MANNERS, cuts=st.lists(st.integers(1, 40), max_size=4))
def test_calls_in_every_manner(calls: list[tuple[str, dict[str, Any]]], manner: Manner, cuts: list[int]) -> None:
    """Each call is recorded once, with its own id, name and arguments, in the order in which they began."""
    if manner.index != "own" and manner.ids == "same":
        calls = [call for at, call in enumerate(calls) if call not in calls[:at]]
    rows = [_entries(manner, place, name, given, cuts) for place, (name, given) in enumerate(calls)]
    if manner.together:
        longest = max(map(len, rows))
        lists = [[row[at] for row in rows if at < len(row)] for at in range(longest)]
    else:
        lists = [[entry] for row in rows for entry in row]
    got = _answer(*(_chunk(tool_calls=entries) for entries in lists), _chunk("tool_calls"))
    ids = ["call_same" if manner.ids == "same" else f"call_{place}" for place in range(len(calls))]
    assert got.calls == [ToolUse(id=name, name=call[0], input=call[1]) for name, call in zip(ids, calls, strict=True)]


def test_an_id_after_its_call() -> None:
    """An entry without a name, or an empty one, is not a call, whether or not an index says so."""
    entries: list[dict[str, Any]] = [
        {"function": {"name": "read", "arguments": '{"pa'}},
        {"function": {"arguments": 'th":"a"}'}},
        {"id": "late", "function": {"arguments": ""}},
        {"id": "later", "function": {}},
    ]
    got = _answer(*(_chunk(tool_calls=[entry]) for entry in entries), _chunk("tool_calls"))
    assert got.calls == [ToolUse(id="late", name="read", input={"path": "a"})]


def test_a_call_in_the_place_of_a_list() -> None:
    """A single call in place of a list is recorded."""
    call = {"id": "c", "function": {"name": "read", "arguments": '{"path":"a"}'}}
    assert _answer(_chunk(tool_calls=call), _chunk("tool_calls")).calls == [
        ToolUse(id="c", name="read", input={"path": "a"})
    ]


def test_a_whole_message_in_a_stream() -> None:
    """Gateways that answer at once send a ``message`` instead of a ``delta``, or in addition to one as a repetition."""
    message = {"role": "assistant", "content": "hi"}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    assert _answer(whole).text == "hi"
    both = {"choices": [{"index": 0, "message": message, "delta": {"content": "i"}, "finish_reason": "stop"}]}
    assert _answer(_chunk(content="h"), both).text == "hi"


def test_several_choices() -> None:
    """The first is the answer, and the others are in the content, each under its index."""
    call = {"index": 0, "id": "c", "function": {"name": "read", "arguments": '{"path":"a"}'}}
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": place, "delta": delta}]}
        for place, delta in [
            (1, {"content": "so"}),
            (0, {"content": "or"}),
            (2, {"tool_calls": [call]}),
            (1, {"content": "!"}),
        ]
    ]
    got = _answer(*chunks, _chunk("stop"))
    assert (got.text, got.calls) == ("or", [])
    messages = [mapping(message) for message in got.content]
    told = [(message.get("index"), message["content"], bool(message.get("tool_calls"))) for message in messages]
    assert told == [(None, "or", False), (1, "so!", False), (2, None, True)]


@pytest.mark.parametrize("lead", [b"", b": waiting\n\n", b"\r\n", b"\xef\xbb\xbf", b"id: 1\n"])
def test_a_stream_under_another_type(lead: bytes) -> None:
    """A stream is read as a stream whatever its type says and however it begins."""
    bench = CaptureBench()
    stream = lead + b"".join(
        f"data: {json.dumps(each)}\n\n".encode() for each in (_chunk(content="hi"), _chunk("stop"))
    )
    plain = ((b"content-type", b"text/plain"),)
    exchange(bench, asks(("user", "go")), stream, headers=plain, target="/v1/chat/completions", upstream="openai")
    assert values(bench.kinds("model_response"), "outcome", "text") == [("complete", "hi")]


def _in_form(word: str, style: str) -> Any:
    match style:
        case "parts":
            thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
            return [thought, {"type": "text", "text": word}]
        case "strings":
            return [word]
        case "part":
            return {"type": "text", "text": word}
        case _:
            return word


@given(words=st.lists(WORDS, max_size=4), style=st.sampled_from(["text", "parts", "strings", "part"]))
def test_content_in_every_form(words: list[str], style: str) -> None:
    """Words are joined, whether they are sent as texts or in parts; thoughts among the parts are left out."""
    got = _answer(*(_chunk(content=_in_form(word, style)) for word in words), _chunk("stop"))
    assert got.text == "".join(words)
    assert got.thinking == ("hm" * len(words) if style == "parts" else "")


def test_thoughts_under_two_names() -> None:
    """The same thought under both of its names is recorded once."""
    assert _answer(_chunk(reasoning="hm", reasoning_content="hm")).thinking == "hm"


def test_the_older_form_of_a_call() -> None:
    """A ``function_call`` in pieces is a call."""
    pieces = [{"name": "read", "arguments": '{"pa'}, {"arguments": 'th":"a"}'}]
    got = _answer(*(_chunk(function_call=piece) for piece in pieces), _chunk("function_call"))
    assert got.calls == [ToolUse(id="", name="read", input={"path": "a"})]


def test_usage_that_is_not_said() -> None:
    """``null`` does not override a number; usage that comes with a choice counts too."""
    first = {**_chunk(), "usage": {"prompt_tokens": 7, "details": {"cached": 2}}}
    second = _chunk("stop")
    second["choices"][0]["usage"] = {"completion_tokens": 3, "prompt_tokens": None, "details": {"cached": None}}
    assert _answer(first, second).usage == {"prompt_tokens": 7, "details": {"cached": 2}, "completion_tokens": 3}


@pytest.mark.parametrize(
    ("last", "outcome", "expected"),
    [
        (_chunk("tool_calls"), "complete", ("complete", 1)),
        (_chunk("tool_calls"), "cut_by_provider", ("cut", 0)),
        (_chunk(), "complete", ("cut", 0)),
    ],
    ids=["reason given, body ended", "reason given, cut", "no reason"],
)
def test_without_the_closing_mark(last: dict[str, Any], outcome: Any, expected: tuple[str, int]) -> None:
    """Without ``[DONE]`` an answer is complete if it has a stop reason and its body ended properly."""
    bench = CaptureBench()
    call = {"index": 0, "id": "nd_1", "function": {"name": "read", "arguments": "{}"}}
    stream = b"".join(f"data: {json.dumps(each)}\n\n".encode() for each in (_chunk(tool_calls=[call]), last))
    exchange(bench, asks(("user", "go")), stream, target="/v1/chat/completions", upstream="openai", outcome=outcome)
    assert (values(bench.kinds("model_response"), "outcome"), len(bench.kinds("tool_call"))) == (
        [(expected[0],)],
        expected[1],
    )


def test_calls_without_ids_are_all_told() -> None:
    """Calls without ids are recorded, although no result can be joined to them."""
    bench = CaptureBench()
    calls = [{"function": {"name": "read", "arguments": json.dumps({"path": path})}} for path in ("a", "b")]
    stream = b"".join(
        f"data: {json.dumps(each)}\n\n".encode() for each in (_chunk(tool_calls=calls), _chunk("tool_calls"))
    )
    exchange(bench, asks(("user", "go")), stream, target="/v1/chat/completions", upstream="openai")
    assert values(bench.kinds("tool_call"), "tool_use_id", "input") == [(None, {"path": "a"}), (None, {"path": "b"})]
