"""Everything that people read, in real terminals of several widths: nothing is too wide, no word is broken."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.helpers.bundles import Bundler
from tests.helpers.people import BIN
from tests.helpers.plausible import plausible
from tests.helpers.terminal import Terminal

from promptster.ui.wrapping import cells

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WIDTHS = (60, 80, 120)
SAY = """
from promptster.ui.output import Output
out = Output(json=False)
out.say("Everything was received; your copy is written where you asked for it, and files are put back again.")
out.say("Run `promptster submit --yes` to hand in, or `promptster withdraw` to end the session and its keys.")
out.say("workspace  a folder whose name has many words in it and goes on until the line has no room at all")
out.note("warning: the collector cannot be reached at the moment; everything is kept here and is sent later")
out.say("  promptster login --collector https://collector.example.com:8443 --token-stdin --json --and-more-options")
out.say("https://collector.example.com/i/" + "k" * 150)
out.result({"words": "not printed without --json"})
"""
TABLE = """
from promptster.commands.tables import table
from promptster.ui.output import Output
rows = [
    ("tB-GrFiXabcdefghijklmn", "submitted", "Ada Example", "Rate limiter for an API", "2026-11-25T09:46:40Z", None, 2),
    ("uC-GrFiXabcdefghijklmn", "recording", "田中 花子", "漢字の文章はとても長い", "2025-01-25T09:46:40.5Z", None, 7),
]
for line in table(("session", "state", "name", "assessment", "started", "ended", "events"), rows, empty="none"):
    Output(json=False).say(line)
"""


def _environ(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    return {**kept, "HOME": str(folder), "PAGER": "cat", "TERM": "xterm", "PYTHONUTF8": "1", "TZ": "UTC"}


def _shown(words: Sequence[str], folder: Path, columns: int) -> list[str]:
    """The lines on the screen, without colours."""
    with Terminal(words, environ=_environ(folder), cwd=folder, columns=columns) as screen:
        screen.end()
        return re.sub(r"\x1b\[[\d;]*m", "", screen.shown).replace("\r\n", "\n").split("\n")


def _piped(words: Sequence[str], folder: Path) -> str:
    done = subprocess.run(words, env=_environ(folder), cwd=folder, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode()


def _assert_fits(lines: Sequence[str], columns: int, whole: str) -> None:
    words = set(whole.split())
    for line in lines:
        assert cells(line) <= columns or len(line.split()) == 1, line
        assert {word for word in line.split() if max(word) < "\u3000"} <= words | {"----"}, line


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle in a folder of its own."""
    (tmp_path / "ada.promptster").write_bytes(Bundler().bundle(plausible()))
    return tmp_path


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("words", [("replay", "--all"), ("replay",), ("verify",)], ids=" ".join)
def test_replay_and_verify(bundle: Path, words: tuple[str, ...], columns: int) -> None:
    """The story with headlines, prose, code and differences; the verdict with its facts and its claim."""
    command = [str(BIN / "promptster"), words[0], "ada.promptster", *words[1:]]
    whole = _piped(
        [str(BIN / "promptster"), words[0], "ada.promptster", *(["--all"] if words[0] == "replay" else [])], bundle
    )
    shown = _shown(command, bundle, columns)
    count = re.compile(r"^ +\.\.\. \d+ more lines?$")  # depends on the width
    _assert_fits([line for line in shown if not count.match(line)], columns, whole)
    assert any(cells(line) > columns * 3 // 4 for line in shown)


@pytest.mark.parametrize("columns", WIDTHS)
def test_words(tmp_path: Path, columns: int) -> None:
    """Sentences are wrapped; commands and links are not, and a command inside a sentence stays in one piece."""
    program = [sys.executable, "-c", SAY]
    whole = _piped(program, tmp_path)
    shown = _shown(program, tmp_path, columns)
    link, command = "https://collector.example.com/i/" + "k" * 150, "  promptster login --collector"
    assert link in shown
    assert sum(line.startswith(command) and line.endswith("--and-more-options") for line in shown) == 1
    assert any("`promptster submit --yes`" in line for line in shown)
    _assert_fits([line for line in shown if not line.startswith(command)], columns, whole)


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("words", [(), ("--help",), ("--help", "team"), ("help", "export")], ids=" ".join)
def test_the_programs_own_words(tmp_path: Path, words: tuple[str, ...], columns: int) -> None:
    """The first screen, with what each command on it does, and every help text."""
    program = [str(BIN / "promptster"), *words]
    _assert_fits(_shown(program, tmp_path, columns), columns, _piped(program, tmp_path))


@pytest.mark.parametrize("columns", [*WIDTHS, 40])
def test_tables(tmp_path: Path, columns: int) -> None:
    """Ids are unbroken at every width; columns without room next to each other become lists."""
    program = [sys.executable, "-c", TABLE]
    shown = _shown(program, tmp_path, columns)
    _assert_fits(shown, columns, _piped(program, tmp_path))
    for session in ("tB-GrFiXabcdefghijklmn", "uC-GrFiXabcdefghijklmn"):
        assert sum(line.startswith(session) for line in shown) == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_another_encoding_gets_codes_for_what_it_cannot_hold(bundle: Path, encoding: str) -> None:
    """No letter causes a failure: the story is complete, with a code for the letter."""
    environ = {**_environ(bundle), "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
    words = [str(BIN / "promptster"), "replay", "ada.promptster", "--all"]
    done = subprocess.run(words, env=environ, cwd=bundle, capture_output=True, check=False)
    assert done.returncode == 0
    assert done.stderr == b""
    assert b"+1 \\u22121" in done.stdout
    assert b"Who saw what" in done.stdout


def test_into_a_pipe_nothing_is_wrapped(tmp_path: Path) -> None:
    """Each sentence and each row of a table is one line there, whatever its length."""
    assert len(_piped([sys.executable, "-c", SAY], tmp_path).splitlines()) == 6
    rows = _piped([sys.executable, "-c", TABLE], tmp_path).splitlines()
    assert len(rows) == 3
    assert "Ada Example  Rate limiter for an API" in rows[1]
