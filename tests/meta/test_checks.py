"""Our own checks in ``nox -s lint`` find what they look for."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from tests.checks import locks, module_circles, module_length
from tests.checks.__main__ import CHECKS, ROOT, main

PACKAGE = "promptster"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository whose three packages are empty."""
    for package, folder in module_circles.PACKAGES.items():
        (tmp_path / folder / package).mkdir(parents=True)
        (tmp_path / folder / package / "__init__.py").write_text("")
    (tmp_path / "pyproject.toml").write_text("")
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


@pytest.mark.parametrize("check", [module_length, module_circles, locks])
def test_the_repository_passes(check: ModuleType) -> None:
    """There is nothing to report about this tree."""
    assert list(check.problems(ROOT)) == []


def test_each_problem_is_a_line_and_a_failure(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The program prints what the checks find, and ends with 1; with 0 if they find nothing."""
    assert (main(tree), capsys.readouterr().out) == (0, "")
    write(tree, "long", "x = 1\n" * 401)
    assert main(tree) == 1
    assert capsys.readouterr().out == "cli/promptster/long.py has 401 lines; the most is 400. Split it.\n"


def test_a_module_of_400_lines_is_the_longest(tree: Path) -> None:
    """One line more is reported, with the module's length."""
    write(tree, "long", "x = 1\n" * 400)
    assert list(module_length.problems(tree)) == []
    write(tree, "long", "x = 1\n" * 401)
    assert list(module_length.problems(tree)) == ["cli/promptster/long.py has 401 lines; the most is 400. Split it."]


def test_a_test_file_of_700_lines_is_the_longest(tree: Path) -> None:
    """One line more is reported, wherever below ``tests`` it is."""
    (tree / "tests" / "ui").mkdir(parents=True)
    file = tree / "tests" / "ui" / "test_long.py"
    file.write_text("x = 1\n" * 700)
    assert list(module_length.problems(tree)) == []
    file.write_text("x = 1\n" * 701)
    assert list(module_length.problems(tree)) == ["tests/ui/test_long.py has 701 lines; the most is 700. Split it."]


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


PYPROJECT = """
[project]
dependencies = ["some-library>=1.2", "other[extra]>=3"]
[project.optional-dependencies]
collector = ["third"]
[dependency-groups]
tests = ["tool>=1; python_version < '4'"]
"""
PIN = "{} \\\n    --hash=sha256:00\n"


def lock(tree: Path, name: str, *pins: str) -> None:
    """Write a lock with these pins."""
    (tree / "requirements").mkdir(exist_ok=True)
    (tree / "requirements" / f"{name}.txt").write_text("# made\n" + "".join(map(PIN.format, pins)))


def test_locks_that_satisfy_the_project_pass(tree: Path) -> None:
    """Extras, markers and other spellings of a name make no difference."""
    (tree / "pyproject.toml").write_text(PYPROJECT)
    lock(
        tree,
        "runtime",
        "Some_Library==1.2",
        "other==3.1 ; python_version < '3.12'",
        "other==4 ; python_version >= '3.12'",
    )
    lock(tree, "collector", "some-library==2", "other==3", "third==0.1", "more==1")
    lock(tree, "tests", "tool==1")
    assert list(locks.problems(tree)) == []


def test_a_lock_that_is_missing_old_or_without_hashes_is_reported(tree: Path) -> None:
    """Each problem names the file and the requirement, and what to run."""
    (tree / "pyproject.toml").write_text(PYPROJECT)
    lock(tree, "runtime", "some-library==1.1", "other==3")
    lock(
        tree,
        "collector",
        "some-library==2",
        "other==3 ; python_version < '3.12'",
        "other==2 ; python_version >= '3.12'",
    )
    without = tree / "requirements" / "collector.txt"
    without.write_text(f"{without.read_text()}third==1\n")
    assert list(locks.problems(tree)) == [
        "requirements/runtime.txt has 1.1 for some-library>=1.2: run `nox -s lock`",
        "requirements/collector.txt has 3, 2 for other[extra]>=3: run `nox -s lock`",
        "requirements/collector.txt has no hash for third==1: run `nox -s lock`",
        "requirements/tests.txt is missing: run `nox -s lock`",
    ]
