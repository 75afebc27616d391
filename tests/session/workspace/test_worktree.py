"""Reading a work tree: what belongs to it, and that the repository is not changed and none of its programs runs."""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.helpers.git_repositories import by_path, digest_of, run_git

from promptster.session.workspace.ignored_files import FILES_LIMIT
from promptster.session.workspace.snapshot import HiddenReason, Snapshot
from promptster.session.workspace.worktree import SHOWN_LIMIT, WorkTree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one commit."""
    root = tmp_path / "work"
    root.mkdir()
    run_git(root, "init", "-q")
    (root / "kept.txt").write_text("kept\n")
    (root / "changed.txt").write_text("one\ntwo\n")
    (root / "gone.txt").write_text("gone\n")
    (root / ".gitignore").write_text("*.log\nbuild/\n")
    run_git(root, "add", "-A")
    run_git(root, "commit", "-qm", "first")
    return root


@pytest.fixture
def tree(root: Path, tmp_path: Path) -> WorkTree:
    """The repository's work tree."""
    return WorkTree(root, tmp_path / "scratch")


def test_a_clean_tree_is_the_commits_own_tree(root: Path, tree: WorkTree) -> None:
    """Without changes and untracked files, the tree's name is the one that git gives it."""
    taken = tree.snapshot()
    assert taken.tree == run_git(root, "rev-parse", "HEAD^{tree}")
    assert taken.commit == run_git(root, "rev-parse", "HEAD")
    assert taken.files[b"kept.txt"].sha256 == hashlib.sha256(b"kept\n").hexdigest()


def test_the_diff_is_what_git_would_say(root: Path, tree: WorkTree) -> None:
    """The difference has tracked and untracked files, in text, with modes."""
    before = tree.snapshot()
    (root / "changed.txt").write_text("one\n2\n")
    (root / "gone.txt").unlink()
    (root / "new.txt").write_text("new\n")
    (root / "kept.txt").chmod(0o755)
    after = tree.snapshot()
    changes = tree.changes(before, after)
    assert by_path(changes) == {
        "changed.txt": ("modified", None),
        "gone.txt": ("deleted", None),
        "kept.txt": ("modified", None),
        "new.txt": ("added", None),
    }
    diff = tree.diff(changes)
    assert "-two\n+2\n" in diff
    assert "new mode 100755" in diff
    assert "deleted file mode 100644" in diff
    run_git(root, "add", "-A")
    assert after.tree == run_git(root, "write-tree")


def test_nothing_below_dot_git_changes(root: Path, tree: WorkTree) -> None:
    """Bytes, times and names stay: the index is unchanged, no object is written, no lock is taken."""
    (root / "changed.txt").write_text("staged\n")
    run_git(root, "add", "changed.txt")
    (root / "changed.txt").write_text("and more\n")
    (root / "untracked.txt").write_text("u\n")
    before = digest_of(root)
    first = tree.snapshot()
    (root / "untracked.txt").write_text("v\n")
    changes = tree.changes(first, tree.snapshot())
    assert "-u\n+v\n" in tree.diff(changes)
    (root / "untracked.txt").write_text("u\n")
    after = digest_of(root)
    for name in ("untracked.txt",):
        before.pop(name)
        after.pop(name)
    assert after == before


def test_a_split_index_keeps_its_times(root: Path, tmp_path: Path) -> None:
    """Git updates the times of the shared part whenever it reads it, even for a repository elsewhere."""
    run_git(tmp_path, "clone", "-q", "--separate-git-dir", str(tmp_path / "kept"), str(root), "other")
    for place, repository in ((root, root / ".git"), (tmp_path / "other", tmp_path / "kept")):
        run_git(place, "update-index", "--split-index")
        (shared,) = repository.glob("sharedindex.*")
        os.utime(shared, ns=(1_700_000_000_000_000_001, 1_700_000_000_000_000_002))
        before = digest_of(repository)
        assert b"kept.txt" in WorkTree(place, tmp_path / f"scratch of {place.name}").snapshot().files
        assert digest_of(repository) == before


def test_no_program_of_the_repository_is_run(root: Path, tree: WorkTree, tmp_path: Path) -> None:
    """File system monitor, filters, external diff, text conversion and hooks do not run."""
    witness = tmp_path / "witness"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {witness}\ncat\n")
    script.chmod(0o755)
    for setting in (
        "core.fsmonitor",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "diff.external",
        "diff.evil.textconv",
        "diff.evil.command",
    ):
        run_git(root, "config", setting, str(script))
    run_git(root, "config", "core.hooksPath", str(tmp_path))
    for hook in ("post-index-change", "post-checkout", "pre-commit", "fsmonitor-watchman"):
        (tmp_path / hook).write_text(script.read_text())
        (tmp_path / hook).chmod(0o755)
    (root / ".gitattributes").write_text("*.txt filter=evil diff=evil\n")
    before = tree.snapshot()
    (root / "changed.txt").write_text("one\n2\n")
    changes = tree.changes(before, tree.snapshot())
    assert "+2" in tree.diff(changes)
    assert not witness.exists()


