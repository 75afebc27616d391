"""What a workspace can be: repositories inside it, a replaced history, hostile names, pipes and links.

In every case the work in it is submitted with its content, and nothing outside of it.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.helpers.git_repositories import run_git
from tests.helpers.trees import Session, commit_all, make

from promptster.session.workspace.snapshot import HiddenReason

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_repository_that_was_there_is_looked_into(root: Path, scratch: Path) -> None:
    """If the task is a clone inside the workspace, its changes are the work."""
    make(root / "task", **{"app.py": "x = 1\n"})
    session = Session(root, scratch)
    (root / "task" / "app.py").write_text("x = 2\n")
    (root / "task" / "new.py").write_text("y = 3\n")
    commit_all(root / "task")
    changes, diff = session.submitted()
    assert changes == {"task/app.py": ("modified", None), "task/new.py": ("added", None)}
    assert "-x = 1\n+x = 2\n" in diff
    assert "+y = 3\n" in diff


def test_a_repository_that_the_agent_makes_is_looked_into(root: Path, scratch: Path) -> None:
    """Without a commit, with one, and one in the other; each ignores by its own rules."""
    session = Session(root, scratch)
    (root / "app" / "deep").mkdir(parents=True)
    run_git(root / "app", "init", "-q")
    run_git(root / "app" / "deep", "init", "-q")
    (root / "app" / "main.py").write_text("print(1)\n")
    (root / "app" / ".gitignore").write_text("secret.env\n")
    (root / "app" / "secret.env").write_text("SECRET=1\n")
    (root / "app" / "deep" / "core.py").write_text("print(2)\n")
    commit_all(root / "app" / "deep")
    changes, diff = session.submitted()
    assert changes == {
        "app/.gitignore": ("added", None),
        "app/deep/core.py": ("added", None),
        "app/main.py": ("added", None),
        "app/secret.env": ("ignored", HiddenReason.IGNORED),
    }
    assert "+print(1)" in diff
    assert "+print(2)" in diff
    assert "SECRET" not in diff


def add_submodule(root: Path, source: Path) -> None:
    """A submodule ``sub``, checked out and committed."""
    make(source, **{"lib.py": "VALUE = 1\n"})
    run_git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(source), "sub")
    run_git(root, "commit", "-qm", "b")


def test_edits_in_a_submodule_are_submitted(root: Path, scratch: Path, tmp_path: Path) -> None:
    """Edits in a submodule are submitted whether they are committed in it or not."""
    add_submodule(root, tmp_path / "source")
    session = Session(root, scratch)
    (root / "sub" / "lib.py").write_text("VALUE = 2\n")
    (root / "sub" / "new.py").write_text("new\n")
    expected = {"sub/lib.py": ("modified", None), "sub/new.py": ("added", None)}
    assert session.submitted()[0] == expected
    commit_all(root / "sub")
    changes, diff = session.submitted()
    assert changes == expected
    assert "-VALUE = 1\n+VALUE = 2\n" in diff


def test_a_submodule_that_is_not_there_is_its_commit(root: Path, scratch: Path, tmp_path: Path) -> None:
    """Moved to another commit it is named; checked out, its files are; files put in its place are files."""
    add_submodule(root, tmp_path / "source")
    clone = tmp_path / "clone"
    run_git(tmp_path, "clone", "-q", str(root), str(clone))
    session = Session(clone, scratch)
    assert session.before.files[b"sub"].hidden is HiddenReason.MODULE
    assert session.submitted()[0] == {}
    (clone / "sub" / "loose.py").write_text("loose\n")
    assert session.submitted()[0] == {"sub/loose.py": ("added", None)}
    (clone / "sub" / "loose.py").unlink()
    other = run_git(root, "rev-parse", "HEAD")
    run_git(clone, "update-index", "--cacheinfo", f"160000,{other},sub")
    assert session.submitted()[0] == {"sub": ("modified", HiddenReason.MODULE)}
    run_git(clone, "reset", "-q", "--hard")
    run_git(clone, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init")
    assert session.submitted()[0] == {"sub/lib.py": ("added", None)}


def test_a_work_tree_that_the_agent_makes_inside_is_looked_into(root: Path, scratch: Path) -> None:
    """Some agents make such a work tree for parallel work."""
    session = Session(root, scratch)
    run_git(root, "worktree", "add", "-q", "-b", "beside", ".trees/beside")
    (root / ".trees" / "beside" / "a.txt").write_text("beside\n")
    changes, diff = session.submitted()
    assert changes[".trees/beside/a.txt"] == ("added", None)
    assert "+beside" in diff


def test_a_folder_becomes_a_repository_and_back(root: Path, scratch: Path) -> None:
    """Files are compared, however their folder is kept."""
    (root / "part").mkdir()
    (root / "part" / "x.py").write_text("x\n")
    commit_all(root)
    session = Session(root, scratch)
    run_git(root / "part", "init", "-q")
    commit_all(root / "part")
    assert session.submitted()[0] == {}
    run_git(root, "rm", "-q", "--cached", "-r", "part")
    assert session.submitted()[0] == {}
    shutil.rmtree(root / "part" / ".git")
    assert session.submitted()[0] == {}


def replaced(root: Path) -> None:
    """Delete the history and begin a new one."""
    shutil.rmtree(root / ".git")
    run_git(root, "init", "-q")
    commit_all(root)


def begun(root: Path) -> None:
    """Delete the history and begin a new, empty one."""
    shutil.rmtree(root / ".git")
    run_git(root, "init", "-q")


def gone(root: Path) -> None:
    """Delete the history."""
    shutil.rmtree(root / ".git")


def surrounded(root: Path) -> None:
    """Delete the history, with another repository around the workspace that ignores everything."""
    gone(root)
    run_git(root.parent, "init", "-q")
    (root.parent / ".gitignore").write_text("*\n")


def pruned(root: Path) -> None:
    """Keep only the newest state."""
    run_git(root, "checkout", "-q", "--orphan", "fresh")
    commit_all(root)
    run_git(root, "branch", "-D", "main")
    run_git(root, "reflog", "expire", "--expire=now", "--all")
    run_git(root, "gc", "-q", "--prune=now")


def emptied(root: Path) -> None:
    """Delete the repository's objects."""
    shutil.rmtree(root / ".git" / "objects")


