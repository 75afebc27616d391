"""The tests give the same results wherever they are started: a terminal, a background job, nohup."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_TELL = (
    "import signal; names = ('SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'); "
    "print([name for name in names if signal.getsignal(getattr(signal, name)) is signal.SIG_IGN])"
)


def test_a_program_of_a_test_ignores_no_signal() -> None:
    """Whatever the tests themselves inherited, a program that they start can be interrupted."""
    told = subprocess.run([sys.executable, "-c", _TELL], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_tests_in_a_background_job_start_programs_as_a_terminal_does() -> None:
    """With every signal ignored by the shell that starts the tests, the test above still holds."""
    this = f"{Path(__file__).relative_to(ROOT)}::{test_a_program_of_a_test_ignores_no_signal.__name__}"
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", this]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        ["sh", "-c", 'trap "" HUP INT QUIT TERM; exec "$@"', "sh", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
