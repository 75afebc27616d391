"""Opening a data folder: it must be complete and of this version, and one process has it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.helpers.site import OwnedClock

from promptster_collector.errors import SetupError
from promptster_collector.settings import Settings
from promptster_collector.store.data_folder import FolderLock
from promptster_collector.store.durable_files import Durability, write_atomically
from promptster_collector.store.store import Store


def test_half_a_folder_is_refused(data: Path) -> None:
    """The missing part is named, so that a restore without the key store does not start with an empty one."""
    for name in ("keystore", "tombstones"):
        shutil.move(data / name, data.with_name("away"))
        with pytest.raises(SetupError, match=name):
            Store.open(Settings(data=data))
        shutil.move(data.with_name("away"), data / name)
    Store.open(Settings(data=data)).close()


def test_another_format_is_refused(data: Path) -> None:
    """A folder of a later version is left alone."""
    (data / "settings.json").write_text('{"format": 2}')
    with pytest.raises(SetupError, match="another version"):
        Store.open(Settings(data=data))


def test_init_never_overwrites(data: Path) -> None:
    """Neither a finished folder nor one with a master key is set up again."""
    with pytest.raises(SetupError, match="already"):
        Store.create(Settings(data=data), OwnedClock())
    (data / "settings.json").unlink()
    with pytest.raises(SetupError, match="interrupted"):
        Store.create(Settings(data=data), OwnedClock())


def test_one_process_works_on_a_folder(data: Path) -> None:
    """The lock is held until it is released."""
    lock = FolderLock(Settings(data=data))
    with pytest.raises(SetupError, match="another collector"):
        FolderLock(Settings(data=data))
    lock.release()
    FolderLock(Settings(data=data)).release()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A failed write leaves the old file and no draft."""
    path = tmp_path / "f"
    write_atomically(path, b"old", durability=Durability.NAME)
    with pytest.raises(TypeError):
        write_atomically(path, "text", durability=Durability.NAME)  # type: ignore[arg-type]
    assert [file.name for file in tmp_path.iterdir()] == ["f"]
    assert path.read_bytes() == b"old"