def test_bytes_are_taken_as_they_are(root: Path, tree: WorkTree) -> None:
    """Line endings are not converted, whatever the attributes say."""
    (root / ".gitattributes").write_text("* text=auto eol=lf\n")
    (root / "crlf.txt").write_bytes(b"a\r\nb\r\n")
    taken = tree.snapshot()
    assert taken.files[b"crlf.txt"].sha256 == hashlib.sha256(b"a\r\nb\r\n").hexdigest()


def test_binary_large_and_ignored_files_are_hashes_only(root: Path, tree: WorkTree) -> None:
    """Their content is in no difference; an ignored file that existed before and is unchanged is not listed."""
    (root / "old.log").write_text("secret-old\n")
    (root / "build").mkdir()
    (root / "build" / "out").write_text("secret-build\n")
    before = tree.snapshot()
    (root / "image.bin").write_bytes(b"\x00secret")
    (root / "latin.txt").write_bytes("sécrét".encode("latin-1"))
    (root / "big.txt").write_text("secret" * (SHOWN_LIMIT // 6 + 1))
    (root / "new.log").write_text("secret-new\n")
    changes = tree.changes(before, tree.snapshot())
    assert by_path(changes) == {
        "big.txt": ("added", HiddenReason.LARGE),
        "image.bin": ("added", HiddenReason.BINARY),
        "latin.txt": ("added", HiddenReason.BINARY),
        "new.log": ("ignored", HiddenReason.IGNORED),
    }
    assert "secret" not in tree.diff(changes)
    manifest = {entry["path"]: entry for entry in (change.manifest() for change in changes)}
    assert manifest["new.log"] == {
        "path": "new.log",
        "status": "ignored",
        "size": 11,
        "sha256": hashlib.sha256(b"secret-new\n").hexdigest(),
        "shown": False,
        "reason": "ignored",
    }
    assert manifest["big.txt"]["sha256"] == hashlib.sha256((root / "big.txt").read_bytes()).hexdigest()


def test_a_new_ignored_folder_is_listed_file_by_file(root: Path, tree: WorkTree, tmp_path: Path) -> None:
    """Each has size and hash; links are named by their target and not followed, and our files are left out."""
    before = tree.snapshot()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "private").write_text("private")
    deep = root / "build" / "deep"
    deep.mkdir(parents=True)
    (deep / "out").write_text("made\n")
    (deep / "ours").write_text("ours\n")
    (root / "build" / "linked").symlink_to(tmp_path / "outside")
    os.mkfifo(deep / "pipe")
    changes = tree.changes(before, tree.snapshot({b"build/deep/ours": None}))
    manifest = {entry["path"]: entry for entry in (change.manifest() for change in changes)}
    assert set(manifest) == {"build/deep/out", "build/linked"}
    assert manifest["build/deep/out"] == {
        "path": "build/deep/out",
        "status": "ignored",
        "size": 5,
        "sha256": hashlib.sha256(b"made\n").hexdigest(),
        "shown": False,
        "reason": "ignored",
    }
    assert tree.changes(tree.snapshot(), tree.snapshot({b"build/deep/ours": None})) == []


def test_too_many_ignored_files_are_one_folder_that_says_so(root: Path, tree: WorkTree) -> None:
    """The manifest has its number of files and their size, each time; smaller folders are still listed."""
    (root / ".gitignore").write_text("build/\nmany/\n")
    for folder, number in (("build", 2), ("many", FILES_LIMIT + 1)):
        (root / folder / "inner").mkdir(parents=True)
        for n in range(number):
            (root / folder / "inner" / f"{n}").write_text("xx")
    before = Snapshot(commit="", tree="", files={}, ignored={})
    taken = tree.snapshot()
    assert Snapshot.from_json(taken.to_json()) == taken
    changes = [change for change in tree.changes(before, taken) if change.status == "ignored"]
    assert by_path(changes) == {
        "build/inner/0": ("ignored", HiddenReason.IGNORED),
        "build/inner/1": ("ignored", HiddenReason.IGNORED),
        "many/": ("ignored", HiddenReason.IGNORED_MANY),
    }
    (summary,) = (change.manifest() for change in changes if change.hidden is HiddenReason.IGNORED_MANY)
    assert summary == {
        "path": "many/",
        "status": "ignored",
        "size": 2 * (FILES_LIMIT + 1),
        "sha256": "",
        "shown": False,
        "files": FILES_LIMIT + 1,
        "reason": "ignored, too much to list file by file",
    }
    assert [change.shown_path for change in tree.changes(taken, taken)] == ["many/"]


def test_the_private_repository_is_private(root: Path, tree: WorkTree, tmp_path: Path) -> None:
    """Whatever the umask, no other user can read a candidate's files in our folder."""
    old = os.umask(0)
    try:
        (root / "new.txt").write_text("new\n")
        taken = tree.snapshot()
        tree.diff(tree.changes(Snapshot(commit="", tree="", files={}, ignored={}), taken))
    finally:
        os.umask(old)
    scratch = tmp_path / "scratch"
    for path in (scratch, *scratch.rglob("*")):
        assert path.lstat().st_mode & 0o077 == 0, path


def test_links_are_links_and_nobody_looks_behind_them(root: Path, tree: WorkTree, tmp_path: Path) -> None:
    """A link's content is its target's name; files in a linked folder are not part of the tree."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "private.txt").write_text("private\n")
    (root / "folder").mkdir()
    (root / "folder" / "private.txt").write_text("mine\n")
    run_git(root, "add", "-A")
    before = tree.snapshot()
    (root / "folder" / "private.txt").unlink()
    (root / "folder").rmdir()
    (root / "folder").symlink_to(outside)
    (root / "link").symlink_to(outside / "private.txt")
    (root / "loop").symlink_to("loop")
    changes = tree.changes(before, tree.snapshot())
    assert by_path(changes) == {
        "folder": ("added", None),
        "folder/private.txt": ("deleted", None),
        "link": ("added", None),
        "loop": ("added", None),
    }
    assert "+private" not in tree.diff(changes)


def test_odd_names_survive(root: Path, tree: WorkTree) -> None:
    """Quotes, newlines and bytes that are not UTF-8 are paths like others."""
    names = [b'quo"te', b"new\nline", b"latin-\xe9", b" space ", b":colon", b"-dash"]
    before = tree.snapshot()
    for name in names:
        (root / os.fsdecode(name)).write_text("x\n")
    after = tree.snapshot()
    assert {change.path for change in tree.changes(before, after)} == set(names)
    assert Snapshot.from_json(after.to_json()) == after
    assert "latin-\\xe9" in by_path(tree.changes(before, after))


def test_files_can_be_taken_as_they_will_be_put_back(root: Path, tree: WorkTree) -> None:
    """Our own entries in a file of the workspace are in neither tree nor difference."""
    (root / "settings.json").write_text("theirs\n")
    before = tree.snapshot()
    (root / "settings.json").write_text("ours\n")
    (root / "made.json").write_text("ours\n")
    after = tree.snapshot({b"settings.json": b"theirs\n", b"made.json": None})
    assert tree.changes(before, after) == []
    assert after.tree == before.tree


def test_an_empty_repository_has_the_empty_tree(tmp_path: Path) -> None:
    """A repository without a commit is accepted."""
    root = tmp_path / "work"
    root.mkdir()
    run_git(root, "init", "-q")
    taken = WorkTree(root, tmp_path / "scratch").snapshot()
    assert (taken.commit, taken.tree) == ("", "4b825dc642cb6eb9a060e54bf8d69288fbee4904")


def test_a_repository_with_sha256_names_works(tmp_path: Path) -> None:
    """The private repository uses the same object format."""
    root = tmp_path / "work"
    root.mkdir()
    run_git(root, "init", "-q", "--object-format=sha256")
    (root / "a.txt").write_text("a\n")
    run_git(root, "add", "-A")
    tree = WorkTree(root, tmp_path / "scratch")
    before = tree.snapshot()
    assert before.tree == run_git(root, "write-tree")
    (root / "a.txt").write_text("b\n")
    assert "-a\n+b\n" in tree.diff(tree.changes(before, tree.snapshot()))


def test_content_that_nobody_has_is_said(root: Path, tree: WorkTree, tmp_path: Path) -> None:
    """A session that kept less reads the content from the repository; what is missing there too is named."""
    before = tree.snapshot()
    shutil.rmtree(tmp_path / "scratch")
    (root / "changed.txt").write_text("other\n")
    fresh = WorkTree(root, tmp_path / "scratch")
    changes = fresh.changes(before, fresh.snapshot(before=before))
    assert "-two\n" in fresh.diff(changes)
    shutil.rmtree(tmp_path / "scratch")
    shutil.rmtree(root / ".git")
    run_git(root, "init", "-q")
    fresh = WorkTree(root, tmp_path / "scratch")
    changes = fresh.changes(before, fresh.snapshot(before=before))
    assert by_path(changes) == {"changed.txt": ("modified", HiddenReason.GONE)}
    assert fresh.diff(changes) == ""


def test_a_linked_work_tree_works(root: Path, tmp_path: Path) -> None:
    """Its .git is a file, and its objects are found in the main repository."""
    run_git(root, "worktree", "add", "-q", str(tmp_path / "linked"))
    tree = WorkTree(tmp_path / "linked", tmp_path / "scratch")
    before = tree.snapshot()
    assert before.tree == run_git(root, "rev-parse", "HEAD^{tree}")
    (tmp_path / "linked" / "kept.txt").write_text("other\n")
    assert "+other" in tree.diff(tree.changes(before, tree.snapshot()))
