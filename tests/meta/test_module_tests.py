"""Every module has tests: a file of its name in the folder that mirrors its own, or a line in ``module_tests.toml``.

A line names the test files that cover the module, and is checked: a test imports the module, itself or through a
helper in ``tests/``, or it goes through a door: it names a command, a route or another module from which the module is
at most two imports away.
"""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from tests.checks.module_circles import PACKAGES, modules
from typer.main import get_command

from promptster.commands import NAMES
from promptster.protocol.agents import IDS
from promptster_collector.__main__ import app as collector_app

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("module_tests.toml")
FILES = {name: path for package, folder in PACKAGES.items() for name, path in modules(ROOT / folder, package).items()}
FOLDERS = {"promptster": "", "promptster_collector": "collector", "promptster_hooks": "hooks"}
"""Where in ``tests/`` the tests of each package are."""
COMMANDS = {
    **{f"promptster {name}": f"promptster.commands.{name}" for name in NAMES},
    **{
        f"promptster-collector {name}": f"promptster_collector.commands.{name.replace('-', '_')}"
        for name in getattr(get_command(collector_app), "commands")  # noqa: B009 - of a group, which typer does not say
    },
}
"""The module of each command."""
STEPS = 2
"""Imports between a door and what may count as tested through it."""
EVERY_AGENT = "promptster.agents.ID.*"
"""The line for the modules of every agent's folder, so that a new agent needs none of its own."""


@dataclass(frozen=True)
class Entry:
    """One test file of a module's line."""

    test: Path
    door: str
    """A command, a route or a module; empty if the test imports the module itself."""

    @classmethod
    def read(cls, text: str) -> Entry:
        """Read ``tests/x.py`` or ``tests/x.py by DOOR``."""
        test, _, door = text.partition(" by ")
        return cls(test=ROOT / test, door=door)


def table() -> dict[str, list[Entry]]:
    """The lines of ``module_tests.toml``, by module."""
    lines = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {module: [Entry.read(text) for text in texts] for module, texts in lines.items()}


def own_test(module: str) -> Path:
    """The test file of a module's name, whether it exists or not."""
    package, *inner = module.split(".")
    *folders, name = inner or ["init"]
    return ROOT.joinpath("tests", FOLDERS[package], *folders, f"test_{name.strip('_')}.py")


def needs_tests(module: str) -> bool:
    """Whether there is more in a module than a docstring."""
    return len(_parsed(FILES[module]).body) > 1


def problem(module: str, entry: Entry) -> str | None:
    """What is wrong with a line of the table."""
    named = f"{module}: {entry.test.relative_to(ROOT)}"
    if not entry.test.is_file():
        return f"{named} does not exist"
    if not entry.door:
        return None if module in reached_by(entry.test) else f"{named} does not import it"
    door = door_module(entry.door)
    if door is None:
        return f"{named}: there is no command, route or module {entry.door}"
    if not goes_through(entry.test, entry.door):
        return f"{named} does not go through {entry.door}"
    return None if module in near(door) else f"{named}: {entry.door} does not lead to it"


def door_module(door: str) -> str | None:
    """The module of a door."""
    return COMMANDS.get(door) or declared_routes().get(door) or (door if door in FILES else None)


def goes_through(test: Path, door: str) -> bool:
    """Whether a test names the command or the route, or imports the module."""
    _, _, words = door.partition(" ")
    if door in COMMANDS:
        return any(words in text.split() for text in texts(test))
    if not words:
        return door in reached_by(test)
    fixed = re.compile(".+".join(re.escape(part) for part in re.split(r"\{\w+\}", words)) + r"(?:\?.*)?")
    return any(fixed.fullmatch(text) for text in texts(test))


@cache
def declared_routes() -> dict[str, str]:
    """The module of each route of the collector; a route is written as ``GET /v1/sessions/{session}``."""
    found: dict[str, str] = {}
    for module, path in FILES.items():
        for node in ast.walk(_parsed(path)):
            match node:
                case ast.Call(
                    func=ast.Name(id="get" | "post" | "put" | "delete" as verb), args=[ast.Constant(value), *_]
                ):
                    route = re.sub(r"\{(\w+):\w+\}", r"{\1}", str(value))
                    found[f"{verb.upper()} {route}"] = module
                case _:
                    pass
    return found


