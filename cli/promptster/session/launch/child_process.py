"""Starts an agent as a child process, so that a process of ours remains when the agent ends.

``promptster run`` forks. The child becomes the agent, with the terminal, process group, open files and signals of the
typed command. The parent becomes ``promptster.system.agent_waiter``, which ends as the agent ends; if it cannot become
that program, it waits in the current one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from promptster.agents.hook_command import bare_python
from promptster.errors import LaunchError, reason_of
from promptster.session.launch.launcher import NOT_EXECUTABLE
from promptster.system import agent_waiter
from promptster.system.inside_agent import MARK, register

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from promptster.paths import Paths
    from promptster.session.launch.launcher import PreparedAgent

_SET_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36
_UNTOUCHED = ("SIGPIPE", "SIGXFSZ")
"""Signals that Python ignores; the agent would inherit that."""


def start(prepared: PreparedAgent, paths: Paths, words: Sequence[str]) -> NoReturn:
    """Start the agent, and become the process that waits for it.

    Args:
        prepared: the agent.
        paths: our folders.
        words: the command that reports what was recorded, after the agent ended.

    Raises:
        LaunchError: the program cannot be executed (126).
    """
    control = _process_control()
    control(_SET_CHILD_SUBREAPER, 1)
    entry = register(paths.state, os.getpid(), prepared.name)
    for name in _UNTOUCHED:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    on_child = signal.getsignal(signal.SIGCHLD)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if it were ignored, the agent's exit code would be lost
    for descriptor in prepared.launch.descriptors:
        os.set_inheritable(descriptor, True)  # the agent may name them by our process id, so we keep them too
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, agent_waiter.WATCHED)
    failure_read, failure_write = os.pipe()
    child = os.fork()
    if child == 0:
        if on_child is signal.SIG_IGN:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        control(_SET_DEATH_SIGNAL, signal.SIGKILL)  # the agent ends if its parent is killed
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _execute(prepared, failure_write)
    os.close(failure_write)
    refused = os.read(failure_read, 16)
    os.close(failure_read)
    if refused:
        os.waitpid(child, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        with contextlib.suppress(OSError):
            Path(entry).unlink()
        raise LaunchError(
            f"cannot execute {prepared.program}: {reason_of(OSError(int(refused), ''))}",
            code="not_executable",
            exit_code=NOT_EXECUTABLE,
        )
    os.environ[MARK] = prepared.name  # marks processes that outlive the agent, even if the agent deletes the list
    _wait(child, entry, words)


def _execute(prepared: PreparedAgent, failure_write: int) -> NoReturn:
    """In the child: become the agent, or write the error number to the pipe."""
    environ = {**prepared.launch.environ, MARK: prepared.name}
    try:
        os.execve(str(prepared.program), [prepared.name, *prepared.launch.arguments], environ)  # noqa: S606 - the agent
    except OSError as error:
        os.write(failure_write, str(error.errno).encode())
    finally:
        os._exit(NOT_EXECUTABLE)


def _wait(child: int, entry: str, words: Sequence[str]) -> NoReturn:
    arguments = [str(child), entry, *words]
    python, script = bare_python(), agent_waiter.__file__
    with contextlib.suppress(OSError):
        os.execv(python, [python, "-I", "-S", script, *arguments])  # noqa: S606 - the same interpreter
    sys.exit(agent_waiter.main(arguments))


def _process_control() -> Callable[[int, int], object]:
    """Return Linux's ``prctl``; a function that does nothing if it is not available."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            call = ctypes.CDLL(None).prctl
            return lambda what, value: call(what, value, 0, 0, 0)
    return lambda _what, _value: None
