"""A supervisor of version 0.1 that runs through an upgrade finds the recorder under its old module name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.helpers.running import kill_and_wait, prepared

if TYPE_CHECKING:
    import pytest

_OLD_NAME = """
import os

execv = os.execv
os.execv = lambda program, words: execv(
    program, ["promptster.session.daemon" if word == "promptster.recorder.process" else word for word in words]
)
"""
"""What makes a supervisor start its recorders as those of version 0.1 did."""


def test_a_supervisor_of_the_first_release_restarts_the_recorder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recorder starts by its old name, is started again after a kill, and keeps what it promised."""
    (tmp_path / "sitecustomize.py").write_text(_OLD_NAME)
    with prepared(tmp_path, monkeypatch) as running:
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        port = running.spawn()
        running.record("before")
        kill_and_wait(running.recorder_pid)
        assert running.control.status().port == port
        running.record("after")
        assert b"promptster.session.daemon" in Path(f"/proc/{running.recorder_pid}/cmdline").read_bytes()
        assert running.kinds() == ["consent", "opened", "note", "capture_recovered", "note"]
