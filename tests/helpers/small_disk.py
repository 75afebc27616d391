"""A real file system of a few MiB, which a test can fill to the last block; it needs the right to mount."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_PIECES = (1 << 20, 4096)


@contextmanager
def small_disk(folder: Path, *, mib: int) -> Generator[Path]:
    """Mount one on ``folder``; the test is skipped if that is not permitted."""
    folder.mkdir()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("mounting needs Linux and root")
    words = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not permitted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def use_up_files(disk: Path) -> None:
    """Leave room for bytes but not for another file."""
    found = os.statvfs(disk)
    size = found.f_blocks * found.f_frsize
    words = ["mount", "-o", f"remount,size={size},nr_inodes={found.f_files - found.f_ffree}", str(disk)]
    subprocess.run(words, check=True)


def fill(disk: Path) -> Path:
    """Leave no room, and return the file that fills it."""
    path = disk / f"filler{len(list(disk.glob('filler*')))}"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        for size in _PIECES:
            block = bytes(size)
            try:
                while True:
                    os.write(handle, block)
            except OSError:
                continue
    finally:
        os.close(handle)
    return path
