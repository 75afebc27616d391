"""Every command that a message names works as printed: hints name no missing option or command."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.main import get_command

from promptster.__main__ import app_of
from promptster.commands import NAMES, load
from promptster_collector.__main__ import app as collector_app

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
_NAMED = re.compile(
    r"(?:`|: |^ {2})(promptster(?:-collector)?) ([a-z][^`\n]*?)(?:`|\. |\.?$| {2,}|, | or )", re.MULTILINE
)
"""A command in backticks, after a colon, or alone on an indented line."""
_ANY = "8080"
"""Stands for a value that only the running program knows."""
_VALUES = {"URL": "https://collector.example", "LINK": "invite", "ADDRESS": "a@example.com"}


def _texts(tree: ast.AST) -> Iterator[str]:
    """Every text that code can print, with ``_ANY`` for each value in it."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else _ANY for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside | docstrings:
            yield node.value


def named_commands() -> list[tuple[str, str]]:
    """Program and arguments of each command that one of our texts names."""
    found: set[tuple[str, str]] = set()
    for folder in ("cli/promptster", "collector/promptster_collector"):
        for path in (ROOT / folder).rglob("*.py"):
            for text in _texts(ast.parse(path.read_text())):
                found.update((match[1], match[2]) for match in _NAMED.finditer(text))
    return sorted(each for each in found if each[1] != _ANY)


def test_texts_name_commands() -> None:
    """The search finds commands of both programs, with and without options."""
    found = named_commands()
    assert len(found) > 25
    assert {("promptster", "resume"), ("promptster", "token list")} <= set(found)
    assert any(program == "promptster-collector" and "--data" in words for program, words in found)


@pytest.mark.parametrize(("program", "words"), named_commands())
def test_a_command_that_a_text_names_is_understood(program: str, words: str) -> None:
    """It exists, has these options, and lacks no required argument."""
    arguments = [_VALUES.get(word, word) for word in shlex.split(words.partition(" < ")[0])]
    bare = len(arguments) == 1  # a sentence may speak of a command without its arguments
    if program == "promptster":
        name = arguments.pop(0)
        assert name in NAMES
        module = load(name)
        if hasattr(module, "main"):
            return  # it passes on arguments that it does not know
        command = get_command(app_of(name, module))
    else:
        command = get_command(collector_app)
    while arguments and arguments[0] in (below := getattr(command, "commands", {})):
        command = below[arguments.pop(0)]
    assert bare or not hasattr(command, "commands"), "a sub-command is missing"
    if not bare:
        command.make_context(program, arguments)
