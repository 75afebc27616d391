"""Every command and every option that a document shows is one that the programs have."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from promptster.__main__ import app_of
from promptster.commands import NAMES, load
from promptster_collector.__main__ import app as collector_app

ROOT = Path(__file__).parents[2]
_TREE = [page for page in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in page.parts]
PAGES = [*_TREE, *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))]
PROGRAMS = ("promptster", "promptster-collector")
OWN = {"--help", "--json", "--version", "-h"}
"""Options of the programs themselves, and of their help."""
OF_OTHERS = {
    "--settings", "--bg", "--background", "--cd", "--workspace", "--worktree",  # of agents
    "--require-hashes", "--follow", "--upgrade", "--upgrade-package",  # of pip, git and uv
}  # fmt: skip


class UnknownCommandError(Exception):
    """The programs have no such command."""


def _command(program: str, words: list[str]) -> Any:
    """The command that these words begin with, removed from them; ``None`` for one that passes its arguments on."""
    if program == "promptster":
        name = words.pop(0)
        if name not in NAMES:
            raise UnknownCommandError(name)
        module = load(name)
        if hasattr(module, "main"):
            return None
        command: Any = get_command(app_of(name, module))
    else:
        command = get_command(collector_app)
    while words and words[0] in (below := getattr(command, "commands", {})):
        command = below[words.pop(0)]
    if words and not words[0].startswith("-") and getattr(command, "commands", {}):
        raise UnknownCommandError(words[0])
    return command


def _options(command: Any) -> set[str]:
    """Every spelling of a command's options."""
    found = {name for each in getattr(command, "params", []) for name in [*each.opts, *each.secondary_opts]}
    return {name for name in found if name.startswith("-")} | OWN


def every_option() -> set[str]:
    """The options of all commands of both programs."""
    found = set(OWN)
    waiting: list[Any] = [get_command(collector_app)]
    waiting += [get_command(app_of(name, load(name))) for name in NAMES if not hasattr(load(name), "main")]
    while waiting:
        command = waiting.pop()
        found |= _options(command)
        waiting += getattr(command, "commands", {}).values()
    return found


def lines() -> Iterator[tuple[str, str]]:
    """Page and text of each line of a shell block that runs one of the programs."""
    for page in PAGES:
        for block in re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
            for line in block.splitlines():
                if line.startswith(tuple(f"{program} " for program in PROGRAMS)):
                    yield page.name, line


def spans() -> Iterator[tuple[str, str]]:
    """Page and text of each piece of code in a sentence that names a program with a word after it, or options."""
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for span in re.findall(r"`([^`\n]+)`", text):
            if re.match(r"promptster(-collector)? [a-z]", span):
                yield page.name, span.replace("\\|", "|")


def test_the_search_finds_what_it_is_for() -> None:
    """There are lines and sentences of both programs."""
    assert len({line for _, line in lines()}) > 15
    assert len({span for _, span in spans()}) > 25


@pytest.mark.parametrize(("page", "line"), sorted(set(lines())))
def test_a_line_of_a_shell_block_is_understood(page: str, line: str) -> None:
    """It is a whole command with its options and everything that it needs."""
    program, *words = shlex.split(line, comments=True)
    command = _command(program, words)
    if command is not None:
        assert not getattr(command, "commands", {}), page
        command.make_context(program, words)


@pytest.mark.parametrize(("page", "span"), sorted(set(spans())))
def test_a_command_in_a_sentence_exists(page: str, span: str) -> None:
    """Its name and the shown options exist; a sentence may leave out the rest."""
    program, *words = shlex.split(span.partition(" | ")[0])
    if words[0] == "help":
        return
    command = _command(program, words)
    named = {word.partition("=")[0] for word in words if word.startswith("-") and word != "-"}
    assert command is None or named <= _options(command), page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_in_a_sentence_exists(page: Path) -> None:
    """A long option in backticks belongs to one of our commands, or is a known one of another program."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    named = {
        option for span in re.findall(r"`([^`\n]+)`", text) for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", span)
    }
    assert named - every_option() - OF_OTHERS == set()
