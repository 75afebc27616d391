"""Workspace files of editors are watched: a loss is reported once, and so is the return."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.helpers.launching import TICKET, recording_session

from promptster.protocol.agents import BY_ID
from promptster.protocol.events.kinds import CaptureConfigChanged
from promptster.recorder.editor_watch import EditorWatch
from promptster.session.current import Current
from promptster.session.launch.editor_files import prepare_ide

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.launching import RecordingSession


@pytest.fixture
def made(tmp_path: Path) -> Iterator[RecordingSession]:
    """A session whose recorder gives tickets."""
    with recording_session(tmp_path) as one:
        yield one


def test_the_watch_tells_each_change_once(made: RecordingSession) -> None:
    """The watch is silent until it has seen our entries; it then reports a lasting loss once, and their return once."""
    path = made.workspace / BY_ID["cursor"].editor_file
    watch = EditorWatch(made.workspace, ["cursor"], TICKET)
    assert watch.look() == []
    prepare_ide(Current(made.folder), "cursor")
    ours = path.read_bytes()
    assert watch.look() == []
    path.write_bytes(b"{}")
    assert watch.look() == []
    (lost,) = watch.look()
    assert isinstance(lost, CaptureConfigChanged)
    assert "changed" in (lost.detail or "")
    assert watch.look() == []
    path.write_bytes(ours)
    assert watch.look() == []
    (back,) = watch.look()
    assert back == CaptureConfigChanged(path_name=BY_ID["cursor"].editor_file, detail="Promptster's entries are back")
    assert watch.look() == []
