"""The computer's own disk through its interface, and the operations built on it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from tests.helpers.disk import MemoryDisk, PowerLossError, seeded

from promptster.journal.disk import SystemFiles, write_all, write_whole


def test_files_are_private_and_append_only(tmp_path: Path) -> None:
    """Files are 0600 from the first byte, written at the end whatever others did, never through a symbolic link."""
    files = SystemFiles()
    path = tmp_path / "f"
    handle = files.open_append(path, create=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    write_all(files, handle, b"one")
    other = files.open_append(path, create=False)
    write_all(files, other, b"two")
    write_all(files, handle, b"three")
    files.sync(handle)
    assert files.read(path) == b"onetwothree"
    files.close(handle)
    files.close(other)
    with pytest.raises(FileExistsError):
        files.open_append(path, create=True)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError, match="symbolic links"):
        files.open_append(tmp_path / "link", create=False)


def test_folders_and_names(tmp_path: Path) -> None:
    """A missing folder has no names, a new one and its parents are 0700, and a missing name counts as removed."""
    files = SystemFiles()
    deep = tmp_path / "a" / "b"
    assert files.names(deep) == []
    files.make_folder(deep)
    files.make_folder(deep)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (deep.parent, deep)] == [0o700, 0o700]
    for name in ("z", "y"):
        (deep / name).touch()
    assert files.names(deep) == ["y", "z"]
    files.rename(deep / "y", deep / "z")
    files.unlink(deep / "y")
    assert files.names(deep) == ["z"]
    files.sync_folder(deep)
    assert files.free_bytes(deep) > 0


def test_children_inherit_nothing(tmp_path: Path) -> None:
    """No handle reaches a child process."""
    files = SystemFiles()
    handle = files.open_append(tmp_path / "f", create=True)
    assert not os.get_inheritable(handle)
    files.close(handle)


def test_a_whole_write_is_the_old_or_the_new(tmp_path: Path) -> None:
    """On the real disk a file is replaced in one step, and no other file is left."""
    files = SystemFiles()
    path = tmp_path / "f"
    write_whole(files, path, b"old")
    write_whole(files, path, b"new")
    assert path.read_bytes() == b"new"
    assert files.names(tmp_path) == ["f"]


@pytest.mark.parametrize("word", ["open", "write", "sync", "rename", "sync_folder"])
def test_a_whole_write_that_fails_leaves_no_half(word: str) -> None:
    """Whichever call fails, the name has the old bytes or all of the new ones, and another try works."""
    disk = MemoryDisk()
    path = Path("/f")
    write_whole(disk, path, b"old")

    def fail(name: str, _number: int) -> None:
        if name == word:
            raise OSError(errno.EIO, "refused")

    disk.on_call = fail
    with pytest.raises(OSError, match="refused"):
        write_whole(disk, path, b"newer")
    assert disk.read(path) == (b"newer" if word == "sync_folder" else b"old")
    disk.on_call = None
    write_whole(disk, path, b"newest")
    assert disk.read(path) == b"newest"


@pytest.mark.parametrize("seed", range(60))
def test_power_loss_never_shows_half_a_file(seed: int) -> None:
    """After a power loss at any call, the name has the old bytes or the new ones."""
    chance = seeded(seed)
    disk = MemoryDisk()
    path = Path("/f")
    write_whole(disk, path, b"old")
    stop_at = disk.calls + chance.randint(1, 6)

    def stop(_name: str, number: int) -> None:
        if number >= stop_at:
            raise PowerLossError

    disk.on_call = stop
    try:
        write_whole(disk, path, b"something new")
        done = True
    except PowerLossError:
        done = False
    disk.on_call = None
    after = disk.crash(chance)
    assert after.read(path) in ([b"something new"] if done else [b"old", b"something new"])
