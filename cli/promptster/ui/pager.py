"""Long output through the person's own pager, if there is a terminal and a pager."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from typing import IO, TYPE_CHECKING

from promptster.streams import writing
from promptster.ui.blocks import shows_styles

if TYPE_CHECKING:
    from collections.abc import Iterable

    from promptster.ui.blocks import TextBlock

_LESS = "FRX"
"""Options for less: exit if everything fits, pass colours on, keep the screen."""


_AT_ONCE = 100
"""How many blocks are flushed one by one, so that the first screen appears at once."""


def show(blocks: Iterable[TextBlock]) -> None:
    """Print escaped blocks as they come; on a terminal through a pager."""
    styled = shows_styles(sys.stdout)
    pager = _pager() if sys.stdout.isatty() and sys.stdin.isatty() else None
    if pager is None:
        with writing():
            _print(blocks, sys.stdout, styled=styled)
        return
    # Write nothing to the home folder, not even a history file.
    environment = {"LESS": _LESS, **os.environ, "LESSSECURE": "1", "LESSHISTFILE": os.devnull}
    with subprocess.Popen(pager, stdin=subprocess.PIPE, env=environment, text=True, encoding="utf-8") as process:
        stream = process.stdin
        assert stream is not None  # noqa: S101 - it was asked for as a pipe
        # The reader may close the pager early; the rest need not be written.
        with contextlib.suppress(BrokenPipeError):
            _print(blocks, stream, styled=styled)
        with contextlib.suppress(BrokenPipeError):
            stream.close()
        with contextlib.suppress(KeyboardInterrupt):
            process.wait()


def _print(blocks: Iterable[TextBlock], stream: IO[str], *, styled: bool) -> None:
    for number, block in enumerate(blocks):
        stream.write((block.styled if styled else block.plain) + "\n")
        if number < _AT_ONCE:
            stream.flush()
    stream.flush()


def _pager() -> list[str] | None:
    words = shlex.split(os.environ.get("PAGER", "less"))
    if not words or words[0] == "cat" or shutil.which(words[0]) is None:
        return None
    return words
