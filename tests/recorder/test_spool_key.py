"""The recorder's half of the spool's key: written whole, once, and replaced if it is damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from promptster import durable
from promptster.recorder.spool_key import write_spool_key
from promptster_hooks import spool

if TYPE_CHECKING:
    from pathlib import Path

_KEY = bytes(range(32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty spool."""
    (tmp_path / "spool").mkdir(mode=0o700)
    return tmp_path / "spool"


def test_the_key_is_written_once(folder: Path) -> None:
    """Writing the same key again changes nothing: hooks may be reading the file."""
    write_spool_key(folder, _KEY)
    file = (folder / "key").stat().st_ino
    write_spool_key(folder, _KEY)
    assert (folder / "key").stat().st_ino == file
    assert [path.name for path in folder.iterdir()] == ["key"]


@pytest.mark.parametrize("there", [b"", _KEY[:31], _KEY + b"x", bytes(32)])
def test_a_key_that_is_not_the_sessions_is_replaced(tmp_path: Path, folder: Path, there: bytes) -> None:
    """Half a key, as a crash leaves it, is replaced; a link in its place is not followed."""
    (tmp_path / "elsewhere").write_bytes(there)
    (folder / "key").write_bytes(there)
    write_spool_key(folder, _KEY)
    assert spool.read_key(str(folder)) == _KEY
    (folder / "key").unlink()
    (folder / "key").symlink_to(tmp_path / "elsewhere")
    write_spool_key(folder, _KEY)
    assert (tmp_path / "elsewhere").read_bytes() == there
    assert (folder / "key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_cannot_be_written_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk refuses, there is no key rather than half a key."""

    def refuse(*_: object) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(durable, "sync", refuse)
    with pytest.raises(OSError, match="no space"):
        write_spool_key(folder, _KEY)
    assert list(folder.iterdir()) == []


def test_a_folder_that_others_may_enter_gets_no_key(folder: Path) -> None:
    """A key is not written where another user could read what lies next to it."""
    folder.chmod(0o755)
    with pytest.raises(PermissionError):
        write_spool_key(folder, _KEY)
    assert list(folder.iterdir()) == []