def a_file(root: Path) -> None:
    """Put a file in the history's place."""
    gone(root)
    (root / ".git").write_text("nonsense\n")


def bare(root: Path) -> None:
    """Configure the repository as one without a work tree."""
    run_git(root, "config", "core.bare", "true")


def elsewhere(root: Path) -> None:
    """Configure another folder as its work tree."""
    run_git(root, "config", "core.worktree", str(root.parent))


def garbled(root: Path) -> None:
    """Make the index unreadable."""
    (root / ".git" / "index").write_bytes(b"garbage")


def rewritten(root: Path) -> None:
    """Rewrite every commit."""
    run_git(root, "filter-branch", "-f", "--msg-filter", "echo y", "--", "--all")


HISTORIES = [replaced, begun, gone, surrounded, pruned, emptied, a_file, bare, elsewhere, garbled, rewritten]


@pytest.mark.parametrize("become", HISTORIES)
def test_the_history_makes_no_difference(
    root: Path, scratch: Path, become: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The difference is the same whatever happened to ``.git``."""
    monkeypatch.setenv("FILTER_BRANCH_SQUELCH_WARNING", "1")
    (root / "kept.log").write_text("tracked though ignored\n")
    (root / "debug.log").write_text("ignored\n")
    run_git(root, "add", "-f", "kept.log")
    commit_all_and_loose(root)
    session = Session(root, scratch)
    work = {"a.txt": "first line\nSECOND line\n", "new.txt": "new\n", "kept.log": "tracked and changed\n"}
    if become is rewritten:  # git does that to a clean work tree only
        become(root)
    for name, text in work.items():
        (root / name).write_text(text)
    (root / "same.txt").unlink()
    (root / "other.log").write_text("ignored\n")
    expected = session.submitted()
    assert expected[0] == {
        "a.txt": ("modified", None),
        "kept.log": ("modified", None),
        "new.txt": ("added", None),
        "other.log": ("ignored", HiddenReason.IGNORED),
        "same.txt": ("deleted", None),
    }
    assert "-second line\n+SECOND line\n" in expected[1]
    if become is not rewritten:
        become(root)
    assert session.submitted() == expected


def commit_all_and_loose(root: Path) -> None:
    """A second commit, and an uncommitted file."""
    commit_all(root)
    (root / "loose.txt").write_text("loose\n")


def test_a_forged_object_changes_no_difference(root: Path, scratch: Path) -> None:
    """The start's contents are not read from the candidate's repository, in which any object can be forged."""
    session = Session(root, scratch)
    name = run_git(root, "rev-parse", "HEAD:a.txt")
    lie = run_git(root, "hash-object", "-w", ".gitignore")
    place, other = (root / ".git" / "objects" / oid[:2] / oid[2:] for oid in (name, lie))
    place.chmod(0o644)
    place.write_bytes(other.read_bytes())
    (root / "a.txt").write_text("new\n")
    assert "-first line\n-second line\n+new\n" in session.submitted()[1]


def test_a_link_to_a_repository_is_one(root: Path, scratch: Path, tmp_path: Path) -> None:
    """``.git`` may be a link, or a file that names the folder."""
    (root / ".git").rename(tmp_path / "kept.git")
    (root / ".git").symlink_to(tmp_path / "kept.git")
    session = Session(root, scratch)
    (root / "a.txt").write_text("new\n")
    assert session.submitted()[0] == {"a.txt": ("modified", None)}
    assert session.before.commit == run_git(root, "rev-parse", "HEAD")
    (root / ".git").unlink()
    (root / ".git").write_text(f"gitdir: {tmp_path / 'kept.git'}\n")
    assert session.submitted()[0] == {"a.txt": ("modified", None)}


def test_a_shallow_clone_works(root: Path, scratch: Path, tmp_path: Path) -> None:
    """The objects that it lacks are not needed."""
    run_git(tmp_path, "clone", "-q", "--depth=1", f"file://{root}", "shallow")
    session = Session(tmp_path / "shallow", scratch)
    (tmp_path / "shallow" / "a.txt").write_text("new\n")
    assert session.submitted()[0] == {"a.txt": ("modified", None)}


def test_what_a_sparse_checkout_leaves_out_is_not_deleted(root: Path, scratch: Path) -> None:
    """Files that git left out and still tracks count as unchanged; one that was deleted counts as deleted."""
    for name in ("in", "out_of"):
        (root / name).mkdir()
        (root / name / "x.txt").write_text(f"{name}\n")
    commit_all(root)
    session = Session(root, scratch)
    run_git(root, "sparse-checkout", "set", "in")
    assert not (root / "out_of").exists()
    (root / "same.txt").unlink()
    assert session.submitted()[0] == {"same.txt": ("deleted", None)}
    sparse = Session(root, scratch)
    run_git(root, "sparse-checkout", "disable")
    assert sparse.submitted()[0] == {"out_of/x.txt": ("added", None)}


def test_a_file_that_git_was_told_to_pass_over_is_deleted_when_it_is_gone(root: Path, scratch: Path) -> None:
    """Any file can have the mark of a sparse checkout; without such a checkout, a missing file counts as deleted."""
    session = Session(root, scratch)
    run_git(root, "update-index", "--skip-worktree", "same.txt")
    run_git(root, "update-index", "--assume-unchanged", "a.txt")
    (root / "same.txt").unlink()
    (root / "a.txt").write_text("changed\n")
    assert session.submitted()[0] == {"a.txt": ("modified", None), "same.txt": ("deleted", None)}


def test_without_a_commit_everything_is_new_or_changed(tmp_path: Path, scratch: Path) -> None:
    """An unborn branch is accepted at the start and at the end, with nested repositories of the same kind."""
    root = tmp_path / "work"
    (root / "inner").mkdir(parents=True)
    run_git(root, "init", "-q")
    run_git(root / "inner", "init", "-q")
    (root / "a.txt").write_text("a\n")
    session = Session(root, scratch)
    (root / "a.txt").write_text("b\n")
    (root / "inner" / "c.txt").write_text("c\n")
    assert session.submitted()[0] == {"a.txt": ("modified", None), "inner/c.txt": ("added", None)}


def test_names_that_differ_little_are_different(root: Path, scratch: Path) -> None:
    """Names that differ by case or by the form of an accent, and names that git's index refuses, are separate files."""
    names = ["README", "readme", "\u00e9t\u00e9", "e\u0301te\u0301", "git~1", "a\\b", "con", "d/README", "D/readme"]
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(f"{name}\n")
    session = Session(root, scratch)
    for name in names:
        (root / name).write_text("changed\n")
    changes, diff = session.submitted()
    assert changes == dict.fromkeys(names, ("modified", None))
    assert diff.count("+changed\n") == len(names)
