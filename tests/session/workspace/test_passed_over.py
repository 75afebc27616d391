"""Files that git silently leaves out of its lists, or cannot name, are submitted all the same."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.helpers.git_repositories import run_git
from tests.helpers.trees import Session, commit_all, make

from promptster.replay.submitted_files import split_diff
from promptster.session.workspace.snapshot import HiddenReason

if TYPE_CHECKING:
    from collections.abc import Generator

NOBODY = 65534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one commit."""
    root = tmp_path / "work"
    make(root, **{"README": "hello\n", "a.txt": "a\n", ".gitignore": "*.log\nout/\n"})
    return root


def test_names_that_differ_in_case_are_files_whatever_the_configuration_says(root: Path, scratch: Path) -> None:
    """Git's configuration may say that case makes no difference, as after copying; the ignore rules stay the same."""
    run_git(root, "config", "core.ignoreCase", "true")
    session = Session(root, scratch)
    (root / "README").rename(root / "readme")
    (root / "A.txt").write_text("other\n")
    (root / "DEBUG.LOG").write_text("ignored by the same setting\n")
    (root / "src").mkdir()
    (root / "src" / "x.py").write_text("x\n")
    changes, diff = session.submitted()
    assert changes == {
        "A.txt": ("added", None),
        "DEBUG.LOG": ("ignored", HiddenReason.IGNORED),
        "README": ("deleted", None),
        "readme": ("added", None),
        "src/x.py": ("added", None),
    }
    assert "+other" in diff
    assert "by the same setting" not in diff


def test_what_the_rules_ignore_stays_ignored_where_git_passes_it_over(root: Path, scratch: Path) -> None:
    """A file that differs from a tracked one in case may be ignored itself."""
    (root / "Kept.log").write_text("tracked\n")
    run_git(root, "add", "-f", "Kept.log")
    run_git(root, "config", "core.ignoreCase", "true")
    session = Session(root, scratch)
    (root / "kept.log").write_text("private\n")
    changes, diff = session.submitted()
    assert changes == {"kept.log": ("ignored", HiddenReason.IGNORED)}
    assert not diff


def test_a_repository_in_the_place_of_a_tracked_file_is_looked_into(root: Path, scratch: Path) -> None:
    """Git takes the name as known and does not report its contents; the repository's own rules apply in it."""
    session = Session(root, scratch)
    (root / "README").unlink()
    make(root / "README", **{"main.py": "print(1)\n", ".gitignore": "*.tmp\n"})
    (root / "README" / "x.tmp").write_text("ignored\n")
    (root / "README" / "deep").mkdir()
    make(root / "README" / "deep" / "er", **{"core.py": "print(2)\n"})
    changes, diff = session.submitted()
    assert changes == {
        "README": ("deleted", None),
        "README/.gitignore": ("added", None),
        "README/deep/er/core.py": ("added", None),
        "README/main.py": ("added", None),
        "README/x.tmp": ("ignored", HiddenReason.IGNORED),
    }
    assert "+print(1)" in diff


def test_a_lost_index_makes_no_difference(root: Path, scratch: Path) -> None:
    """Without an index nothing is tracked, but what was part of the work still is."""
    (root / "kept.log").write_text("tracked\n")
    run_git(root, "add", "-f", "kept.log")
    run_git(root, "commit", "-qm", "b")
    session = Session(root, scratch)
    (root / "kept.log").write_text("changed\n")
    (root / ".git" / "index").unlink()
    assert session.submitted()[0] == {"kept.log": ("modified", None)}


def test_a_file_that_is_ignored_from_now_on_is_not_shown(tmp_path: Path, scratch: Path) -> None:
    """If nothing was tracked at the start, no file is missing in the index."""
    root = tmp_path / "fresh"
    root.mkdir()
    run_git(root, "init", "-q")
    (root / "x.env").write_text("one\n")
    session = Session(root, scratch)
    (root / "x.env").write_text("two\n")
    (root / ".gitignore").write_text("*.env\n")
    assert session.submitted()[0] == {".gitignore": ("added", None), "x.env": ("ignored", HiddenReason.IGNORED)}


def test_names_that_are_no_text_are_told_apart_in_the_difference(root: Path, scratch: Path) -> None:
    """Each has its own part, under the name that the list of files gives it; a link's target may be such bytes too."""
    session = Session(root, scratch)
    for name in (b"b\xfe", b"b\xff", "\u00e9".encode()):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(name.hex().encode() + b"\n")
    (root / "link").symlink_to(os.fsdecode(b"\xff"))
    changes, diff = session.submitted()
    assert changes == {
        "b\\xfe": ("added", None),
        "b\\xff": ("added", None),
        "link": ("added", HiddenReason.BINARY),
        "\u00e9": ("added", None),
    }
    parts = split_diff(diff)
    assert {name: part.splitlines()[-1] for name, part in parts.items()} == {
        "b\\xfe": "+62fe",
        "b\\xff": "+62ff",
        "\u00e9": "+c3a9",
    }


@contextmanager
def ordinary_user() -> Generator[Path]:
    """A folder of a user to whom permissions apply; the test runs as that user."""
    folder = Path(tempfile.mkdtemp())
    before = os.geteuid()
    try:
        if before == 0:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        yield folder
    finally:
        os.seteuid(before)
        shutil.rmtree(folder)


def test_a_folder_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of the start in it are not called deleted, and unread new files are reported."""
    with ordinary_user() as folder:
        monkeypatch.setenv("HOME", str(folder))
        root = folder / "work"
        make(root, **{"a.txt": "a\n", ".gitignore": "out/\n"})
        for name in ("part", "out", "new"):
            (root / name).mkdir()
            (root / name / "x.txt").write_text("x\n")
        shutil.rmtree(root / "new")
        run_git(root, "add", "part")
        (root / "part" / "loose.txt").write_text("loose\n")
        session = Session(root, folder / "scratch")
        (root / "new").mkdir()
        for name in ("part", "out", "new"):
            (root / name).chmod(0)
        changes = session.submitted()[0]
        assert changes == {
            "new/": ("added", HiddenReason.UNREADABLE),
            "part/": ("added", HiddenReason.UNREADABLE),
            "part/loose.txt": ("modified", HiddenReason.UNREADABLE),
            "part/x.txt": ("modified", HiddenReason.UNREADABLE),
        }
        assert session.submitted()[0] == changes
        again = Session(root, folder / "scratch")
        assert again.submitted()[0]["new/"] == ("modified", HiddenReason.UNREADABLE)
        for name in ("part", "out", "new"):
            (root / name).chmod(0o700)
        assert session.submitted()[0] == {}


def test_a_folder_is_not_a_file_twice(root: Path, scratch: Path) -> None:
    """The walk agrees with git about every ordinary workspace: ignored folders, links to folders, hard links."""
    for name in ("out", "deep/out", "deep/er"):
        (root / name).mkdir(parents=True)
        (root / name / "x.txt").write_text("x\n")
    commit_all(root)
    os.link(root / "a.txt", root / "b.txt")
    (root / "deep" / "link").symlink_to("er")
    os.mkfifo(root / "deep" / "pipe")
    taken = Session(root, scratch).before
    assert set(taken.files) == {b".gitignore", b"README", b"a.txt", b"b.txt", b"deep/er/x.txt", b"deep/link"}
    assert set(taken.ignored) == {b"out/x.txt", b"deep/out/x.txt"}
