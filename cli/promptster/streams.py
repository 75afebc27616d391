"""Standard streams that a caller closed, that hold fewer letters than ours, or that nobody reads any more.

Both programs begin with it, so that it imports next to nothing.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper


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
    """What a terminal or a file in another encoding than UTF-8 cannot hold comes out as its code, not as an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.encoding.lower() not in {"utf-8", "utf8"}:
            stream.reconfigure(errors="backslashreplace")


def silence_stdout() -> None:
    """Nobody gets our output any more: keep the interpreter's last flush from complaining."""
    import os  # noqa: PLC0415 - only a closed pipe or a full disk needs it

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
