"""Real agents with unusual answers and files: recorded as they were, and as the agents took them."""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.replayed import of_kind
from tests.e2e.runs import CANDIDATE, PROMPTSTER, candidate_root
from tests.e2e.world import Candidate, stage_folder
from tests.helpers.provider.script import Conversation, Script, ToolUse, Turn
from tests.helpers.provider.server import running

if TYPE_CHECKING:
    from tests.e2e.conftest import Participants

pytestmark = pytest.mark.e2e

WORKSPACE = stage_folder() / CANDIDATE / "workspace"
PROMPT = "Please do the odd work"
WINDOWS = b"\xef\xbb\xbfalpha\r\nbeta\r\ngamma\r\n"
LONG = "python3 -c \"print('x' * 200000)\""
CELLS: list[dict[str, Any]] = [
    {"cell_type": "code", "id": "c1", "metadata": {}, "source": ["print(1)"], "outputs": [], "execution_count": None}
]
NOTEBOOK: dict[str, Any] = {"cells": CELLS, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
FORM = ("--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions")
QUIET = ("--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")


def _picture() -> bytes:
    """Sixty-four red dots."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress((b"\0" + b"\xff\0\0" * 8) * 8)) + chunk(b"IEND", b"")
    )


def _lines(participants: Participants, turns: tuple[Turn, ...], *words: str) -> list[dict[str, Any]]:
    """The replay of an agent that got these answers."""
    candidate = Candidate(root=candidate_root(), agents=participants.agents)
    (candidate.workspace / "win.txt").write_bytes(WINDOWS)
    (candidate.workspace / "nb.ipynb").write_text(json.dumps(NOTEBOOK))
    (candidate.workspace / "pic.png").write_bytes(_picture())
    try:
        with running(Script(conversations=(Conversation(prompt=PROMPT, turns=turns),))) as provider:
            candidate.start(
                participants.recruiter.invite(), anthropic=provider.anthropic_url, openai=provider.openai_url
            )
            ended = candidate.run(PROMPTSTER, "run", *words)
            assert ended.code == 0, ended.stderr
            candidate.submit()
        assert participants.recruiter.verify(candidate.session, candidate.root)["verdict"] == "verified"
        return participants.recruiter.lines(candidate.session)
    finally:
        candidate.end()


def _marked(lines: list[dict[str, Any]]) -> list[str]:
    return [mark for line in of_kind(lines, "command") for mark in line.get("marks", ())]


def test_claude_code(participants: Participants) -> None:
    """Line endings, a notebook's cell, a long output, one id for two calls, and no closing mark at the end."""
    path = str(WORKSPACE / "win.txt")
    lines = _lines(
        participants,
        (
            Turn(tools=(ToolUse(name="Read", input={"file_path": path}),)),
            Turn(tools=(ToolUse(name="Read", input={"file_path": str(WORKSPACE / "nb.ipynb")}),)),
            Turn(
                tools=(
                    ToolUse(name="Edit", input={"file_path": path, "old_string": "beta", "new_string": "BETA\nmore"}),
                )
            ),
            Turn(
                tools=(
                    ToolUse(
                        name="NotebookEdit",
                        input={"notebook_path": str(WORKSPACE / "nb.ipynb"), "cell_id": "c1", "new_source": "print(2)"},
                    ),
                )
            ),
            Turn(tools=(ToolUse(name="Bash", input={"command": LONG}),)),
            Turn(
                tools=tuple(
                    ToolUse(name="Bash", input={"command": f"echo {word}"}, id="toolu_same") for word in ("one", "two")
                )
            ),
            Turn(text="All of it is done.", is_marked=False),
        ),
        "claude",
        "-p",
        PROMPT,
        *FORM,
    )
    edit, cell = of_kind(lines, "file_edit")
    assert edit["before"] == WINDOWS.decode()
    assert edit["after"] == "\ufeffalpha\r\nBETA\r\nmore\r\ngamma\r\n"
    assert (cell["before"], cell["after"]) == ("print(1)", "print(2)")
    assert "@@ cell c1, replaced" in cell["patch"]
    assert _marked(lines) == ["truncated by the agent: 30,000 of 200,001 bytes kept"]
    told = {line["command"]: line["output"] for line in of_kind(lines, "command")}
    assert (told["echo one"], told["echo two"]) == ("one", "two")
    sources = {line["command"]: line["sources"] for line in of_kind(lines, "command")}
    assert (sources["echo one"], sources["echo two"]) == (["hook", "proxy"], ["hook"])
    last = of_kind(lines, "model_response")[-1]
    assert (last["outcome"], last["text"]) == ("complete", "All of it is done.")
    assert [line["text"] for line in of_kind(lines, "prompt")] == [PROMPT]


def test_codex(participants: Participants) -> None:
    """Line endings, a long output, and one prompt with its image once."""
    patch = "*** Begin Patch\n*** Update File: win.txt\n@@\n-beta\n+BETA\n+more\n gamma\n*** End Patch\n"
    lines = _lines(
        participants,
        (
            Turn(tools=(ToolUse(name="exec_command", input={"cmd": LONG}),)),
            Turn(tools=(ToolUse(name="apply_patch", input={"input": patch}),)),
            Turn(text="All of it is done."),
        ),
        "codex",
        "exec",
        *QUIET,
        "-m",
        "gpt-5.5",
        "-i",
        "pic.png",
        "--",
        PROMPT,
    )
    (edit,) = of_kind(lines, "file_edit")
    assert edit["before"] == "beta\r\ngamma\r\n"
    assert edit["after"] == "BETA\r\nmore\r\ngamma\r\n"
    assert "\n-beta\r\n+BETA\r\n+more\r\n gamma\r" in edit["patch"]
    assert _marked(lines) == ["truncated by the agent: 50,001 tokens in full"]
    (prompt,) = of_kind(lines, "prompt")
    assert (prompt["text"], len(prompt["images"])) == (PROMPT, 1)
