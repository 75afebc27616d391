"""What holds for every test: the programs that it starts have the signals of a program that a person starts."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def _nothing(number: int, frame: FrameType | None) -> None:
    """Ignore a signal as before."""
    del number, frame


for _signal in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
    # A shell starts background jobs with SIGINT ignored, nohup does so with SIGHUP, and children would inherit that. A
    # signal that is caught does as little here, and has its usual effect in every program that is started from here.
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, _nothing)
