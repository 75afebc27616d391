"""A hostile folder tries to run its programs, to have files outside it read, or to make us wait or read for ever."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

import pytest
from tests.helpers.git_repositories import run_git
from tests.helpers.trees import Session, commit_all, make

from promptster.errors import WorkspaceError
from promptster.session.workspace.snapshot import HiddenReason
from promptster.session.workspace.worktree import SHOWN_LIMIT, WorkTree, WorkTreeLimits
from promptster.system.git import GitTimeoutError, GitTiming

if TYPE_CHECKING:
    from pathlib import Path


def test_names_from_a_forged_index_lead_nowhere(root: Path, scratch: Path, tmp_path: Path) -> None:
    """A hostile repository cannot have files outside the workspace or below ``.git`` read into the submission."""
    (tmp_path / "secret").write_text("outside\n")
    fits = "../secret"
    (root / ("x" * len(fits))).write_text("x\n")
    (root / "yyyyyyyyyyy").write_text("y\n")
    run_git(root, "add", "-A")
    index = root / ".git" / "index"
    data = index.read_bytes()[:-20].replace(b"x" * len(fits), fits.encode()).replace(b"yyyyyyyyyyy", b".git/config")
    run_git(root, "config", "index.skipHash", "true")
    index.write_bytes(data + bytes(20))
    assert fits in run_git(root, "ls-files")
    taken = WorkTree(root, scratch).snapshot()
    assert b"../secret" not in taken.files
    assert not any(b".git/" in path for path in taken.files)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_of_another_user_says_what_helps(root: Path, scratch: Path) -> None:
    """Git's own reason and the command that it names are shown; one inside the workspace is read all the same."""
    session = Session(root, scratch)
    make(root / "nested", **{"n.py": "n\n"})
    for path in (root / "nested", *(root / "nested").rglob("*")):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    assert session.submitted()[0] == {"nested/n.py": ("added", None)}
    for path in (root, *root.rglob("*")):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    with pytest.raises(WorkspaceError, match="dubious ownership") as refused:
        session.submitted()
    assert refused.value.code == "workspace_owner"
    assert f"git config --global --add safe.directory {root}" in (refused.value.hint or "")


def hostile_script(tmp_path: Path) -> tuple[str, Path]:
    """A program that leaves a file if it runs."""
    script, witness = tmp_path / "script", tmp_path / "witness"
    script.write_text(f"#!/bin/sh\ntouch {witness}\ncat\n")
    script.chmod(0o755)
    return str(script), witness


def test_no_program_of_a_repository_inside_is_run(root: Path, scratch: Path, tmp_path: Path) -> None:
    """A nested repository brings its own configuration, and none of its programs runs."""
    script, witness = hostile_script(tmp_path)
    make(root / "task", **{"app.py": "x = 1\n"})
    for setting in (
        "core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "core.askPass", "core.gitProxy",
        "filter.evil.clean", "filter.evil.process", "diff.external", "diff.evil.textconv", "diff.evil.command",
        "alias.ls-files", "alias.rev-parse", "pager.ls-files", "gpg.program", "credential.helper",
    ):  # fmt: skip
        run_git(root / "task", "config", setting, script)
    run_git(root / "task", "config", "core.hooksPath", str(tmp_path))
    for hook in ("post-index-change", "fsmonitor-watchman"):
        shutil.copy(script, tmp_path / hook)
    (root / "task" / ".gitattributes").write_text("* filter=evil diff=evil\n")
    session = Session(root, scratch)
    (root / "task" / "app.py").write_text("x = 2\n")
    assert "+x = 2" in session.submitted()[1]
    assert not witness.exists()


