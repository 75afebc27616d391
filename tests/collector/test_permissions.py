"""Files of the collector that another user owns: the message says so, and never that they are missing or damaged."""

from __future__ import annotations

import pytest
from tests.session.workspace.test_passed_over import ordinary_user

from promptster_collector.errors import SetupError
from promptster_collector.settings import Settings
from promptster_collector.store.backup import FACTS
from promptster_collector.store.backup_keys import BackupKeys
from promptster_collector.store.backup_source import BackupSource
from promptster_collector.store.data_folder import mark_ready, require_data_folder
from promptster_collector.store.keys.master import MasterKey

OWNER = "Run this as the user that owns it."


def test_a_data_folder_of_another_user_is_not_called_missing() -> None:
    """Nobody is told to create a collector where one exists."""
    with ordinary_user() as folder:
        settings = Settings(data=folder / "data")
        settings.data.mkdir()
        mark_ready(settings)
        settings.data.chmod(0)
        with pytest.raises(SetupError) as refused:
            require_data_folder(settings)
        settings.data.chmod(0o700)
        assert refused.value.message == f"cannot read {settings.data}: permission denied"
        assert (refused.value.hint, refused.value.code) == (OWNER, "file")
        settings.marker.unlink()
        with pytest.raises(SetupError, match="is not a collector's data folder"):
            require_data_folder(settings)


def test_a_master_key_of_another_user_need_not_be_restored() -> None:
    """The message has the reason, and advice that fits it."""
    with ordinary_user() as folder:
        path = folder / "master.key"
        with pytest.raises(SetupError) as missing:
            MasterKey.load(path)
        MasterKey.create(path)
        path.chmod(0)
        with pytest.raises(SetupError) as refused:
            MasterKey.load(path)
    assert missing.value.message == "the master key cannot be read: no such file or folder"
    assert missing.value.hint == "Restore master.key."
    assert refused.value.message == "the master key cannot be read: permission denied"
    assert refused.value.hint == "Run this as the user that owns master.key."
    assert {missing.value.code, refused.value.code} == {"master_key"}


def test_a_backup_key_of_another_user_is_not_called_damaged() -> None:
    """Nobody is told to remove a key that is intact."""
    with ordinary_user() as folder:
        keys = BackupKeys(folder / "backup-keys")
        made = keys.make(now_ms=0, days=1)
        path = folder / "backup-keys" / f"{made.name}.key"
        path.chmod(0)
        with pytest.raises(SetupError) as refused:
            keys.find(made.name)
        assert (refused.value.message, refused.value.hint) == (f"cannot read {path}: permission denied", OWNER)
        path.chmod(0o600)
        assert keys.find(made.name) == made


def test_a_backup_of_another_user_is_not_called_something_else() -> None:
    """A backup that cannot be read is still a backup."""
    with ordinary_user() as folder:
        (folder / FACTS).write_text("{}")
        (folder / FACTS).chmod(0)
        with pytest.raises(SetupError) as refused:
            BackupSource.find(folder, None)
    assert (refused.value.message, refused.value.hint) == (f"cannot read {folder}: permission denied", OWNER)
