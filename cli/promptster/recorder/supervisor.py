"""The supervisor: a small process that outlives its recorder.

It holds the listening sockets, the proxy's token and the session's secrets, starts the recorder with them, and restarts
it when it dies. The port stays the same, so an agent sees at most one failed call. The supervisor imports little and
does little, so it seldom fails. Its life:

1. A command, through ``promptster.recorder.spawning``, starts ``python -m promptster.recorder.supervisor`` in a new
   process session, with stdin and stdout on ``/dev/null``. Its data comes through a pipe, never through arguments or
   the environment.
2. It forks once more, locks the session's folder, binds 127.0.0.1 and two unix sockets, and makes the token.
3. It starts ``python -m promptster.recorder.process`` with the sockets, and reports to the command that it is ready.
4. It waits. It ends when the recorder ends with exit code 0 or 78, or when the session's folder is deleted. After any
   other exit code it restarts the recorder, at once or after a growing pause.

If the supervisor itself is killed, the recorder continues alone and holds the same lock.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from promptster.errors import RecorderRunningError, SessionError, reason_of
from promptster.private import is_our_folder, make_private_folder, require_our_folder, require_our_socket

if TYPE_CHECKING:
    from collections.abc import Mapping


EXIT_RESTART = 75
"""The recorder asks for an immediate restart."""
EXIT_REFUSED = 78
"""The recorder cannot work with this session; a restart would not help."""

_FIRST_TRIES = 3
_SETTLED_S = 2.0
_LONGEST_PAUSE_S = 5.0
_LONGEST_PAUSE_AFTER_KILL_S = 0.2
"""A recorder that was killed from outside did not fail by itself, so the pause stays short."""


def read_line(handle: int, timeout_s: float) -> bytes:
    """Read one line, or less if its writer ended or the time is up."""
    line = bytearray()
    deadline = time.monotonic() + timeout_s
    while not line.endswith(b"\n"):
        if not select.select([handle], [], [], max(0.0, deadline - time.monotonic()))[0]:
            break
        piece = os.read(handle, 65536)
        if not piece:
            break
        line += piece
    return bytes(line)


def folder_gone(folder: str) -> bool:
    """Whether a session's folder was deleted; a folder that merely cannot be read was not."""
    try:
        os.stat(f"{folder}/session.json")  # noqa: PTH116 - pathlib is not imported here, see the module's first lines
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


