"""Every error that a docstring announces exists, and every public class has a name of its own."""

from __future__ import annotations

import ast
import builtins
import importlib
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ROOT: Final = Path(__file__).parents[2]
_PROGRAMS: Final[Mapping[str, tuple[str, ...]]] = {
    "cli/promptster": ("cli/promptster",),
    "collector/promptster_collector": ("collector/promptster_collector", "cli/promptster"),
    "hooks/promptster_hooks": ("hooks/promptster_hooks",),
}
"""Each package, and the packages whose errors may reach it."""
_SAME_NAME: Final[Mapping[str, str]] = {
    "Assessment": "the collector's table, and what the candidate's program receives of one row",
    "Clock": "each program's own clock; the collector imports nothing of the candidate's program that reads a clock",
    "Invite": "the collector's table, and the signed document that one row becomes",
    "Limits": "each program's own limits, as its settings",
    "RedeemAnswer": "one answer, as the collector writes it and as the client reads it",
    "SystemClock": "as Clock",
    "Timing": "each program's own waits, as its settings",
}
"""Class names that two modules may share, with the reason."""
_RAISES = re.compile(r"^Raises:\n((?:[ ]+.*\n?|\n)+)", re.MULTILINE)
_NAMED = re.compile(r"^ {4}([^\s:][^:\n]*):", re.MULTILINE)


def _modules(package: str) -> Iterator[tuple[str, ast.Module]]:
    """Name and tree of every module of a package."""
    folder = _ROOT / package
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__"), ast.parse(path.read_text())


def _classes(tree: ast.Module) -> Iterator[str]:
    """The public classes of a module, and the types that it gives a name."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if re.fullmatch(r"(?:[A-Z][a-z0-9]+)+", name):
                    yield name
            case _:
                pass


def _announced(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each error that a docstring of a module announces, with the name of the function."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            for section in _RAISES.findall((ast.get_docstring(node) or "") + "\n"):
                for names in _NAMED.findall(section):
                    yield from ((name.strip(), getattr(node, "name", "")) for name in names.split(","))


def _visible(tree: ast.Module) -> set[str]:
    """The names that a module imports or defines, at any level."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.ClassDef):
            names.add(node.name)
    return names


def _homes(packages: Sequence[str]) -> dict[str, list[str]]:
    """The modules that define each public class."""
    homes: dict[str, list[str]] = defaultdict(list)
    for package in packages:
        for module, tree in _modules(package):
            for name in _classes(tree):
                homes[name].append(module)
    return homes


def _is_error(name: str, module: str, homes: Mapping[str, Sequence[str]], visible: set[str]) -> bool:
    """Whether a name that a module's docstring announces is that of an error which exists, and of only one."""
    standard = getattr(builtins, name, None)
    if standard is None and name in visible:
        standard = getattr(importlib.import_module(module), name, None)
    if standard is None and len(homes.get(name, ())) == 1:
        standard = getattr(importlib.import_module(homes[name][0]), name)
    return isinstance(standard, type) and issubclass(standard, BaseException)


@pytest.mark.parametrize("package", _PROGRAMS)
def test_every_error_that_a_docstring_announces_exists(package: str) -> None:
    """It is a builtin, imported or defined in the module, or defined once in a package that the module can import."""
    homes = _homes(_PROGRAMS[package])
    unknown = [
        f"{module}.{function}: {name}"
        for module, tree in _modules(package)
        for name, function in _announced(tree)
        if not _is_error(name, module, homes, _visible(tree))
    ]
    assert unknown == []


def test_an_error_that_does_not_exist_is_noticed() -> None:
    """The check reads every form of the section, and refuses a name that is missing or is no error."""
    sections = "Raises:\n        NoSuchError: when.\n            It goes on: here.\n\n        Path: never."
    tree = ast.parse(f'def f():\n    """Do.\n\n    {sections}\n    """')
    assert list(_announced(tree)) == [("NoSuchError", "f"), ("Path", "f")]
    homes = _homes(["cli/promptster"])
    assert not _is_error("NoSuchError", "promptster.errors", homes, set())
    assert not _is_error("Clock", "promptster.clock", homes, {"Clock"})
    assert _is_error("SessionError", "promptster.clock", homes, set())
    assert sum(1 for _, tree in _modules("cli/promptster") for _ in _announced(tree)) > 100


def test_every_answer_that_a_request_announces_exists() -> None:
    """The requests to the recorder name the class of their answer."""
    calls = importlib.import_module("promptster.session_folder.control_calls")
    messages = importlib.import_module("promptster.session_folder.control_messages")
    named = [
        found
        for call in vars(calls).values()
        if isinstance(call, type)
        for found in re.findall(r"Answered by ``(\w+)``", call.__doc__ or "")
    ]
    assert len(named) > 5
    assert [name for name in named if not isinstance(getattr(messages, name, None), type)] == []


def test_every_public_class_has_a_name_of_its_own() -> None:
    """A name means one thing in all programs, unless the list says why not."""
    homes = _homes(list(_PROGRAMS))
    shared = {name: modules for name, modules in homes.items() if len(modules) > 1 and not name.startswith("_")}
    assert {name: modules for name, modules in shared.items() if name not in _SAME_NAME} == {}
    assert sorted(_SAME_NAME.keys() - shared.keys()) == [], "these names are no longer shared"
