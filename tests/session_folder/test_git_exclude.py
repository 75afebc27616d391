"""Our lines in ``.git/info/exclude`` are added, keep our files out of commits, and are removed without a trace."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from promptster.errors import WorkspaceError
from promptster.session_folder.git_exclude import hide, is_tracked, require_hideable, show_again

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLAUDE, CURSOR = ".claude/settings.local.json", ".cursor/hooks.json"


def _git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return subprocess.run(
        ["git", *who, *words], cwd=folder, env=environ, check=True, capture_output=True, text=True, encoding="utf-8"
    ).stdout


def _hide(work: Path) -> None:
    hide(work, CLAUDE)


def _files(work: Path) -> None:
    for relative in (CLAUDE, CURSOR):
        (work / relative).parent.mkdir(exist_ok=True)
        (work / relative).write_text("token")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A repository with both files in it."""
    made = tmp_path / "work"
    made.mkdir()
    _git(made, "init", "-q")
    _files(made)
    return made


@pytest.mark.parametrize(
    "before", [None, b"", b"# mine\n/build\n", b"no newline at its end", b"\n", b"a\r\nb\r\n", b"\xff\n"]
)
def test_they_come_and_go(work: Path, before: bytes | None) -> None:
    """With any list or none, git ignores both files meanwhile, and afterwards the bytes are as before."""
    exclude = work / ".git" / "info" / "exclude"
    exclude.unlink()
    if before is None:
        exclude.parent.rmdir()
    else:
        exclude.write_bytes(before)
        exclude.chmod(0o640)
    assert "settings.local.json" in _git(work, "status", "--porcelain", "-uall")
    for relative in (CLAUDE, CURSOR, CLAUDE):
        hide(work, relative)
    assert _git(work, "status", "--porcelain", "-uall") == ""
    show_again(work)
    if before is None:
        assert not exclude.parent.exists()
    else:
        assert exclude.read_bytes() == before
        assert exclude.stat().st_mode & 0o777 == 0o640
    show_again(work)


@pytest.mark.parametrize("end", ["\n", ""])
def test_what_somebody_writes_meanwhile_stays(work: Path, end: str) -> None:
    """Lines of others before and after ours stay, even if our end marker is lost."""
    exclude = work / ".git" / "info" / "exclude"
    exclude.write_text(f"/before{end}")
    hide(work, CLAUDE)
    text = exclude.read_text()
    exclude.write_text("/first\n" + text.replace("# <<< promptster\n", "") + "/behind\n")
    hide(work, CURSOR)
    show_again(work)
    assert exclude.read_text() == "/first\n/before\n/behind\n"


def test_a_list_that_somebody_filled_is_not_removed(work: Path) -> None:
    """The list did not exist before, but it has other people's lines now."""
    exclude = work / ".git" / "info" / "exclude"
    exclude.unlink()
    hide(work, CLAUDE)
    exclude.write_text(exclude.read_text() + "/theirs\n")
    show_again(work)
    assert exclude.read_text() == "/theirs\n"


def test_a_linked_work_tree_and_a_folder_inside(work: Path, tmp_path: Path) -> None:
    """``.git`` may be a file, and the workspace a part of its repository."""
    _git(work, "commit", "-q", "--allow-empty", "-m", "first")
    linked = tmp_path / "linked"
    _git(work, "worktree", "add", "-q", str(linked))
    inside = linked / "a [b]"
    inside.mkdir()
    _files(inside)
    before = (work / ".git" / "info" / "exclude").read_bytes()
    hide(inside, CLAUDE)
    hide(inside, CURSOR)
    assert _git(linked, "status", "--porcelain", "-uall") == ""
    assert "settings.local.json" in _git(work, "status", "--porcelain", "-uall")
    show_again(inside)
    assert (work / ".git" / "info" / "exclude").read_bytes() == before


@pytest.mark.parametrize("what", ["link", "pipe", "folder", "linked folder"])
def test_no_link_is_followed_and_no_pipe_waited_for(work: Path, tmp_path: Path, what: str) -> None:
    """The target of a link in a hostile repository is not written to, and the error comes at once."""
    info = work / ".git" / "info"
    exclude, outside = info / "exclude", tmp_path / "outside"
    outside.mkdir()
    (outside / "exclude").write_text("theirs\n")
    exclude.unlink()
    if what == "link":
        exclude.symlink_to(outside / "exclude")
    elif what == "pipe":
        os.mkfifo(exclude)
    elif what == "folder":
        exclude.mkdir()
    else:
        info.rmdir()
        info.symlink_to(outside)
    acts: tuple[Callable[[Path], None], ...] = (require_hideable, _hide)
    for act in acts:
        with pytest.raises(WorkspaceError) as refused:
            act(work)
        assert refused.value.code == "ide_exclude"
    show_again(work)
    assert (outside / "exclude").read_text() == "theirs\n"
    assert [path.name for path in outside.iterdir()] == ["exclude"]


def test_without_a_repository_there_is_nothing_to_hide(tmp_path: Path) -> None:
    """No list is made in a place that git does not read."""
    hide(tmp_path, CLAUDE)
    require_hideable(tmp_path)
    show_again(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_leftover_of_a_crash_is_in_nobodys_way(work: Path) -> None:
    """After a crash between two steps, the next time works."""
    (work / ".git" / "info" / ".exclude.promptster-new").write_text("half")
    hide(work, CLAUDE)
    show_again(work)
    assert not (work / ".git" / "info" / ".exclude.promptster-new").exists()


def test_a_tracked_file_is_known(work: Path) -> None:
    """Ignoring has no effect on a tracked file."""
    assert not is_tracked(work, CLAUDE)
    _git(work, "add", CLAUDE)
    assert is_tracked(work, CLAUDE)


def test_a_workspace_that_is_yet_to_be_made_holds_nothing(tmp_path: Path) -> None:
    """A start checks its editors' files before it makes the folder."""
    assert not is_tracked(tmp_path / "new", CLAUDE)
    require_hideable(tmp_path / "new")
    show_again(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_the_workspaces_place_is_not_followed(work: Path) -> None:
    """The link leads to another repository, whose files are not ours."""
    _hide(work)
    other = work.parent / "other"
    work.rename(work.parent / "away")
    _git(work.parent, "clone", "-q", str(work.parent / "away"), str(other))
    list_of_other = other / ".git" / "info" / "exclude"
    list_of_other.write_bytes((work.parent / "away" / ".git" / "info" / "exclude").read_bytes())
    before = list_of_other.read_bytes()
    work.symlink_to(other)
    show_again(work)
    assert list_of_other.read_bytes() == before
    work.unlink()
    (work.parent / "away").rename(work)
    show_again(work)
    assert b"promptster" not in (work / ".git" / "info" / "exclude").read_bytes()