class Supervisor:
    """Holds the sockets, the lock and the token, and keeps one recorder running with them."""

    def __init__(self, packet: Mapping[str, Any]) -> None:
        """Take the folder's lock and bind the sockets.

        Raises:
            SessionError: a folder is not ours, another recorder holds the session, or a socket cannot be bound.
        """
        self._packet = packet
        self._folder = str(packet["folder"])
        require_our_folder(self._folder)
        self._lock = self._take_lock()
        self._prepare_run_folder()
        self._tcp = self._listen_tcp(int(packet["port"]))
        self._control = self._listen_unix(str(packet["control"]))
        self._hooks = self._listen_unix(str(packet["hooks"]))
        self._token = str(packet.get("token") or os.urandom(32).hex())
        self._child = 0
        self._ending = False
        self._restarts = 0
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    @property
    def port(self) -> int:
        """The proxy's port."""
        return int(self._tcp.getsockname()[1])

    def run(self, ready: int) -> int:
        """Keep a recorder running until it ends in order; return the exit code of this process.

        ``ready`` is the pipe on which the starting command waits.
        """
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._end)
        self._write_pid("supervisor.pid", os.getpid())
        quick = 0
        while True:
            began = time.monotonic()
            answer = self._start_recorder()
            ready = self._report(answer, ready)
            code = self._wait()
            if self._ending or code in {0, EXIT_REFUSED} or folder_gone(self._folder):
                break
            quick = 0 if time.monotonic() - began > _SETTLED_S else quick + 1
            if ready >= 0 and quick >= _FIRST_TRIES:
                break
            self._restarts += 1
            self._log(f"recorder ended code={code} restarts={self._restarts}")
            if quick > 1 and code != EXIT_RESTART:
                longest = _LONGEST_PAUSE_AFTER_KILL_S if code == -signal.SIGKILL else _LONGEST_PAUSE_S
                self._pause(min(longest, 0.05 * 2**quick))
        self._clean_up()
        return 0

    def _start_recorder(self) -> bytes:
        """Start a recorder, wait until it reports or dies, and return its report."""
        packet_read, packet_write = os.pipe()
        ready_read, ready_write = os.pipe()
        handles = {
            "tcp": self._tcp.fileno(),
            "control": self._control.fileno(),
            "hooks": self._hooks.fileno(),
            "lock": self._lock,
            "ready": ready_write,
        }
        packet = {
            "handles": handles,
            "token": self._token,
            "restarts": self._restarts,
            "secrets": self._packet["secrets"],
            "hooks_path": self._packet["hooks"],
        }
        child = os.fork()
        if child == 0:
            self._become_recorder(packet_read, tuple(handles.values()))
        self._child = child
        os.close(packet_read)
        os.close(ready_write)
        os.write(packet_write, json.dumps(packet).encode() + b"\n")
        os.close(packet_write)
        if self._ending:
            os.kill(child, signal.SIGTERM)
        self._write_pid("recorder.pid", child)
        line = b""
        while not line.endswith(b"\n"):
            piece = os.read(ready_read, 65536)
            if not piece:
                break
            line += piece
        os.close(ready_read)
        return line

    def _become_recorder(self, packet: int, handles: tuple[int, ...]) -> NoReturn:
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for handle in (packet, *handles):
                os.set_inheritable(handle, True)
            log = os.open(f"{self._folder}/logs/recorder.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(log, 2)
            os.environ["MALLOC_ARENA_MAX"] = "1"  # glibc: threads share one heap, so that it stays small
            os.execv(  # noqa: S606 - this very interpreter, with a fixed module
                sys.executable,
                [sys.executable, "-P", "-m", "promptster.recorder.process", self._folder, str(packet)],
            )
        finally:
            os._exit(EXIT_RESTART)

    @staticmethod
    def _report(answer: bytes, ready: int) -> int:
        """Pass the recorder's report to the waiting command; return the pipe, or -1 once no command waits on it.

        After a failed start the pipe stays open until this process ends, so that the command returns after it.
        """
        if ready < 0 or not answer:
            return ready
        with suppress(OSError):
            os.write(ready, answer)
        if b'"port"' not in answer:
            return ready
        os.close(ready)
        return -1

    def _wait(self) -> int:
        _, status = os.waitpid(self._child, 0)
        self._child = 0
        return os.waitstatus_to_exitcode(status)

    def _pause(self, seconds: float) -> None:
        select.select([self._wake_read], [], [], seconds)

    def _end(self, _number: int, _frame: object) -> None:
        self._ending = True
        with suppress(OSError):
            os.write(self._wake_write, b"x")
        if self._child:
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGTERM)

    def _take_lock(self) -> int:
        handle = os.open(f"{self._folder}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RecorderRunningError("a recorder for this session is already running") from None
        return handle

    def _prepare_run_folder(self) -> None:
        """Create the folder for the sockets; a folder that another user could have prepared is refused."""
        run = str(self._packet["run"])
        try:
            make_private_folder(run, private_hint=str(self._packet["way_on"]))
        except OSError as error:
            raise SessionError(f"cannot create {run}: {reason_of(error)}", code="run_folder") from None

    @staticmethod
    def _listen_tcp(port: int) -> socket.socket:
        """Bind 127.0.0.1, on the previous port if it is free.

        Closed connections of the previous recorder may still occupy that port. SO_REUSEADDR ignores them, but not
        another listener. On a new port the option is set after binding, when the port is ours alone.
        """
        for wanted in (port, 0):
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                if wanted:
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(("127.0.0.1", wanted))
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.listen(512)
            except OSError:
                listener.close()
                continue
            return listener
        raise SessionError("cannot listen on any port of 127.0.0.1", code="no_port")

    @staticmethod
    def _listen_unix(path: str) -> socket.socket:
        with suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108 - pathlib is not imported here, see the module's first lines
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(path)
            os.chmod(path, 0o600)  # noqa: PTH101 - see _listen_unix
            require_our_socket(path)
            listener.listen(512)
        except (OSError, SessionError):
            listener.close()
            raise SessionError("cannot create a socket in the session's folder", code="no_socket") from None
        return listener

    def _write_pid(self, name: str, pid: int) -> None:
        """Save a process id; a full disk or a deleted folder must not end the supervisor."""
        new = f"{self._folder}/{name}.new"
        with suppress(OSError):
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.write(handle, b"%d\n" % pid)
            finally:
                os.close(handle)
            os.replace(new, f"{self._folder}/{name}")  # noqa: PTH105 - see _listen_unix

    def _clean_up(self) -> None:
        names = [f"{self._folder}/supervisor.pid", f"{self._folder}/recorder.pid"]
        if is_our_folder(str(self._packet["run"])):
            names += [str(self._packet["control"]), str(self._packet["hooks"])]
        for path in names:
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - see _listen_unix
        if folder_gone(self._folder):
            self._clear_run_folder()

    def _clear_run_folder(self) -> None:
        """Delete the sockets' folder: nothing else would, and the token in it is no longer valid."""
        run = str(self._packet["run"])
        if not is_our_folder(run):
            return
        with suppress(OSError):
            for name in os.listdir(run):  # noqa: PTH208 - see _listen_unix
                os.unlink(f"{run}/{name}")  # noqa: PTH108 - see _listen_unix
            os.rmdir(run)  # noqa: PTH106 - see _listen_unix

    @staticmethod
    def _log(line: str) -> None:
        with suppress(OSError):
            os.write(2, f"{int(time.time())} {line}\n".encode())


def main(arguments: list[str]) -> int:
    """Become the supervisor: ``arguments`` are the pipe to read from and the pipe to report on."""
    packet_read, ready = (int(argument) for argument in arguments)
    os.set_inheritable(packet_read, False)
    os.set_inheritable(ready, False)
    packet = json.loads(read_line(packet_read, 10.0))
    os.close(packet_read)
    if os.fork():
        os._exit(0)
    os.umask(0o077)
    os.chdir("/")
    try:
        supervisor = Supervisor(packet)
    except SessionError as error:
        refusal = {"code": error.code, "message": error.message, "hint": error.hint}
        os.write(ready, json.dumps(refusal).encode() + b"\n")
        return 1
    return supervisor.run(ready)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