@cache
def texts(test: Path) -> frozenset[str]:
    """Every text in a test, with ``*`` for each value in one."""
    found: set[str] = set()
    for node in ast.walk(_parsed(test)):
        if isinstance(node, ast.JoinedStr):
            found.add("".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return frozenset(found)


@cache
def reached_by(test: Path) -> frozenset[str]:
    """The modules that a test imports, itself or through helpers in ``tests/``."""
    found, seen, waiting = set[str](), {test}, [test]
    while waiting:
        for name in imports(waiting.pop()):
            if name in FILES:
                found.add(name)
            helper = ROOT.joinpath(*name.split(".")).with_suffix(".py")
            if name.startswith("tests.") and helper.is_file() and helper not in seen:
                seen.add(helper)
                waiting.append(helper)
    return frozenset(found)


@cache
def near(door: str) -> frozenset[str]:
    """A door's module and what is at most ``STEPS`` imports away from it."""
    found = frozenset({door})
    for _ in range(STEPS):
        found |= {name for module in found for name in imports(FILES[module]) if name in FILES}
    return found


@cache
def imports(path: Path) -> frozenset[str]:
    """Every name that a file imports modules or their contents by, inside of functions too.

    A module whose full name is a text in the file is run by it. Who calls ``import_module`` loads its neighbours.
    """
    found: set[str] = set()
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.Constant) and node.value in FILES:
            found.update({str(node.value), f"{node.value}.__main__"})
        if isinstance(node, ast.Name) and node.id == "import_module":
            found.update(name for name, other in FILES.items() if path.parent == _holder(other))
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def _holder(path: Path) -> Path:
    """The folder that holds a module: for a package, the one around its own."""
    return path.parent.parent if path.name == "__init__.py" else path.parent


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def lines_of(module: str) -> list[Entry]:
    """The table's entries for a module: its own line, or the one that holds for its whole folder.

    An agent's modules have a line in common, which counts for those that its plug-in leads to.
    """
    lines, names = table(), module.split(".")
    folders = [".".join(names[:end]) + ".*" for end in range(len(names) - 1, 0, -1)]
    own = next((lines[key] for key in (module, *folders) if key in lines), None)
    if own is not None:
        return own
    holders = [plug_in for plug_in in plug_ins() if f"{module}.".startswith(f"{plug_in}.")]
    return lines[EVERY_AGENT] if any(module in near(plug_in) for plug_in in holders) else list[Entry]()


def plug_ins() -> list[str]:
    """The packages of the agents."""
    return [EVERY_AGENT.removesuffix(".*").replace("ID", agent) for agent in IDS]


def test_every_module_has_tests() -> None:
    """Each module with code in it has a test file of its name, or a line in the table."""
    missing = [
        f"{module}: neither {own_test(module).relative_to(ROOT)} nor a line in {TABLE.name}"
        for module in FILES
        if needs_tests(module) and not own_test(module).is_file() and not lines_of(module)
    ]
    assert not missing, "\n".join(missing)


def test_every_line_of_the_table_is_true() -> None:
    """Each test file exists and reaches the module as its line says; no line is about a module that is gone."""
    wrong: list[str] = []
    for module, entries in table().items():
        if not entries:
            wrong.append(f"{module}: the line names no test")
        elif module == EVERY_AGENT:
            wrong += [text for entry in entries for plug_in in plug_ins() if (text := problem(plug_in, entry))]
        elif module.endswith(".*"):
            wrong += [text for entry in entries if (text := folder_problem(module.removesuffix(".*"), entry))]
        elif module not in FILES:
            wrong.append(f"{module}: there is no such module")
        elif own_test(module).is_file():
            wrong.append(f"{module}: {own_test(module).relative_to(ROOT)} makes the line needless")
        else:
            wrong += [text for entry in entries if (text := problem(module, entry))]
    assert not wrong, "\n".join(wrong)


def folder_problem(folder: str, entry: Entry) -> str | None:
    """What is wrong with a line about all modules below a folder, which its door finds by the folder's name."""
    door = door_module(entry.door)
    if door is None or door not in reached_by(entry.test):
        return f"{folder}: {entry.test.relative_to(ROOT)} does not go through {entry.door}"
    named = folder.rpartition(".")[2] in texts(FILES[door]) and folder in FILES
    return None if named else f"{folder}: {entry.door} does not name it"


def test_what_no_plug_in_leads_to_is_not_covered_by_the_suite() -> None:
    """The agents' common line counts for modules that a plug-in loads, and for nothing next to the agents' folders."""
    assert lines_of("promptster.agents.claude.unused") == lines_of("promptster.agents.unused") == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("promptster.secret_store", "tests/test_times.py"),  # does not import it
        ("promptster.secret_store", "tests/test_gone.py"),  # is not there
        ("promptster.commands.pause", "tests/test_times.py by promptster pause"),  # does not name the command
        ("promptster.commands.pause", "tests/commands/test_status.py by promptster halt"),  # is no command
        ("promptster.proxy.sse", "tests/commands/test_agent_ended.py by promptster pause"),  # is far from it
        ("promptster_collector.invites.routes", "tests/test_times.py by GET /v1/invites/{invite}"),
        ("promptster_collector.orgs.routes", "tests/collector/test_invites.py by GET /v1/invites/{invite}"),
        ("promptster.capture.lanes", "tests/test_times.py by promptster.capture.engine"),
    ],
)
def test_a_false_line_is_found(module: str, line: str) -> None:
    """The check itself fails for a test that is gone, that does not come near the module, or that names no door."""
    assert problem(module, Entry.read(line))
