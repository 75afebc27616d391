"""Stops a prompt while no recorder runs: ``/abs/python -I -S /abs/alive.py SOCKET``.

The settings file of an editor's agent sends its calls to the recorder. After a reboot no recorder listens there: the
agent would retry for a minute and then blame a firewall, or send its key to another program that uses the port by then.
So Claude Code runs this program before each prompt. Exit code 2 stops the prompt and shows standard error to the
person. Any other exit code lets the prompt pass, so that an error of ours never stops anyone's work.
"""

import _socket
import posix
import sys

STOP_PROMPT = 2
PATIENCE_S = 1.0
MESSAGE = (
    "Promptster: the recorder is not running, and this agent's calls go through it.\n"
    "In your own terminal, run `promptster resume` to record again, or `promptster restore` to continue unrecorded. "
    "Then start the agent again.\n"
)


def listens(address: str) -> bool:
    """Return whether a process of this user accepts connections at a socket; ``forward.py`` explains the checks."""
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        here = posix.lstat(address)
        if here.st_uid != posix.geteuid():
            return False
        link.settimeout(PATIENCE_S)
        link.connect(address)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        return False
    except OSError:
        return True  # the recorder may be busy
    finally:
        link.close()
    return True


def main(arguments: list[str]) -> int:
    """Return the exit code for one prompt."""
    if listens(arguments[0]):
        return 0
    posix.write(2, MESSAGE.encode())
    return STOP_PROMPT


if __name__ == "__main__":
    code = 0
    try:
        code = main(sys.argv[1:])
    finally:
        posix._exit(code)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - ends at once, without a trace
