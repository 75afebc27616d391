"""Long output a screen at a time, through the person's own pager where there is a terminal and a pager."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from typing import IO, TYPE_CHECKING

from rich.console import Console

from promptster.ui.output import writing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.text import Text

_LESS = "FRX"
"""less: leave at once if all fits, pass colours on, keep the screen."""


def show(lines: Iterable[Text]) -> None:
    """Print lines that were escaped before; to a terminal they go through a pager."""
    pager = _pager() if sys.stdout.isatty() and sys.stdin.isatty() else None
    if pager is None:
        with writing():
            _print(lines, _console(sys.stdout))
        return
    # Nothing of ours lands in the home folder: no history file either.
    environment = {"LESS": _LESS, **os.environ, "LESSSECURE": "1", "LESSHISTFILE": os.devnull}
    with subprocess.Popen(pager, stdin=subprocess.PIPE, env=environment, text=True, encoding="utf-8") as process:
        stream = process.stdin
        assert stream is not None  # noqa: S101 - it was asked for as a pipe
        # Whoever has read enough closes the pager: the rest need not be written.
        with contextlib.suppress(BrokenPipeError):
            _print(lines, _console(stream, force_terminal=True))
        with contextlib.suppress(BrokenPipeError):
            stream.close()
        with contextlib.suppress(KeyboardInterrupt):
            process.wait()


class _PipeConsole(Console):
    """A console that says when its reader left, instead of ending the program."""

    def on_broken_pipe(self) -> None:
        """Called while the error is being handled."""
        raise  # noqa: PLE0704 - the library calls this inside its handler


def _console(stream: IO[str], *, force_terminal: bool | None = None) -> Console:
    return _PipeConsole(
        file=stream, force_terminal=force_terminal, highlight=False, markup=False, emoji=False, soft_wrap=True
    )


def _print(lines: Iterable[Text], console: Console) -> None:
    for line in lines:
        console.print(line, soft_wrap=True)


def _pager() -> list[str] | None:
    words = shlex.split(os.environ.get("PAGER", "less"))
    if not words or words[0] == "cat" or shutil.which(words[0]) is None:
        return None
    return words
