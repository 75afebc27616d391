"""Files: what a power cut may lose, and how the disk is asked to keep the rest."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from sqlalchemy import text

from promptster_collector.store.durable_files import Durability, sync, write_atomically
from promptster_collector.store.engine import Use, control_engine, keystore_engine
from promptster_collector.store.tombstones import LastCheckpoint, TombstoneFolder


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was synchronised, in order: ``file`` or ``folder``; the system is still asked."""
    found: list[str] = []
    real = os.fsync

    def noting(descriptor: int) -> None:
        found.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")  # noqa: PTH112 - a link
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    return found


@pytest.mark.parametrize(
    ("durability", "expected"),
    [(Durability.NONE, []), (Durability.CONTENT, ["file"]), (Durability.NAME, ["file", "folder"])],
)
def test_what_is_promised_is_synchronised(
    tmp_path: Path, synced: list[str], durability: Durability, expected: list[str]
) -> None:
    """The bytes are synchronised before the name, and the name if it is promised."""
    write_atomically(tmp_path / "f", b"x", durability=durability)
    assert synced == expected
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600


def test_a_checkpoint_is_never_torn(tmp_path: Path, synced: list[str]) -> None:
    """The last checkpoint's bytes are on the disk before they take its name, since a torn one would prevent a start."""
    folder = TombstoneFolder(tmp_path)
    last = LastCheckpoint(number=0, size=1, note="n")
    folder.note_checkpoint(last)
    assert "file" in synced
    assert folder.last_checkpoint() == last


def test_macos_is_asked_for_the_disk_itself(tmp_path: Path) -> None:
    """If fsync only reaches the drive's cache, the system call that reaches the disk is made instead."""
    path = tmp_path / "f"
    with path.open("wb") as file:
        flags = fcntl.fcntl(file.fileno(), fcntl.F_GETFD)
        sync(file.fileno(), full_sync=fcntl.F_GETFD)  # any command that the system knows shows that it is asked
        assert flags == fcntl.FD_CLOEXEC
        with pytest.raises(OSError, match="Invalid argument"):
            sync(file.fileno(), full_sync=1 << 20)


@pytest.mark.parametrize("use", list(Use))
def test_every_connection_is_durable(tmp_path: Path, use: Use) -> None:
    """Both databases are fully synchronised for any use, also on macOS, and deleted rows are overwritten."""
    url = f"sqlite:///{tmp_path / 'd.sqlite3'}"
    for engine, least in ((control_engine(url, use), 2), (keystore_engine(url, use), 3)):
        with engine.connect() as connection:
            for pragma, value in (
                ("synchronous", least),
                ("fullfsync", 1),
                ("checkpoint_fullfsync", 1),
                ("secure_delete", 1),
                ("foreign_keys", 1),
            ):
                assert connection.execute(text(f"PRAGMA {pragma}")).scalar_one() == value, pragma
        engine.dispose()
