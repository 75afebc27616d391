"""Says no to a prompt while nobody records: ``/abs/python -I -S /abs/alive.py SOCKET``.

The settings file of an editor's agent sends its calls to the recorder. After a reboot nobody listens there: the agent
would try again for a minute and then blame a firewall, or, were another program at that port by then, tell that program
its key. So Claude Code asks this before each prompt. Exit code 2 means no, and what stands on standard error is shown
to the person; anything else lets the prompt pass, so that no fault of ours stops anybody's work.
"""

import _socket
import posix
import sys

NO = 2
PATIENCE_S = 1.0
WORDS = (
    "Promptster: the recorder is not running, and this agent's calls go through it.\n"
    "In your own terminal: `promptster resume` to record again, or `promptster restore` to go on unrecorded. "
    "Then start the agent again.\n"
)


def listens(address: str) -> bool:
    """Whether somebody of this user takes connections at a socket; ``forward.py`` says what is looked at."""
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
        return True  # it is there, and busy
    finally:
        link.close()
    return True


def main(arguments: list[str]) -> int:
    """Answer for one prompt."""
    if listens(arguments[0]):
        return 0
    posix.write(2, WORDS.encode())
    return NO


if __name__ == "__main__":
    code = 0
    try:
        code = main(sys.argv[1:])
    finally:
        posix._exit(code)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - ends at once, without a trace
