"""Outside ``promptster/agents`` and the catalogue no code names an agent: their differences are capabilities.

Nor does code import one: the registry does so by the names in the catalogue, when an agent is first needed.
"""

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
ROOMS = "promptster.agents."
FOLDERS = sorted(each.parent.name for each in (ROOT / "cli/promptster/agents").glob("*/__init__.py"))


def _values(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every text in code, without docstrings."""
    described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in described:
            yield node.lineno, node.value


def named_in(source: str) -> list[tuple[int, str]]:
    """The lines of a module whose code names an agent."""
    return [(line, text) for line, text in _values(ast.parse(source)) if NAMED.search(text)]


def _modules(node: ast.AST, package: str) -> Iterator[str]:
    """The modules that a node imports, or names for a later import; ``package`` is the one that relative names mean."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: -node.level + 1 or None] if node.level else []
        source = ".".join([*above, *([node.module] if node.module else [])])
        yield source
        yield from (f"{source}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def agents_imported_in(source: str, package: str) -> list[tuple[int, str]]:
    """The lines of a module that import an agent, with the agent's id."""
    found: set[tuple[int, str]] = set()
    for node in ast.walk(ast.parse(source)):
        for name in _modules(node, package):
            agent = name.removeprefix(ROOMS).split(".")[0]
            if name.startswith(ROOMS) and agent in FOLDERS:
                found.add((getattr(node, "lineno", 0), agent))
    return sorted(found)


def test_only_an_agents_folder_imports_the_agent() -> None:
    """Neither the registry nor another agent does, nor does anyone write the name of an agent's module."""
    assert {agent.id for agent in CATALOGUE} == set(FOLDERS)
    found: list[str] = []
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            package = ".".join(path.parent.relative_to(ROOT / folder).parts)
            package = f"{Path(folder).name}.{package}".rstrip(".")
            for line, agent in agents_imported_in(path.read_text(encoding="utf-8"), package):
                if not f"{package}.".startswith(f"{ROOMS}{agent}."):
                    found.append(f"{path.relative_to(ROOT)}:{line} imports {agent}")
    assert found == []


@pytest.mark.parametrize(
    ("line", "package", "agents"),
    [
        ("import promptster.agents.codex.launch as one", "promptster.ui", ["codex"]),
        ("from promptster.agents import registry, claude", "promptster.ui", ["claude"]),
        ("from promptster.agents.claude import hooks", "promptster.ui", ["claude"]),
        ("from ..agents import claude", "promptster.ui", ["claude"]),
        ("from .claude.hooks import read", "promptster.agents", ["claude"]),
        ("def f():\n    import_module('promptster.agents.cursor.hooks')", "promptster.ui", ["cursor"]),
        ("from promptster.agents.registry import AGENTS", "promptster.ui", []),
        ("from promptster.protocol.agents import CATALOGUE", "promptster.ui", []),
    ],
)
def test_every_way_of_importing_an_agent_would_be_found(line: str, package: str, agents: list[str]) -> None:
    """At any place of a module: absolute, relative, and by name."""
    assert [agent for _, agent in agents_imported_in(line, package)] == agents


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
