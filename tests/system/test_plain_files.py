"""Opening, replacing and removing files in a folder that another process changes at the same time."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from promptster.system import plain_files
from promptster.system.plain_files import (
    NotPlainError,
    facts_of,
    read_plain,
    read_regular,
    remove_empty_folder,
    remove_plain,
    replace_plain,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = ".claude/settings.json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace with one file, and a folder outside with another of the same name."""
    root = tmp_path / "work"
    for folder in (root / ".claude", tmp_path / "outside"):
        folder.mkdir(parents=True)
        (folder / "settings.json").write_bytes(folder.name.encode())
    return root


def linked_file(root: Path) -> None:
    """Replace the file with a link."""
    (root / NAME).unlink()
    (root / NAME).symlink_to(root.parent / "outside" / "settings.json")


def linked_folder(root: Path) -> None:
    """Replace the folder with a link."""
    (root / ".claude").rename(root / "away")
    (root / ".claude").symlink_to(root.parent / "outside")


def linked_root(root: Path) -> None:
    """Replace the workspace itself with a link."""
    root.rename(root.parent / "away")
    (root.parent / "other" / ".claude").mkdir(parents=True)
    (root.parent / "other" / NAME).write_bytes(b"other")
    root.symlink_to(root.parent / "other")


def piped(root: Path) -> None:
    """Replace the file with a named pipe, to which nobody writes."""
    (root / NAME).unlink()
    os.mkfifo(root / NAME)


def socketed(root: Path) -> None:
    """Replace the file with a socket."""
    (root / NAME).unlink()
    here = os.open(root / ".claude", os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{here}/settings.json")
    os.close(here)


def foldered(root: Path) -> None:
    """Replace the file with a folder."""
    (root / NAME).unlink()
    (root / NAME).mkdir()


def all_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every entry below a folder: its kind, and the content of regular files."""
    return {
        str(path.relative_to(folder)): (
            stat.S_IFMT(path.lstat().st_mode),
            path.read_bytes() if stat.S_ISREG(path.lstat().st_mode) else b"",
        )
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("change", [linked_file, linked_folder, linked_root, piped, socketed, foldered])
def test_what_is_no_file_is_neither_read_nor_changed(root: Path, change: Callable[[Path], None]) -> None:
    """It is named without waiting, and every file and link is unchanged, in the workspace and outside."""
    change(root)
    before = all_of(root.parent)
    with pytest.raises(NotPlainError, match=r"symbolic link|not a file") as refused:
        read_plain(root, NAME)
    assert refused.value.hint
    assert refused.value.place in {root, root / ".claude", root / NAME}
    with pytest.raises(NotPlainError):
        facts_of(root, NAME)
    with pytest.raises(NotPlainError):
        replace_plain(root, NAME, b"new", mode=0o600)
    with pytest.raises(NotPlainError):
        remove_plain(root, NAME)
    assert all_of(root.parent) == before


@pytest.mark.parametrize("name", ["../outside/settings.json", "/etc/passwd", ".claude/../../outside/settings.json", ""])
def test_a_path_stays_below_its_root(root: Path, name: str) -> None:
    """No path leads up or elsewhere."""
    with pytest.raises(NotPlainError):
        read_plain(root, name)
    with pytest.raises(NotPlainError):
        replace_plain(root, name, b"new", mode=0o600)


def test_what_is_missing_is_none(root: Path) -> None:
    """A missing file, folder or root, or a file in a folder's place, gives ``None``; removing one does nothing."""
    (root / "file").write_bytes(b"")
    for name in ("none.json", "none/none.json", "file/none.json"):
        assert read_plain(root, name) is None
        assert facts_of(root, name) is None
        remove_plain(root, name)
    assert read_plain(root / "gone", NAME) is None


def test_content_mode_and_times_are_given_at_once(root: Path) -> None:
    """Folders are made on the way, what a crash left is replaced, and no other name stays."""
    (root / ".claude" / ".settings.json.promptster-new").write_bytes(b"half")
    replace_plain(root, NAME, b"new", mode=0o640, times_ns=(1_000, 2_000))
    facts = facts_of(root, NAME)
    assert facts is not None
    assert (stat.S_IMODE(facts.st_mode), facts.st_mtime_ns) == (0o640, 2_000)
    replace_plain(root, "a/b/c.json", b"deep", mode=0o600)
    assert read_plain(root, "a/b/c.json") == b"deep"
    remove_plain(root, NAME)
    assert sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()) == ["a/b/c.json"]


def test_a_file_without_end_is_refused(root: Path) -> None:
    """A sparse file is easy to make and would fill the memory of its reader."""
    os.truncate(root / NAME, 1 << 40)
    with pytest.raises(NotPlainError, match="larger than 16 MiB"):
        read_plain(root, NAME)


def test_a_file_that_is_replaced_between_look_and_open_is_seen(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that was opened counts, not the one that had the name before."""
    real = plain_files.look_at
    looked: list[str] = []

    def then_pipe(folder: int, name: str) -> os.stat_result | None:
        facts = real(folder, name)
        if name == "settings.json" and not looked:
            looked.append(name)
            piped(root)
        return facts

    monkeypatch.setattr(plain_files, "look_at", then_pipe)
    with pytest.raises(NotPlainError, match="named pipe"):
        read_plain(root, NAME)


def test_a_settings_file_may_be_a_link_and_nothing_else_is_waited_for(root: Path) -> None:
    """A link that its own program follows is followed; a pipe, a folder or an endless file is an error at once."""
    linked_file(root)
    assert read_regular(root / NAME) == b"outside"
    (root / NAME).unlink()
    os.mkfifo(root / "pipe")
    for target in ("pipe", ".claude", "loop"):
        (root / "loop").unlink(missing_ok=True)
        (root / "loop").symlink_to(target)
        with pytest.raises(OSError, match=r"regular file|symbolic links"):
            read_regular(root / "loop")
    (root / "sparse").touch()
    os.truncate(root / "sparse", 1 << 40)
    with pytest.raises(OSError, match="usual size"):
        read_regular(root / "sparse")
    with pytest.raises(FileNotFoundError):
        read_regular(root / "none")


def test_only_an_empty_folder_is_removed(root: Path) -> None:
    """A folder reached through a link stays, and so does one that contains a file."""
    (root / "a" / "b").mkdir(parents=True)
    (root / "link").symlink_to(root / "a")
    with pytest.raises(NotPlainError):
        remove_empty_folder(root, "link/b")
    with pytest.raises(OSError, match="not empty"):
        remove_empty_folder(root, "a")
    remove_empty_folder(root, "a/b")
    assert list((root / "a").iterdir()) == []


def test_no_descriptor_is_left_open(root: Path) -> None:
    """Neither success nor refusal leaves one open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in (NAME, "none/none.json", "../x", ".claude"):
        try:
            read_plain(root, name)
            replace_plain(root, name, b"x", mode=0o600)
        except NotPlainError:
            continue
    linked_folder(root)
    with pytest.raises(NotPlainError):
        read_plain(root, NAME)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
