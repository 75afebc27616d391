"""No modules import each other in a circle, whether at run time or for types only.

Imports inside functions do not count: they are how a command loads what it needs late, and import-linter looks at
them too. A package's ``__init__`` counts only when something is imported from it by name.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

PACKAGES = {"promptster": "cli", "promptster_collector": "collector", "promptster_hooks": "hooks"}
"""Each import package, and the folder that holds it."""


def problems(root: Path) -> Iterator[str]:
    """Each circle of the three packages.

    Args:
        root: the repository.
    """
    files: dict[str, Path] = {}
    for package, folder in PACKAGES.items():
        files |= modules(root / folder, package)
    found = circles({name: imported(name, path, files) for name, path in files.items()})
    for circle in found:
        yield f"these modules import each other in a circle: {', '.join(circle)}"


def modules(folder: Path, package: str) -> dict[str, Path]:
    """The file of every module of a package, by the module's full name."""
    found: dict[str, Path] = {}
    for path in (folder / package).rglob("*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(name: str, path: Path, known: Iterable[str]) -> set[str]:
    """The known modules that a module imports outside of its functions.

    Args:
        name: the module's full name.
        path: its file.
        known: the names that count.
    """
    known, found = set(known), set[str]()
    for node in _statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = name if path.name == "__init__.py" else name.rpartition(".")[0]
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            below = (f"{base}.{alias.name}" for alias in node.names)
            found.update(each if each in known else base for each in below)
    return found & known - {name}


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement that is not inside a function."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from _statements(child)


def circles(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of modules in which each reaches each other one, sorted.

    Args:
        imports: what each module imports.
    """
    reached = {name: _reached(name, imports) for name in imports}
    groups = {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in imports
        if name in reached[name]
    }
    return sorted(sorted(group) for group in groups)


def _reached(start: str, imports: Mapping[str, set[str]]) -> set[str]:
    """Every module that a module imports, directly or through others."""
    found, waiting = set[str](), [start]
    while waiting:
        for name in imports[waiting.pop()] - found:
            found.add(name)
            waiting.append(name)
    return found
