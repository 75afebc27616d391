"""Finds the processes that make and read segments, as Linux reports them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def helpers() -> list[bytes]:
    """Command lines of the running helper processes that this process started."""
    return [line for number in _children() if b"helper_main" in (line := _read(Path(f"/proc/{number}/cmdline")))]


def _children() -> list[str]:
    lists = [_read(path).decode().split() for path in Path("/proc/self/task").glob("*/children")]
    return [number for numbers in lists for number in numbers]


def _read(path: Path) -> bytes:
    """Read a file of the system; empty if the thread or process ended after it was listed."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return path.read_bytes()
    return b""
