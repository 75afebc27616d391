"""A program in a real terminal: what a person types goes in, what a person sees comes out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

_ATTACH = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
_PATIENCE_S = 60.0


class Terminal:
    """One program with a terminal of 24 lines and, unless a width is given, 80 columns."""

    def __init__(self, words: Sequence[str], *, environ: Mapping[str, str], cwd: Path, columns: int = 80) -> None:
        """Start it."""
        self._keyboard, screen = pty.openpty()
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _ATTACH, *words],
            stdin=screen,
            stdout=screen,
            stderr=screen,
            env=dict(environ),
            cwd=cwd,
            start_new_session=True,
        )
        os.close(screen)
        self.shown = ""
        """Everything that appeared so far."""
        self._seen = 0

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the program if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._keyboard)

    def wait_for(self, *patterns: str) -> int:
        """Return the position of the pattern that appears first after what was waited for before."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            found = [
                (match.start(), match.end(), place)
                for place, pattern in enumerate(patterns)
                if (match := re.compile(pattern).search(self.shown, self._seen))
            ]
            if found:
                _, self._seen, place = min(found)
                return place
            assert self._read(deadline), f"did not appear: {patterns}\n--- shown\n{self.shown}"

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        os.write(self._keyboard, line.encode() + b"\n")

    def press(self, keys: str) -> None:
        """Type keys without Enter, such as a word and Tab."""
        os.write(self._keyboard, keys.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.write(self._keyboard, b"\x03")

    def end(self) -> int:
        """Read to the end and return the exit code."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._read(deadline):
            pass
        return self._process.wait(_PATIENCE_S)

    def _read(self, deadline: float) -> bool:
        """Read what the program wrote; returns whether there can be more."""
        assert select.select([self._keyboard], [], [], max(0.0, deadline - time.monotonic()))[0], self.shown
        data = b""
        with contextlib.suppress(OSError):  # Linux answers EIO after the program closed its terminal
            data = os.read(self._keyboard, 65536)
        self.shown += data.decode("utf-8", "replace")
        return bool(data)
