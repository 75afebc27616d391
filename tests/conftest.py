"""What holds for every test: its programs have the usual signals, and its people do not run inside an agent.

A shell starts background jobs with SIGINT ignored, and an agent marks the environment of what it starts; tests have to
behave the same whoever runs them.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from promptster.system.inside_agent import MARKS

if TYPE_CHECKING:
    from types import FrameType


def _nothing(number: int, frame: FrameType | None) -> None:
    """Ignore a signal as before."""
    del number, frame


for _signal in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
    # Children would inherit an ignored signal. One that is caught also has no effect here, and has its usual effect in
    # every program that is started from here.
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, _nothing)
for _name in MARKS:
    os.environ.pop(_name, None)
