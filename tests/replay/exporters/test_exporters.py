"""Exporters: found by name, one file each, the same session in every format."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.helpers.bundles import Bundler
from tests.helpers.plausible import plausible
from tests.helpers.sessions import CLAUDE, Script

from promptster.replay import exporters
from promptster.replay.errors import ExportError
from promptster.replay.loading import from_bundle, from_opened


def _lines(events: list[Any]) -> list[dict[str, Any]]:
    data = b"".join(exporters.find("jsonl").export(from_opened(events)))
    return [json.loads(line) for line in data.decode().splitlines()]


def test_the_formats_are_the_files_of_the_package() -> None:
    """A format is a file; no other code needs to know of it."""
    assert exporters.names() == ("bundle", "html", "jsonl")
    assert [exporters.find(name).name for name in exporters.names()] == ["bundle", "html", "jsonl"]
    assert [exporters.find(name).suffix for name in exporters.names()] == [".promptster", ".html", ".jsonl"]


@pytest.mark.parametrize("name", ["", "interface", "os", "../jsonl", "JSONL"])
def test_an_unknown_format_is_refused_by_name(name: str) -> None:
    """Only a format's own name finds it."""
    with pytest.raises(ExportError, match="no export format named") as caught:
        exporters.find(name)
    assert caught.value.hint == "Use bundle, html or jsonl."


def test_the_bundle_goes_through_byte_for_byte() -> None:
    """The exported bundle is what was signed."""
    bundler = Bundler()
    data = bundler.bundle(plausible())
    assert b"".join(exporters.find("bundle").export(from_bundle(data, ()))) == data


def test_a_session_without_a_bundle_cannot_be_exported_as_one() -> None:
    """No bundle is invented; the other formats work."""
    with pytest.raises(ExportError, match="no bundle yet"):
        b"".join(exporters.find("bundle").export(from_opened(plausible())))


def test_every_line_is_one_entry_with_its_place_and_fields() -> None:
    """Each line has seq, kind, ms, lane, sources and the fields in clear; tool-use ids are unchanged."""
    lines = _lines(plausible())
    assert all({"seq", "kind", "ms", "lane", "sources"} <= line.keys() for line in lines)
    assert [line["seq"] for line in lines] == sorted({line["seq"] for line in lines})
    calls = [line for line in lines if line["kind"] == "tool_call"]
    assert [call["tool_use_id"] for call in calls] == [f"toolu_0{n}" for n in range(1, 9)]
    assert calls[0]["sources"] == ["proxy", "hook"]
    assert calls[-1]["sources"] == ["proxy"]
    prompts = [line["text"] for line in lines if line["kind"] == "prompt"]
    assert len(prompts) == len(set(prompts)) == 5
    request = next(line for line in lines if line["kind"] == "model_request" and len(line["attempts"]) == 3)
    assert request["attempts"][1]["text"] == "I'll start with the tests, and"
    assert request["body"]["messages"]


def test_what_is_beside_a_value_stands_beside_it() -> None:
    """Differences, withheld fields, cut values, roles and marks are present when they apply, and only then."""
    script = Script()
    script.add("proxy", "tool_result", tool_use_id="t", content="longer", **CLAUDE)
    script.add(
        "hook", "tool_result", tool_use_id="t", content="long", cut={"content": (9, "ab")}, withheld=frozenset({"name"})
    )
    script.add("recorder", "capture_heartbeat", counts={"proxy": 1})
    result, heartbeat = _lines(script.events)
    assert result["views"] == {"hook": {"content": "long"}}
    assert result["cut"] == {"content": {"length": 9, "sha256": "ab"}}
    assert result["withheld"] == ["name"]
    assert result["seqs"] == [0, 1]
    assert heartbeat == {
        "seq": 2, "kind": "capture_heartbeat", "ms": heartbeat["ms"], "lane": 0, "sources": ["recorder"], "refs": [],
        "role": "routine", "counts": {"proxy": 1},
    }  # fmt: skip


def test_bytes_are_base64url_and_line_ends_stay_inside_their_line() -> None:
    """A line of the file is a line of JSON, whatever was captured."""
    script = Script()
    script.add("proxy", "model_request", body_raw=b"\xff\x00", provider="a\u2028b\nc")
    (line,) = _lines(script.events)
    assert line["body_raw"] == "_wA"
    assert line["provider"] == "a\u2028b\nc"


def test_lines_hold_for_every_reader_and_on_every_terminal() -> None:
    """Readers that split at Unicode's line endings see the same lines, and no captured text can control a terminal."""
    odd = "a\u0085b\u2028c\u2029d\x0b\x0c\x1c\x1b[2J\x7f\x9b1m\u202egrößer 😀"
    script = Script()
    script.add("proxy", "model_request", provider=odd)
    script.add("candidate", "note", text="plain")
    data = b"".join(exporters.find("jsonl").export(from_opened(script.events)))
    lines = data.decode().splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["model_request", "note"]
    assert json.loads(lines[0])["provider"] == odd
    assert all(line.isascii() and line.isprintable() for line in lines)
