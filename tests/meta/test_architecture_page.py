"""docs/architecture.md names the code as it is: every package, every file that it points to, and who imports whom.

So does docs/adding-an-agent.md, to which it leads. The folder of an agent counts as ``agents/ID``.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
ADDING = (ROOT / "docs" / "adding-an-agent.md").read_text()
CANDIDATE = ROOT / "cli" / "promptster"
COLLECTOR = ROOT / "collector" / "promptster_collector"
_STILL_THERE = {"promptster.session.daemon", "promptster.session.workspace", "promptster.protocol.events"}
"""Names of 0.1 that still exist: one for old supervisors, and packages with a module's name."""
_TEXT = re.compile(r"text_(\d+)\.py")
_MIGRATIONS = "migrations"
"""Alembic's own folders, one below each database."""


def packages(root: Path) -> set[str]:
    """Every package of a tree by its path, without the tree's own."""
    found = {file.parent.relative_to(root).as_posix() for file in root.rglob("__init__.py")}
    found = {re.sub("^agents/.+", "agents/ID", name) for name in found}
    return {name for name in found if name != "." and _MIGRATIONS not in name.split("/")}


def named(title: str) -> list[str]:
    """The packages in the first cell of each row below a heading."""
    section = PAGE.partition(f"\n### {title}\n")[2].partition("\n### ")[0].partition("\n## ")[0]
    return re.findall(r"^\| `([a-z_/]+(?:/ID)?)` \|", section, re.MULTILINE)


@pytest.mark.parametrize(
    ("title", "root"),
    [("Packages of the candidate's program", CANDIDATE), ("Packages of the collector", COLLECTOR)],
)
def test_every_package_is_named_once_and_no_other(title: str, root: Path) -> None:
    """The table of packages is the tree."""
    assert sorted(named(title)) == sorted(packages(root))


def test_single_modules_are_named() -> None:
    """Modules that are in no package are listed below each table."""
    for root, text in (
        (CANDIDATE, PAGE.partition("Single modules next to them:")[2].partition("\n\n")[0]),
        (COLLECTOR, PAGE.partition("The rest, from top to bottom:")[2].partition("\n\n")[0]),
    ):
        modules = {file.stem for file in root.glob("*.py")} - {"__init__", "__main__", "typed"}
        assert set(re.findall(r"`([a-z_]+)`", text)) == modules


def test_the_diagram_of_the_layers_is_the_import_contract() -> None:
    """The rows of the first flowchart below "Layers" are the layers that ``nox -s lint`` checks, in their order."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (each["layers"] for each in contracts if each.get("containers") == ["promptster"])
    diagram = PAGE.partition("\n## Layers\n")[2].partition("```mermaid\n")[2].partition("```")[0]
    rows = [re.split(" · ", row) for row in re.findall(r'\["(.+?)"\]', diagram)]
    assert rows == [layer.split(" | ") for layer in layers]
    arrows = re.findall(r"(l\d+)(?:\[.*?\])? --> (l\d+)", diagram)
    assert arrows == [(f"l{n}", f"l{n + 1}") for n in range(1, len(layers))]


def agents() -> list[str]:
    """The folders of the agents."""
    return sorted(file.parent.name for file in (CANDIDATE / "agents").glob("*/__init__.py"))


def test_every_file_that_is_named_exists() -> None:
    """A path leads to a file; one with ID does so for an agent, and for every agent if the page says "always"."""
    always = set(re.findall(r"^\| `(agents/ID/\S+)` \|.*\| always \|$", ADDING, re.MULTILINE))
    assert len(always) > 1
    paths = set(
        re.findall(r"[a-z_ID]+(?:/[a-z_0-9ID]+)+\.py", ADDING + PAGE.partition("\n## Where things of 0.1 are now")[0])
    )
    assert len(paths) > 20
    roots = (CANDIDATE, COLLECTOR, ROOT / "hooks", ROOT)
    for path in paths:
        expanded = [path.replace("ID", agent) for agent in agents()] if "/ID/" in path else [path]
        there = [one for one in expanded if any((root / one).is_file() for root in roots)]
        assert there, path
        assert path not in always or there == expanded, path


def test_every_class_is_in_the_file_that_is_named_for_it() -> None:
    """A class in backticks followed by "in" and a file is defined there."""
    named_classes = re.findall(r"`([A-Z]\w+)` in `([a-z_/]+\.py)`", ADDING + PAGE)
    assert len(named_classes) > 4
    for name, path in named_classes:
        assert re.search(rf"^class {name}\b", (CANDIDATE / path).read_text(), re.MULTILINE), name


def test_every_function_that_is_named_is_in_its_file() -> None:
    """A method in backticks followed by "in" and a file is defined there, in that class."""
    methods = re.findall(r"`([A-Z]\w+)\.(\w+)` in\s+`([a-z_/]+\.py)`", ADDING + PAGE)
    assert len(methods) > 7
    for owner, name, path in methods:
        body = (CANDIDATE / path).read_text().partition(f"\nclass {owner}")[2].partition("\nclass ")[0]
        assert re.search(rf"^    (?:async )?def {name}\(", body, re.MULTILINE), f"{owner}.{name}"


def test_every_folder_that_is_named_for_an_extension_exists() -> None:
    """Code for a new agent, provider, format or command goes into a package of the tree."""
    for name in re.findall(r"one (?:file|folder) in `([a-z_/]+)`", ADDING + PAGE):
        assert (CANDIDATE / name / "__init__.py").is_file(), name


def test_the_newest_text_of_a_policy_is_named() -> None:
    """The file that the page calls the newest is the one with the highest number."""
    (number,) = re.findall(r"the newest is `protocol/policies/text_(\d+)\.py`", PAGE)
    numbers = [
        int(found[1])
        for file in (CANDIDATE / "protocol" / "policies").glob("*.py")
        if (found := _TEXT.match(file.name))
    ]
    assert int(number) == max(numbers)


def test_things_of_0_1_are_where_the_page_says() -> None:
    """Every module of 0.1 has one row whose modules all exist, or, without a row, still has its name."""
    table = PAGE.partition("\n## Where things of 0.1 are now\n")[2]
    rows = re.findall(r"^\| `([a-z_.0-9]+)` \| (.+?) \|$", table, re.MULTILINE)
    assert len(rows) == table.count("\n| `")
    listed = [old for old, _ in rows]
    assert listed == sorted(set(listed))
    first_release = (Path(__file__).parent / "modules_of_0_1.txt").read_text().splitlines()
    assert set(listed) <= set(first_release)
    assert [name for name in first_release if name not in listed and not _module(name)] == []
    for old, new in rows:
        modules = re.findall(r"`([a-z_.0-9]+)`", new)
        assert modules, old
        assert modules != [old], f"{old} has not moved and needs no row"
        assert [name for name in modules if not _module(name)] == [], old
        assert old in modules or not _module(old) or old in _STILL_THERE, old


def _module(name: str) -> bool:
    """Whether a module or package of this dotted name exists."""
    path = Path(*name.split("."))
    homes = [ROOT / "cli", ROOT / "collector", ROOT / "hooks"]
    return any((home / path).with_suffix(".py").is_file() or (home / path / "__init__.py").is_file() for home in homes)
