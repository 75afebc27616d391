"""What a candidate reads after submitting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptster import times
from promptster.commands.submit import told_submitted
from promptster.protocol.encoding import b64u_decode
from promptster.protocol.verification import verify_bundle
from promptster.session.leaving.own_copy import OwnCopy

VECTOR = Path(__file__).parents[1] / "vectors" / "good" / "bundle.json"
DAY_MS = 24 * 60 * 60 * 1000


@pytest.mark.parametrize("days", [0, 1, 9, 400])
def test_a_copy_that_is_made_later_names_the_time_of_the_close(days: int) -> None:
    """However late the candidate returns, the times of submission and deletion are those that the collector signed."""
    given = json.loads(VECTOR.read_bytes())["input"]
    verification = verify_bundle(b64u_decode(given["data"]), trusted=given["trusted"])
    assert verification.close is not None
    closed = verification.close.at_ms
    now = closed + days * DAY_MS
    copy = OwnCopy(path=Path("copy.promptster"), received=verification.events, verification=verification)
    told = " ".join(told_submitted(copy, "Acme", files=None, kept_days=30, now_ms=now))
    assert f"Submitted {'on' if days else 'at'} {times.soon(closed, now)}: " in told
    assert f"Acme keeps it until {times.date(closed + 30 * DAY_MS, now)}." in told
