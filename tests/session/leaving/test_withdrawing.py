"""What is deleted long after a session."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.helpers.certified import Certified, paths_below

from promptster.errors import SessionError
from promptster.paths import Paths
from promptster.secret_store import FileStore, save_secrets
from promptster.session.current import BUNDLE, Current
from promptster.session.leaving.withdrawing import KEPT_BATCHES_MS, tidy
from promptster.session_folder.folder import SessionFolder

if TYPE_CHECKING:
    from pathlib import Path

NOW_MS = 1_795_600_000_000


def test_batches_stay_eight_days_after_handing_in(tmp_path: Path) -> None:
    """A restored collector may ask for the batches; after eight days they are deleted, and the copy's name stays."""
    paths = Paths(config=tmp_path / "config", data=tmp_path / "data", state=tmp_path / "state")
    folders: dict[str, SessionFolder] = {}
    for name, age_ms in (("old", KEPT_BATCHES_MS + 1000), ("young", KEPT_BATCHES_MS - 1000), ("open", None)):
        folder = folders[name] = SessionFolder(paths.sessions / name)
        folder.batches.mkdir(parents=True)
        folder.documents.mkdir()
        (folder.batches / "00000000.batch").write_bytes(b"sealed")
        if age_ms is not None:
            folder.write_document(BUNDLE, b"/somewhere")
            then_ns = (NOW_MS - age_ms) * 1_000_000
            os.utime(folder.documents / BUNDLE, ns=(then_ns, then_ns))
    tidy(paths, NOW_MS)
    assert not folders["old"].batches.exists()
    assert folders["old"].has_document(BUNDLE)
    assert (folders["young"].batches / "00000000.batch").exists()
    assert (folders["open"].batches / "00000000.batch").exists()


def test_what_stayed_for_another_look_goes_after_eight_days_too(tmp_path: Path) -> None:
    """A session whose copy did not verify keeps its keys for eight days; then only the access token is left."""
    certified, paths = Certified(), paths_below(tmp_path)
    folder = certified.folder(paths)
    save_secrets(FileStore(folder.secrets_file), certified.session, certified.secrets)
    current = Current(folder)
    current.vault.put("baseline", {})
    (folder.journal / "0.journal").write_bytes(b"sealed")
    folder.write_document(BUNDLE, b"/somewhere")
    then_ns = (NOW_MS - KEPT_BATCHES_MS + 1000) * 1_000_000
    os.utime(folder.documents / BUNDLE, ns=(then_ns, then_ns))
    tidy(paths, NOW_MS)
    assert folder.journal.is_dir()
    assert Current(folder).secrets == certified.secrets
    tidy(paths, NOW_MS + 2000)
    assert not folder.journal.exists()
    assert not folder.batches.exists()
    assert Current(folder).access_token == certified.secrets.access_token
    with pytest.raises(SessionError):
        _ = Current(folder).secrets
