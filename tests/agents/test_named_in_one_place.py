"""Outside ``promptster/agents`` and the catalogue no code names an agent: their differences are capabilities."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from promptster.protocol.agents import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CODE = ("cli/promptster", "collector/promptster_collector", "hooks/promptster_hooks")
ALLOWED = (
    "cli/promptster/agents/",
    "cli/promptster/protocol/agents.py",
    "cli/promptster/protocol/policies/",  # texts that people agreed to never change
)
WORDS = sorted({word.lower() for agent in CATALOGUE for word in (agent.id, agent.name, agent.program)})
NAMED = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, WORDS))})(?![\w/])", re.IGNORECASE)
"""A name as a word of its own: not a part of another one, nor of an address."""


def _values(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every text in code, without docstrings."""
    described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in described:
            yield node.lineno, node.value


def named_in(source: str) -> list[tuple[int, str]]:
    """The lines of a module whose code names an agent."""
    return [(line, text) for line, text in _values(ast.parse(source)) if NAMED.search(text)]


@pytest.mark.parametrize("folder", CODE)
def test_no_code_names_an_agent(folder: str) -> None:
    """Neither a comparison nor a table nor a message does; docstrings may name one."""
    found: list[str] = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(ALLOWED):
            found += [f"{name}:{line}: {text!r}" for line, text in named_in(path.read_text(encoding="utf-8"))]
    assert found == []


def test_a_comparison_and_a_message_would_be_found() -> None:
    """The search finds what it should, and ignores descriptions and addresses."""
    lines = ('"""Claude Code."""', 'if agent == "codex":', '    print(f"{x} Cursor\'s hooks")', 'url = "a.com/codex"')
    source = "\n".join(lines)
    assert [line for line, _ in named_in(source)] == [2, 3]
