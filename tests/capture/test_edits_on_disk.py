"""Edits have the line endings and the byte order mark that their file has on disk, whichever source reports them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.helpers.capturing import (
    CLAUDE,
    CaptureBench,
    asks,
    exchange,
    messages_stream,
    result_block,
    text_block,
    tool_block,
)

from promptster.replay.edits import edit_diff
from promptster.replay.timeline import build

if TYPE_CHECKING:
    from pathlib import Path

CODEX = {"originator": "codex_exec", "session-id": "s1", "thread-id": "s1"}
WORDS = ["alpha", "beta", "gamma", "delta"]
LINES = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(["\n", "\r\n"])), min_size=1, max_size=6)


def _uniform(words: list[str], end: str) -> list[tuple[str, str]]:
    return [(word, end) for word in words]


UNIFORM = st.builds(_uniform, st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]))


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode())


def _plain(text: str) -> str:
    """A text as Claude Code reports it from the file before an edit."""
    return text.replace("\r\n", "\n")


def _hook(
    bench: CaptureBench, event: str, folder: Path, given: dict[str, Any], tool: str = "Edit", **told: Any
) -> None:
    common = {"session_id": "session-1", "cwd": str(folder), "tool_name": tool, "tool_use_id": "t1"}
    bench.hook("claude", hook_event_name=event, **common, tool_input=given, **told)


def _hunks(mark: str, rows: list[str], at: int, new: list[str]) -> list[dict[str, Any]]:
    """One hunk of the whole file, as Claude Code reports it: its lines end with line feeds alone."""
    old = [mark + rows[0], *rows[1:]]
    come = [(mark if not at else "") + new[0], *new[1:]]
    marked = [*(f" {row}" for row in old[:at]), f"-{old[at]}", *(f"+{row}" for row in come)]
    told: list[str] = []
    for line in [*marked, *(f" {row}" for row in old[at + 1 :])]:
        told += [line.rstrip("\r\n"), *([] if line.endswith("\n") else ["\\ No newline at end of file"])]
    count = len(rows) + len(new) - 1
    return [{"oldStart": 1, "oldLines": len(rows), "newStart": 1, "newLines": count, "lines": told}]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES | UNIFORM, mark=st.sampled_from(["", "\ufeff"]), at=st.integers(0, 5), ended=st.booleans())
def test_an_edit_that_a_hook_tells(
    tmp_path: Path, *, lines: list[tuple[str, str]], mark: str, at: int, ended: bool
) -> None:
    """Before, after and patch are those of the file's two states, byte for byte."""
    path, bench = tmp_path / "win.txt", CaptureBench({"workspace": tmp_path})
    at %= len(lines)
    rows = [word + end for word, end in lines]
    if not ended:
        rows[-1] = lines[-1][0]
    before = mark + "".join(rows)
    new = ["BETA" + lines[at][1], "more\r\n"] if rows[at] != lines[at][0] else ["BETA"]
    after = mark + "".join([*rows[:at], *new, *rows[at + 1 :]])
    given = {"file_path": str(path), "old_string": "x", "new_string": "y"}
    _write(path, before)
    _hook(bench, "PreToolUse", tmp_path, given)
    _write(path, after)
    hunks = _hunks(mark, rows, at, new)
    response = {"filePath": str(path), "originalFile": _plain(before), "structuredPatch": hunks}
    _hook(bench, "PostToolUse", tmp_path, given, tool_response={**response, "oldString": "x", "newString": "y"})
    (edit,) = bench.kinds("file_edit")
    assert edit.fields["before"] == before
    assert edit.fields["after"] == after
    told = [line[1:] for line in str(edit.fields["patch"]).split("\n")[2:] if line.startswith("+")]
    come = [(mark if not at else "") + new[0], *new[1:]]
    assert told[-len(new) :] == [row.removesuffix("\n") for row in come]


def _asked(bench: CaptureBench, name: str, given: dict[str, Any], result: str, meanwhile: Any) -> None:
    """A call and its result as the proxy sees them, without hooks."""
    use = tool_block("t1", name, **given)
    exchange(bench, asks(("user", "go")), messages_stream(use), agent=CLAUDE)
    meanwhile()
    body = asks(("user", "go"), ("assistant", [use]), ("user", [result_block("t1", result)]))
    exchange(bench, body, messages_stream(text_block("ok")), agent=CLAUDE)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES, first=st.integers(0, 5), count=st.integers(1, 3))
def test_a_passage_that_the_proxy_sees(tmp_path: Path, *, lines: list[tuple[str, str]], first: int, count: int) -> None:
    """A passage has the line endings that the file has, before and after."""
    path, bench = tmp_path / "win.txt", CaptureBench({"workspace": tmp_path})
    rows = [f"{number}{word}{end}" for number, (word, end) in enumerate(lines)]
    first %= len(rows)
    old, new = "".join(rows[first : first + count]), "NEW\r\nlast" + lines[min(first + count, len(rows)) - 1][1]
    before = "".join(rows)
    given = {"file_path": str(path), "old_string": _plain(old), "new_string": _plain(new)}
    _write(path, before)
    _asked(bench, "Edit", given, "updated", lambda: _write(path, before.replace(old, new)))
    (edit,) = bench.kinds("file_edit")
    assert (edit.fields["before"], edit.fields["after"]) == (old, new)


