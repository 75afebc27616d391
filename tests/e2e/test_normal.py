"""What the comparison of two runs leaves out of the files, and what not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e import normal

if TYPE_CHECKING:
    from pathlib import Path

_ID = "01a22ca0-1f25-76a2-9860-09bb9f233caf"


def test_only_what_an_agent_removes_by_itself_is_left_out(tmp_path: Path) -> None:
    """A lock of one of Codex's threads and a database's temporary files are left out; every other file is compared."""
    locks = tmp_path / ".codex" / "thread-writer-locks"
    locks.mkdir(parents=True)
    for name in (f"{_ID}.lock", ".coordination.lock", "more.lock", f"{_ID}.json"):
        (locks / name).touch()
    for name in ("state_5.sqlite", "state_5.sqlite-shm", "state_5.sqlite-wal", f"{_ID}.lock"):
        (tmp_path / ".codex" / name).touch()
    assert normal.paths(tmp_path) == {
        ".codex",
        ".codex/state_5.sqlite",
        ".codex/<uuid>.lock",
        ".codex/thread-writer-locks",
        ".codex/thread-writer-locks/.coordination.lock",
        ".codex/thread-writer-locks/more.lock",
        ".codex/thread-writer-locks/<uuid>.json",
    }
