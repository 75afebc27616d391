"""Standard streams that are closed, full, read by nobody, or that hold fewer letters than ours.

Both programs begin with it, so that it imports next to nothing.
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
    """Standard output takes nothing more, as on a full disk."""

    default_code = "output"


@contextlib.contextmanager
def writing() -> Generator[None]:
    """Write to standard output inside this; a reader that left keeps its own error.

    Raises:
        OutputError: what was written did not arrive.
        BrokenPipeError: whoever read it is gone.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write to standard output: {reason_of(error)}") from error


def open_standard_streams() -> None:
    """Put the null device in the place of a standard stream that the caller closed.

    Otherwise the next file that is opened would get its number, and words for a person would end up in it.
    """
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    import os  # noqa: PLC0415 - hardly anybody closes them

    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - the lowest free number is given out
        os.set_inheritable(handle, True)
    os.close(handle)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the whole process
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - likewise
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - likewise


def let_every_letter_through() -> None:
    """What a terminal or a file in another encoding than UTF-8 cannot hold comes out as its code, not as an error.

    So does what is typed or piped in and is no text in the encoding of standard input.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        wanted = stream is sys.stdin or stream.encoding.lower() not in {"utf-8", "utf8"}
        if isinstance(stream, TextIOWrapper) and wanted:
            stream.reconfigure(errors="backslashreplace")


def silence_stdout() -> None:
    """Nobody gets our output any more: keep the interpreter's last flush from complaining."""
    import os  # noqa: PLC0415 - only a closed pipe or a full disk needs it

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
