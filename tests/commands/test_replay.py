"""``promptster replay``: the story in the terminal, every text escaped."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.helpers.bundles import Bundler
from tests.helpers.people import BIN
from tests.helpers.plausible import plausible
from tests.helpers.sessions import CLAUDE, Script
from tests.helpers.terminal import Terminal

from promptster.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a bundle in it."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ada.promptster").write_bytes(Bundler().bundle(plausible()))
    return tmp_path


def test_the_story_is_told_in_order(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The replay shows the verdict, prompts, actions with sources, gaps in their places, and coverage at the end."""
    assert folder.is_dir()
    assert main(["replay", "ada.promptster"]) == 0
    shown = capsys.readouterr().out
    told = (
        "Take-home, for Acme\n",
        "consistent: nothing contradicts it, but anyone could have signed it\n",
        "   00:23  Prompt  [hook + proxy]\n",
        "   00:31  Grep  RateLimiter\\(  [Claude Code, subagent Explore, proxy + hook]\n",
        "   01:16  Asked the model  claude-sonnet-4-5  [proxy, 3 attempts]\n",
        "          +from limiter import RateLimiter\n",
        "   01:22    Result  Bash  failed  [hook + proxy]\n",
        "   01:30  ---- recording was paused: the doorbell (3 min 04 s) ----\n",
        "          I chose not to evict idle buckets",
        "Who saw what\n",
    )
    places = [shown.index(words) for words in told]
    assert places == sorted(places)
    assert "Rate limiter for an API" not in shown


def test_all_shows_everything(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --all housekeeping and every text are shown too, with labels."""
    assert folder.is_dir()
    assert main(["replay", "ada.promptster", "--all"]) == 0
    shown = capsys.readouterr().out
    assert "Rate limiter for an API" in shown
    assert "not the candidate's work" in shown
    assert "I'll start with the tests, and" in shown


def test_the_document_holds_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json the document has verification, gaps and entries, as the lines of the export have them."""
    assert folder.is_dir()
    assert main(["replay", "ada.promptster", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verification"]["verdict"] == "consistent"
    assert [entry["seq"] for entry in document["entries"]][:3] == [0, 1, 2]
    assert document["gaps"] == document["verification"]["gaps"]
    assert [gap["kind"] for gap in document["gaps"]] == ["paused", "capture_hook_silent"]


def test_hostile_text_reaches_no_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Escapes, bidirectional overrides and markup of the terminal library appear as harmless text."""
    hostile = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\u202e[link=https://evil.example]x[/link][bold red]\x9b31m\r\rgone"
    script = Script()
    script.prompt(hostile)
    script.turn(hostile, tools=("t",))
    script.tool("t", hostile, {"command": hostile}, hostile, extra=("command", {"command": hostile, "output": hostile}))
    script.add("candidate", "paused", reason=hostile)
    script.add("hook", "file_edit", lane=2, path=hostile, patch=f"+{hostile}\n-{hostile}", **CLAUDE)
    script.add("recorder", "closed", totals={}, batches=1)
    (folder / "odd.promptster").write_bytes(Bundler().bundle(script.events))
    assert main(["replay", "odd.promptster", "--all"]) == 0
    shown = capsys.readouterr().out
    assert not set(shown) & {"\x1b", "\x07", "\u202e", "\x9b", "\r"}
    assert "\\x1b]52;c;" in shown
    assert "[link=https://evil.example]x[/link]" in shown


def test_in_a_terminal_it_goes_through_the_pager(folder: Path) -> None:
    """The person's own pager gets the whole replay with colours; quitting it early is not an error."""
    pager = folder / "pager.py"
    pager.write_text("import sys; text = sys.stdin.read(); print('PAGER', len(text) > 2000, '\\x1b[1m' in text)")
    environ = {"HOME": str(folder / "home"), "PATH": "/usr/bin:/bin", "TERM": "xterm", "LANG": "C.UTF-8"}
    words = [str(BIN / "promptster"), "replay", str(folder / "ada.promptster")]
    with Terminal(words, environ={**environ, "PAGER": f"{sys.executable} {pager}"}, cwd=folder) as terminal:
        assert terminal.end() == 0
        assert "PAGER True True" in terminal.shown
    with Terminal(words, environ={**environ, "PAGER": "true"}, cwd=folder) as terminal:
        assert terminal.end() == 0
        assert "error" not in terminal.shown


def test_a_file_is_read_without_the_networks_library(folder: Path) -> None:
    """The networks library is not loaded, so the first line appears sooner."""
    words = [sys.executable, "-X", "importtime", "-m", "promptster", "replay", "ada.promptster"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "promptster.replay.loading" in loaded
    assert loaded.isdisjoint({"httpx", "h11", "promptster.client"})
