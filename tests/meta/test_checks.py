"""The checks of ``nox -s lint`` that are our own find what they look for."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.checks import module_circles, module_length
from tests.checks.__main__ import CHECKS, ROOT, main

PACKAGE = "promptster"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository whose three packages are empty."""
    for package, folder in module_circles.PACKAGES.items():
        (tmp_path / folder / package).mkdir(parents=True)
        (tmp_path / folder / package / "__init__.py").write_text("")
    return tmp_path


def write(tree: Path, name: str, text: str) -> None:
    """Give the candidate's package a module."""
    path = (tree / "cli" / PACKAGE / name).with_suffix(".py")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def test_every_check_runs() -> None:
    """Each module in the folder is run by ``python -m tests.checks``."""
    names = {path.stem for path in (ROOT / "tests" / "checks").glob("*.py")} - {"__main__", "__init__"}
    assert {check.__name__.rpartition(".")[2] for check in CHECKS} == names


def test_the_repository_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to report about this tree."""
    assert (main(), capsys.readouterr().out) == (0, "")


def test_a_module_of_400_lines_is_the_longest(tree: Path) -> None:
    """One line more is reported, with the module's length."""
    write(tree, "long", "x = 1\n" * 400)
    assert list(module_length.problems(tree)) == []
    write(tree, "long", "x = 1\n" * 401)
    assert list(module_length.problems(tree)) == ["cli/promptster/long.py has 401 lines; the most is 400. Split it."]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("from promptster import b\n", "import promptster.a\n"),
        ("from . import b\n", "from .a import x\n"),
        ("try:\n    from promptster.b import y\nexcept ImportError:\n    y = 1\n", "from promptster.a import x\n"),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from promptster.b import y\n",
            "class B:\n    from promptster.a import x\n",
        ),
    ],
    ids=["absolute", "relative", "tried", "for types"],
)
def test_a_circle_is_found_however_it_is_imported(tree: Path, first: str, second: str) -> None:
    """Absolute, relative, guarded and type-only imports all count."""
    write(tree, "a", first)
    write(tree, "b", second)
    assert list(module_circles.problems(tree)) == [
        "these modules import each other in a circle: promptster.a, promptster.b"
    ]


def test_a_circle_through_a_third_module_and_a_package_is_found(tree: Path) -> None:
    """Circles of any length are found, through packages in either direction, and each one once."""
    write(tree, "room/__init__", "from promptster.room.a import x\n")
    write(tree, "room/a", "from ..b import x\n")
    write(tree, "b", "from promptster.c import x\n")
    write(tree, "c", "from promptster.room import x\n")
    write(tree, "outside", "import promptster.c\n")
    assert list(module_circles.problems(tree)) == [
        "these modules import each other in a circle: promptster.b, promptster.c, promptster.room, promptster.room.a"
    ]


def test_what_a_function_imports_makes_no_circle(tree: Path) -> None:
    """Late imports are allowed, as are two modules that import a third."""
    write(tree, "a", "import promptster.c\n\ndef f():\n    from promptster import b\n")
    write(tree, "b", "import promptster.a\nimport promptster.c\n")
    write(tree, "c", "import os\n\nasync def g():\n    import promptster.a\n")
    assert list(module_circles.problems(tree)) == []
