"""The small process that replaces ``promptster run``: it waits for the agent, and ends as the agent ended.

``promptster.session.launch.child_process`` turns ``promptster run`` into it, by path and with the standard library
alone, so that it uses little memory while the agent works. It shares the agent's terminal and process group, so keys
such as Ctrl-C reach the agent directly; signals sent to this process are passed on. It stops when the agent stops, and
is killed by the signal that killed the agent. On Linux everything that the agent started and left behind becomes its
child, which keeps such a process recognisable as the agent's; ``promptster.system.inside_agent`` reads that.

Arguments: the agent's process id, the file that names this process as an agent's (``inside_agent`` describes it), and
the command that reports what was recorded. It reports only when standard error is a terminal.
"""

import os
import signal
import sys
from contextlib import suppress

WATCHED = frozenset(
    {
        signal.SIGCHLD,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGTSTP,
        signal.SIGUSR1,
        signal.SIGUSR2,
    }
)
"""Blocked before the agent is started, and waited for here; everything else is left as it is."""
_FROM_TERMINAL = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP})
_STANDARD_ERROR = 2


def main(arguments: list[str]) -> int:
    """Wait for the agent; returns its exit code, or does not return."""
    child, entry, *words = arguments
    signal.signal(signal.SIGCHLD, _wake)  # a signal that is ignored by default may not be waited for everywhere
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    _let_go_of_streams()
    status = _wait(int(child))
    _leave(entry)
    code = os.waitstatus_to_exitcode(status)
    if words and os.isatty(_STANDARD_ERROR):
        _report([*words, str(code)])
    return code if code >= 0 else _die(-code)


def _wake(_number: int, _frame: object) -> None:
    """Do nothing, because the signal is awaited elsewhere."""


def _let_go_of_streams() -> None:
    """Close pipes that the agent uses, so that their other ends do not wait for this process too."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(null, number)
    if not os.isatty(_STANDARD_ERROR):
        os.dup2(null, _STANDARD_ERROR)
    if null > _STANDARD_ERROR:
        os.close(null)


def _wait(child: int) -> int:
    """Wait for the agent's end; returns its status."""
    while True:
        status = _reap(child)
        if status is not None:
            return status
        number, sender = _next_signal()
        if number != signal.SIGCHLD and sender != child:
            with suppress(ProcessLookupError):
                os.kill(child, number)


def _reap(child: int) -> "int | None":
    """Collect ended children, including orphans of the agent; returns the agent's status if it ended."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        if pid == 0:
            return None
        if pid != child:
            continue
        if not os.WIFSTOPPED(status):
            return status
        os.kill(os.getpid(), signal.SIGSTOP)  # so that the shell sees its job stopped; it continues both
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGCONT)


def _next_signal() -> "tuple[int, int]":
    """Wait for a signal; returns it and its sender, or SIGCHLD for signals that the terminal also sent to the agent."""
    if sys.platform == "darwin":
        number = signal.sigwait(WATCHED)  # the sender is not known there
        return (signal.SIGCHLD if number in _FROM_TERMINAL else number), 0
    facts = signal.sigwaitinfo(WATCHED)
    return (signal.SIGCHLD, 0) if facts.si_code > 0 else (facts.si_signo, facts.si_pid)


def _leave(entry: str) -> None:
    """Remove this process from the list of agents, and add the processes that the agent leaves running."""
    folder, name = os.path.split(entry)
    with suppress(OSError):
        with open(entry, encoding="utf-8") as file:  # noqa: PTH123 - pathlib would take more memory than the rest
            agent = file.read().partition(" ")[2]
        for pid in below(int(name)):
            began = started(pid)
            if began:
                write_entry(folder, pid, began, agent)
    with suppress(OSError):
        os.unlink(entry)  # noqa: PTH108 - likewise


def write_entry(folder: str, pid: int, began: str, agent: str) -> str:
    """Add a process to the list of agents; returns the path of its entry."""
    path = f"{folder}/{pid}"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(handle, f"{began} {agent}".encode())
    finally:
        os.close(handle)
    return path


def started(pid: int) -> str:
    """Return when a process started, in the system's own unit; empty if there is none, or the system is not Linux."""
    fields = _fields(pid)
    return fields[19] if fields else ""


def parent(pid: int) -> int:
    """Return a process's parent; 0 if there is none."""
    fields = _fields(pid)
    return int(fields[1]) if fields else 0


def _fields(pid: int) -> "list[str]":
    """Return the fields that Linux shows for a process, from its state on."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - see _leave
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def below(pid: int) -> "list[int]":
    """Return every process that descends from this one."""
    children: dict[int, list[int]] = {}
    with suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208 - see _leave
            if name.isdigit():
                children.setdefault(parent(int(name)), []).append(int(name))
    found = [pid]
    for one in found:
        found += children.pop(one, [])
    return found[1:]


def _report(words: "list[str]") -> None:
    """Run the command that reports what was recorded; its failure does not change the exit code."""
    with suppress(OSError):
        pid = os.posix_spawn(words[0], words, os.environ, setsigmask=())
        while os.waitpid(-1, 0)[0] != pid:
            pass


def _die(number: int) -> int:
    """End by the signal that ended the agent, so that the caller sees the same end."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - seldom needed

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with suppress(OSError, ValueError):  # the action of SIGKILL cannot be set
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    return 128 + number


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
