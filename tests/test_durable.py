"""What is written durably: whole or not at all, with private modes, and flushed by the drive itself."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from promptster.durable import make_missing_folders, sync, sync_folder, write_private

if TYPE_CHECKING:
    from pathlib import Path

F_FULLFSYNC = 51
"""From macOS's ``sys/fcntl.h``."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that asked the system to make something durable."""
    calls: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return calls


def test_a_private_file_is_whole_private_and_synced_with_its_folder(tmp_path: Path, asked: list[str]) -> None:
    """Mode 0600 in folders of mode 0700; first the file is synced, then the folder that names it."""
    path = tmp_path / "a" / "b" / "settings.json"
    write_private(path, b"one")
    write_private(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (path.parent, path.parent.parent)} == {0o700}
    assert asked == ["file", "folder"] * 2
    assert [entry.name for entry in path.parent.iterdir()] == ["settings.json"]


def test_a_drive_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old content stays, nothing else is left, and the caller gets the error."""
    path = tmp_path / "kept"
    write_private(path, b"old")

    def refuse(_handle: int) -> None:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="no"):
        write_private(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_never_replaces_another(tmp_path: Path) -> None:
    """``new`` requires that the name is free."""
    path = tmp_path / "kept"
    write_private(path, b"old", new=True)
    with pytest.raises(FileExistsError):
        write_private(path, b"new", new=True)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("refusal", "by_fsync"), [(None, False), (errno.ENOTSUP, True), (errno.EINVAL, True), (errno.ENOTTY, True)]
)
def test_on_macos_the_drives_own_cache_is_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str], refusal: int | None, *, by_fsync: bool
) -> None:
    """``fsync`` is used only if the file system does not know the stronger call."""
    commands: list[int] = []

    def answer(_handle: int, command: int) -> int:
        commands.append(command)
        if refusal is not None:
            raise OSError(refusal, "no")
        return 0

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "fcntl", answer)
    with (tmp_path / "f").open("wb") as file:
        sync(file.fileno())
    assert commands == [F_FULLFSYNC]
    assert asked == (["file"] if by_fsync else [])


def test_on_macos_a_failing_drive_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure of the stronger call the weaker one is not tried."""

    def refuse(_handle: int, _command: int) -> int:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    with pytest.raises(OSError, match="no"):
        sync_folder(tmp_path)


def test_a_folder_is_made_with_all_that_is_missing_above_it(tmp_path: Path) -> None:
    """Existing folders keep their mode."""
    tmp_path.chmod(0o755)
    make_missing_folders(tmp_path / "a" / "b")
    modes = [stat.S_IMODE(folder.stat().st_mode) for folder in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")]
    assert modes == [0o755, 0o700, 0o700]
