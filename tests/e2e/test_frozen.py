"""A recorder is stopped during the work: the session still verifies, and every reader sees the silence."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest
from tests.helpers.hiring import hiring_in
from tests.helpers.waiting import wait_until

from promptster.journal.heartbeat import STOPPED_MS
from promptster.protocol.heartbeats import LATE_MS
from promptster.session_folder.control_client import ControlClient

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

_STOPPED_S = LATE_MS / 1000 + 3


def test_a_recorder_that_was_stopped_leaves_a_silence(tmp_path: Path) -> None:
    """After SIGSTOP to supervisor and recorder, 400 lines and SIGCONT, there are a silence and the recorder's event."""
    with hiring_in(tmp_path) as hiring, hiring.invited("ada") as ada:
        ada.start()
        before = ControlClient(ada.session).status().events
        for pid in ada.processes():
            os.kill(pid, signal.SIGSTOP)
        (ada.workspace / "parser.py").write_text("".join(f"LINE_{number} = {number}\n" for number in range(400)))
        until = time.monotonic() + _STOPPED_S
        wait_until(lambda: time.monotonic() > until, "the end of the stop", _STOPPED_S + 30)
        for pid in ada.processes():
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: ControlClient(ada.session).status().events >= before + 2, "the recorder's word")
        done = ada.person.result("submit", "--yes", cwd=ada.workspace)
        verified = ada.person.call("verify", done["bundle"], "--json")
        shown = ada.person.call("verify", done["bundle"])
    document = json.loads(verified.stdout)
    assert (verified.code, document["verdict"]) == (0, "verified")
    assert [found["code"] for found in document["findings"] if found["code"] != "not_in_log"] == []
    told = {gap["kind"]: gap for gap in document["gaps"]}
    assert told["silence"]["to_ms"] - told["silence"]["from_ms"] > LATE_MS
    assert told["silence"]["to_seq"] > told["silence"]["seq"]
    assert told["capture_gap"]["text"].endswith("the recorder was stopped")
    assert told["capture_gap"]["to_ms"] - told["capture_gap"]["from_ms"] > STOPPED_MS
    assert "the recorder was silent" in shown.stdout
