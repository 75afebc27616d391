"""Waiting for another process whose state no event reports."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_until(condition: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Ask again until the answer is true.

    Raises:
        AssertionError: it was not true in time; ``what`` says what was awaited.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)  # another process's state; there is no event to wait for
    raise AssertionError(f"waited in vain for {what}")
