"""Sealed batches stay eight days behind the final receipt, and then go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.helpers.certified import NOW_MS, Certified, paths_below

from promptster.protocol.receipt import Receipt
from promptster.session.retention import KEPT_MS, remove_old_batches
from promptster.session.state import SessionState

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("state", "age_ms", "stays"),
    [
        (SessionState.CLOSED, KEPT_MS + 1, False),
        (SessionState.CLOSED, KEPT_MS, True),
        (SessionState.CLOSING, KEPT_MS + 1, True),
        (SessionState.STOPPED, KEPT_MS + 1, True),
    ],
)
def test_batches_go_when_nobody_may_ask_for_them(
    tmp_path: Path, state: SessionState, age_ms: int, *, stays: bool
) -> None:
    """Only a submitted session's batches go, and only when eight days have passed."""
    certified = Certified()
    paths = paths_below(tmp_path)
    folder = certified.folder(paths)
    folder.update(state=state)
    key = certified.collector_key
    receipt = Receipt(kid=key.kid, session=certified.session, n=0, header_sha256=bytes(32), received_ms=NOW_MS)
    (folder.batches / "00000000.receipt").write_bytes(key.sign(receipt).encode())
    (folder.batches / "00000000.batch").write_bytes(b"sealed")
    assert remove_old_batches(paths.sessions, now_ms=NOW_MS + age_ms) == (0 if stays else 1)
    assert folder.batches.exists() == stays
    assert remove_old_batches(paths.sessions, now_ms=NOW_MS + age_ms) == 0


def test_what_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    """Foreign or damaged folders are nobody's business."""
    paths = paths_below(tmp_path)
    folder = Certified().folder(paths)
    folder.update(state=SessionState.CLOSED)
    (folder.batches / "00000000.receipt").write_bytes(b"damaged")
    (paths.sessions / "foreign").mkdir()
    assert remove_old_batches(paths.sessions, now_ms=NOW_MS * 2) == 0
    assert folder.batches.exists()