@pytest.mark.parametrize("inside", [False, True])
def test_nothing_is_fetched_for_a_partial_clone(root: Path, scratch: Path, tmp_path: Path, *, inside: bool) -> None:
    """A missing object would be fetched by a program that the repository's own configuration names."""
    script, witness = hostile_script(tmp_path)
    if inside:
        make(root / "task", **{"app.py": "x = 1\n"})
    target = root / "task" if inside else root
    (target / "sub").mkdir()
    (target / "sub" / ".gitignore").write_text("*.tmp\n")
    (target / "sub" / "x.txt").write_text("x\n")
    commit_all(target)
    blob = run_git(target, "rev-parse", "HEAD:sub/.gitignore")
    run_git(target, "update-index", "--skip-worktree", "sub/.gitignore")
    (target / "sub" / ".gitignore").unlink()
    (target / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    run_git(target, "config", "remote.origin.url", f"ext::{script}")
    for key, value in (
        ("remote.origin.promisor", "true"),
        ("extensions.partialClone", "origin"),
        ("core.repositoryFormatVersion", "1"),
        ("protocol.ext.allow", "always"),
        ("protocol.allow", "always"),
    ):
        run_git(target, "config", key, value)
    (target / "sub" / "y.tmp").write_text("y\n")
    session = Session(root, scratch)
    (target / "sub" / "x.txt").write_text("new\n")
    assert "+new" in session.submitted()[1]
    assert not witness.exists()


@pytest.mark.parametrize("place", [".gitignore", "task/.git/HEAD", ".git/info/exclude"])
def test_a_pipe_that_blocks_git_is_named(root: Path, scratch: Path, place: str) -> None:
    """Nobody writes into the pipe, so git would never finish; the error names it."""
    make(root / "task", **{"app.py": "x = 1\n"})
    (root / place).unlink(missing_ok=True)
    (root / place).parent.mkdir(exist_ok=True)
    os.mkfifo(root / place)
    limits = WorkTreeLimits(git=GitTiming(search_after_s=0.3, blocked_s=0.3))
    with pytest.raises(GitTimeoutError, match="git timed out in") as refused:
        Session(root, scratch, limits=limits)
    assert refused.value.code == "git_timeout"
    assert f"{root / place} is a named pipe" in (refused.value.hint or "")


def test_nothing_but_files_and_links_is_read(root: Path, scratch: Path) -> None:
    """A pipe, a socket or a device in a file's place is neither waited for nor opened."""
    session = Session(root, scratch)
    for name, kind in (("a.txt", stat.S_IFIFO), ("same.txt", stat.S_IFSOCK), ("pipe", stat.S_IFIFO)):
        (root / name).unlink(missing_ok=True)
        os.mknod(root / name, 0o600 | kind)
    assert session.submitted()[0] == {"a.txt": ("deleted", None), "same.txt": ("deleted", None)}


def test_a_file_of_any_size_costs_little(root: Path, scratch: Path) -> None:
    """A sparse file claims terabytes; it is named by its size, each time, and never called unchanged."""
    (root / "huge.bin").touch()
    os.truncate(root / "huge.bin", 1 << 43)
    session = Session(root, scratch)
    assert session.submitted()[0] == {"huge.bin": ("modified", HiddenReason.UNHASHED)}
    for name in ("m1", "m2"):
        (root / name).write_bytes(b"x" * (2 * SHOWN_LIMIT))
    (root / "huge.bin").unlink()
    limits = WorkTreeLimits(hashed_bytes=3 * SHOWN_LIMIT)
    changes = {change.shown_path: change for change in session.changes(limits=limits)[0]}
    assert (changes["m1"].hidden, changes["m2"].hidden) == (HiddenReason.LARGE, HiddenReason.UNHASHED)
    assert changes["m2"].manifest()["size"] == 2 * SHOWN_LIMIT
    assert changes["m1"].manifest()["sha256"]


def test_a_folder_that_becomes_a_link_shows_nothing_of_the_other_place(
    root: Path, scratch: Path, tmp_path: Path
) -> None:
    """Tracked files in it count as deleted, and files of the same names in the other folder are not submitted."""
    (root / "part").mkdir()
    (root / "part" / "x.py").write_text("x\n")
    commit_all(root)
    make(tmp_path / "private", **{"x.py": "private\n"})
    session = Session(root, scratch)
    shutil.rmtree(root / "part")
    (root / "part").symlink_to(tmp_path / "private")
    changes, diff = session.submitted()
    assert changes == {"part": ("added", None), "part/x.py": ("deleted", None)}
    assert "+private" not in diff


def test_a_workspace_that_became_a_link_is_not_read(root: Path, scratch: Path, tmp_path: Path) -> None:
    """Another folder in its place is not read; with the original put back, all is as before."""
    session = Session(root, scratch)
    make(tmp_path / "other", **{"a.txt": "other\n"})
    root.rename(tmp_path / "away")
    root.symlink_to(tmp_path / "other")
    with pytest.raises(WorkspaceError, match="is a symbolic link"):
        session.submitted()
    root.unlink()
    with pytest.raises(WorkspaceError, match="is gone"):
        session.submitted()
    (tmp_path / "away").rename(root)
    assert session.submitted()[0] == {}


def test_an_ignored_repository_is_listed_by_its_hashes(root: Path, scratch: Path) -> None:
    """Ignored files are named one by one, except those in its ``.git``."""
    session = Session(root, scratch)
    make(root / "out", **{"made.txt": "made\n"})
    changes, diff = session.submitted()
    assert changes == {"out/made.txt": ("ignored", HiddenReason.IGNORED)}
    assert "made" not in diff
