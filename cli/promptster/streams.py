"""Standard streams that are closed, full, no longer read, or in an encoding that lacks some of our characters.

Both programs load this module first, so it imports as little as possible.
"""

from __future__ import annotations

import contextlib
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

from promptster.errors import PromptsterError, reason_of

if TYPE_CHECKING:
    from collections.abc import Generator


class OutputError(PromptsterError):
    """Standard output cannot be written, for example because the disk is full."""

    default_code = "output"


@contextlib.contextmanager
def writing() -> Generator[None]:
    """Turn errors of writing to standard output into ``OutputError``, except that its reader has left.

    Raises:
        OutputError: the output could not be written.
        BrokenPipeError: the reader of the output has left.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write to standard output: {reason_of(error)}") from error


def open_standard_streams() -> None:
    """Replace standard streams that the caller closed with the null device.

    Otherwise the next file to be opened would get their number, and messages would end up in it.
    """
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    import os  # noqa: PLC0415 - rarely needed

    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - the lowest free number is given out
        os.set_inheritable(handle, True)
    os.close(handle)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the whole process
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - likewise
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - likewise


def let_every_letter_through() -> None:
    """Write characters that the output's encoding lacks as escape codes instead of failing.

    Input that is not valid in the encoding of standard input is read as escape codes too.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        wanted = stream is sys.stdin or stream.encoding.lower() not in {"utf-8", "utf8"}
        if isinstance(stream, TextIOWrapper) and wanted:
            stream.reconfigure(errors="backslashreplace")


def silence_stdout() -> None:
    """Send further output nowhere, so that the interpreter's last flush does not fail."""
    import os  # noqa: PLC0415 - only a closed pipe or a full disk needs it

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