def test_a_file_written_whole(tmp_path: Path) -> None:
    """Claude Code writes line feeds over a file that had carriage returns: each text keeps its own."""
    path, bench = tmp_path / "win.txt", CaptureBench({"workspace": tmp_path})
    given = {"file_path": str(path), "content": "fresh\nnew\n"}
    _write(path, "a\r\nb\r\n")
    _hook(bench, "PreToolUse", tmp_path, given, "Write")
    _write(path, given["content"])
    told = {"type": "update", "filePath": str(path), "content": given["content"], "originalFile": "a\nb\n"}
    _hook(bench, "PostToolUse", tmp_path, given, "Write", tool_response={**told, "structuredPatch": []})
    (edit,) = bench.kinds("file_edit")
    assert (edit.fields["before"], edit.fields["after"]) == ("a\r\nb\r\n", "fresh\nnew\n")
    assert "-a\r\n-b\r\n+fresh\n+new\n" in str(edit.fields["patch"])
    _write(path, "\ufefffresh\r\n")
    bench = CaptureBench({"workspace": tmp_path})
    _asked(
        bench, "Write", {"file_path": str(path), "content": "fresh\n"}, "File created successfully at: x", lambda: None
    )
    (edit,) = bench.kinds("file_edit")
    assert edit.fields["after"] == "\ufefffresh\r\n"


@pytest.mark.parametrize("is_hooked", [False, True])
def test_a_patch_by_codex(tmp_path: Path, *, is_hooked: bool) -> None:
    """The texts and each line of the patch are as on disk; if all lines have a carriage return, none is shown."""
    path, bench = tmp_path / "win.txt", CaptureBench({"workspace": tmp_path})
    patch = "*** Begin Patch\n*** Update File: win.txt\n@@\n alpha\n-beta\n+BETA\n+more\n*** End Patch\n"
    call = {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": patch}
    done = "Exit code: 0\nWall time: 0 seconds\nOutput:\nSuccess. Updated the following files:\nM win.txt\n"
    told = {"session_id": "s1", "cwd": str(tmp_path), "tool_name": "apply_patch", "tool_use_id": "c1"}
    _write(path, "alpha\r\nbeta\r\ngamma\r\n")
    for output in ([call], []):
        given: list[Any] = [{"role": "user", "content": "go"}]
        given += [] if output else [call, {"type": "custom_tool_call_output", "call_id": "c1", "output": done}]
        last = {"type": "response.completed", "response": {"id": "r", "output": output, "status": "completed"}}
        stream = f"event: response.completed\ndata: {json.dumps(last)}\n\n".encode()
        body = {"model": "m", "stream": True, "input": given}
        exchange(bench, body, stream, target="/openai/v1/responses", upstream="openai", agent=CODEX)
        if output and is_hooked:
            bench.hook("codex", hook_event_name="PreToolUse", **told, tool_input={"command": patch})
        _write(path, "alpha\r\nBETA\r\nmore\r\ngamma\r\n")
        if output and is_hooked:
            bench.hook(
                "codex", hook_event_name="PostToolUse", **told, tool_input={"command": patch}, tool_response=done
            )
    edits = bench.kinds("file_edit")
    assert len(edits) == 1 + is_hooked
    for edit in edits:
        assert edit.fields["before"] == "alpha\r\nbeta\r\n"
        assert edit.fields["after"] == "alpha\r\nBETA\r\nmore\r\n"
        section = "*** Update File: win.txt\n@@\n alpha\r\n-beta\r\n+BETA\r\n+more\r"
        assert edit.fields["patch"] == section
    (entry,) = (entry for entry in build(bench.recorded()).entries if entry.kind == "file_edit")
    assert edit_diff(entry) == "*** Update File: win.txt\n@@\n alpha\n-beta\n+BETA\n+more"


def test_an_edit_by_cursor(tmp_path: Path) -> None:
    """The passages that its hook names have the line endings of the file."""
    path, bench = tmp_path / "win.txt", CaptureBench({"workspace": tmp_path})
    common = {"conversation_id": "c", "generation_id": "g", "cursor_version": "2"}
    given = {"file_path": str(path)}
    _write(path, "a\r\nb\r\nc\r\nd\r\n")
    bench.hook("cursor", hook_event_name="preToolUse", **common, tool_name="Write", tool_use_id="t1", tool_input=given)
    _write(path, "a\r\nB\r\nc\r\nD\r\n")
    edits = [{"old_string": "a\nb\n", "new_string": "a\nB\n"}, {"old_string": "d\n", "new_string": "D\n"}]
    bench.hook("cursor", hook_event_name="afterFileEdit", **common, file_path=str(path), edits=edits)
    (edit,) = bench.kinds("file_edit")
    assert (edit.fields["before"], edit.fields["after"]) == ("a\r\nb\r\n\r\nd\r\n", "a\r\nB\r\n\r\nD\r\n")


@pytest.mark.parametrize("spoiled", ["other", "gone", "outside", "link", "fifo", "large"])
def test_nothing_but_line_ends_comes_from_the_disk(tmp_path: Path, spoiled: str) -> None:
    """If the file has another text, is elsewhere or is a pipe, the agent's report is kept unchanged."""
    workspace = tmp_path / "work"
    workspace.mkdir()
    secret, path = tmp_path / "secret", workspace / "win.txt"
    _write(secret, "alpha\r\n")
    match spoiled:
        case "other":
            _write(path, "something else\r\n")
        case "outside":
            path = secret
        case "link":
            path.symlink_to(secret)
        case "fifo":
            os.mkfifo(path)
        case "large":
            _write(path, "alpha\r\n" * 700_000)
        case _:
            pass
    bench = CaptureBench({"workspace": workspace})
    given = {"file_path": str(path), "content": "alpha\n"}
    _hook(bench, "PreToolUse", workspace, given, "Write")
    told = {"type": "update", "filePath": str(path), "content": "alpha\n", "originalFile": "beta\n"}
    _hook(bench, "PostToolUse", workspace, given, "Write", tool_response={**told, "structuredPatch": []})
    (edit,) = bench.kinds("file_edit")
    assert (edit.fields["before"], edit.fields["after"]) == ("beta\n", "alpha\n")
