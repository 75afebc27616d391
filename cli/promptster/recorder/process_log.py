"""The recorder's log, which holds fixed words and numbers only: never a prompt, a path or a message.

An exception is logged as its type and the functions that it passed through. Its text is left out, because exception
texts quote the data that was being read.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LIMIT = 1024 * 1024


class Log:
    """Writes lines to a file descriptor, usually the process's stderr."""

    def __init__(self, handle: int = 2, *, now: Callable[[], float] = time.time) -> None:
        """Write to ``handle``; a file over 1 MiB is emptied first."""
        self._handle, self._now = handle, now
        with suppress(OSError):
            if os.fstat(handle).st_size > _LIMIT:
                os.ftruncate(handle, 0)

    def write(self, word: str, **numbers: int | str | None) -> None:
        """Write one line: the time, what happened, and a few numbers or fixed words."""
        rest = "".join(f" {name}={value}" for name, value in numbers.items())
        with suppress(OSError):
            os.write(self._handle, f"{int(self._now() * 1000)} {word}{rest}\n".encode())

    def fault(self, where: str, error: BaseException) -> None:
        """Log an unexpected error without its text."""
        self.write("fault", where=where, error=describe(error))


def describe(error: BaseException) -> str:
    """Describe an exception by its type and the places that it passed through."""
    places: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{Path(code.co_filename).stem}.{code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    number = f"[{error.errno}]" if isinstance(error, OSError) and error.errno is not None else ""
    return f"{type(error).__name__}{number}@{'>'.join(places[-6:])}"
