"""Agents of other shapes are added by the same steps: one that only hooks record, and one that has no hooks."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from tests.helpers.added_agents import FOLDERS, Tree, files_that_name, tree_with
from tests.helpers.people import Person

if TYPE_CHECKING:
    from pathlib import Path

FURTHER = [folder for folder in FOLDERS if not (folder / "program.py").is_file()]
every_folder = pytest.mark.parametrize("folder", FURTHER, ids=[folder.name for folder in FURTHER])


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A copy of the tree that has all of them."""
    return tree_with(FURTHER, tmp_path_factory.mktemp("tree"))


@every_folder
def test_no_other_file_names_it(folder: Path) -> None:
    """Neither a table nor a test nor a document has to know it."""
    assert files_that_name(folder.name, outside=folder) == []


@every_folder
def test_the_conformance_suite_runs_on_it(folder: Path, tree: Tree) -> None:
    """The suite asks of an agent only what an agent of its shape can have."""
    assert tree.run_conformance_suite(folder.name) >= 10


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed here: nox -s types runs this")
def test_their_folders_fit_the_types(tree: Tree) -> None:
    """The Protocols are what they implement."""
    tree.check_types(*(folder.name for folder in FURTHER))


def test_those_with_an_editor_file_are_offered(tree: Tree, tmp_path: Path) -> None:
    """``start`` offers exactly those that read a workspace file; ``run`` completes all of them."""
    person = Person(name="ada", home=tmp_path, extra=tree.environ)
    offered = person.call("__complete", "start", "--ide", "").stdout.split()
    allowed = person.call("__complete", "assessment", "create", "--agent", "").stdout.split()
    for folder in FURTHER:
        assert (folder.name in offered) == (folder / "plugin" / "editor.py").is_file()
        assert folder.name in allowed
