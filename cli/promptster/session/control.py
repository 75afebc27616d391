"""Asking the running recorder: one JSON line each way over ``control.sock``.

A request is ``{"op": NAME, ...arguments}``; the answer is ``{"ok": true, ...}`` or ``{"ok": false, "error": {"code",
"message", "hint"}}``. One connection may carry several requests, one after the other. The socket's folder is 0700: who
can connect is the candidate. The recorder's side is ``promptster.session.control_server``.

| op | arguments | answer |
|---|---|---|
| status | | ``RecorderStatus`` as JSON |
| launch | | ``port``, ``token``, ``base_urls``, ``usual_addresses``, ``hook_url``, ``hook_socket``, ``spool`` |
| record | ``drafts``: [{src, kind, fields, lane?, refs?}] | ``seqs``, durable when the answer comes |
| pause, resume | ``reason``? | ``seq`` |
| close | ``drafts`` | ``events``; then poll ``status`` until ``received`` equals it |
| flush | ``seconds``?, ``again``? | ``received``, ``events`` after everything so far was sent, or the time was over |
| stop | ``withdrawn``?, ``for_another``? | the recorder has recorded its end and goes |
| refused | ``command``, ``agent`` | ``recorded``: whether a command's no to an agent stands in the record |

From a process of an agent the recorder takes ``status``, ``flush`` and ``refused``, and ``record`` for notes only.
"""

from __future__ import annotations

import fcntl
import json
import socket
import time
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from promptster.errors import InsideAgentError, SessionError
from promptster.session.state import SessionFolder, SessionState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LINE_LIMIT = 64 * 1024 * 1024
"""Bytes of one request or answer; a submission's diff travels in one."""


_NOT_REPEATED = frozenset({"record", "refused"})
"""What might be recorded twice if it were asked again after a lost answer."""


@dataclass(frozen=True, kw_only=True)
class RecorderStatus:
    """What the recorder says of itself. Counts are events unless said otherwise."""

    session: str
    state: SessionState
    events: int
    """Recorded so far."""
    durable: int
    """Of these, on disk."""
    received: int
    """Of these, acknowledged by a receipt of the collector."""
    checked: int
    """Of these, opened and found sound by the collector."""
    batches: Mapping[str, int]
    """``sealed`` and ``received``: numbers of batches."""
    sources: Mapping[str, int]
    """Events by source."""
    dropped: Mapping[str, int]
    """Not recorded, by reason: ``policy``, ``paused``, ``time_limit``, ``overload``."""
    collector: Mapping[str, Any]
    """``reachable`` (null before the first try), ``last_error`` (a code or null) and ``refused`` (null, or ``code``
    and ``message`` of a refusal for good: nothing more is sent until somebody asks for it)."""
    port: int
    record_until: int
    upload_until: int
    restarts: int
    """How often the supervisor had to start the recorder again."""
    silent_hooks: tuple[str, ...] = ()
    """Agents whose hooks were expected and did not come."""
    degraded: tuple[str, ...] = ()
    """What is not recorded in full at the moment: ``disk_nearly_full``, ``disk_failing``, ``time_limit``."""
    supervised: bool = True
    """Whether the supervisor that started this recorder still runs."""
    path_check: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """By provider: whether an unauthenticated request through the proxy came back."""
    last: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What an agent did last, see ``promptster.session.latest``; empty while nothing was recorded of one."""
    paused_ms: int = 0
    """Wall clock at which the pause began that goes on; 0 while there is none."""

    @property
    def refused(self) -> Mapping[str, str] | None:
        """``code`` and ``message`` of a refusal for good, after which nothing more is sent."""
        return self.collector.get("refused")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RecorderStatus:
        """Read an answer; fields of a newer recorder are left aside."""
        known = {entry.name for entry in fields(cls)}
        values = {name: value for name, value in data.items() if name in known}
        values["state"] = SessionState(values["state"])
        values["silent_hooks"] = tuple(values.get("silent_hooks", ()))
        values["degraded"] = tuple(values.get("degraded", ()))
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class LaunchTicket:
    """What a launcher needs to put an agent behind the recorder.

    ``token`` is a secret: it belongs into 0600 files and environments, never into arguments.
    """

    port: int
    token: str
    base_urls: Mapping[str, str]
    """``claude``: with the token in its path; ``codex``: the token goes into a header."""
    usual_addresses: Sequence[str]
    """Upstreams that the recorder reaches where everybody does: their names."""
    hook_url: str
    """Where Claude Code's HTTP hooks post to; the token goes into a header."""
    hook_socket: str
    spool: str
    """The folder where hook processes leave what they could not hand over."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LaunchTicket:
        """Read an answer."""
        return cls(**{entry.name: data[entry.name] for entry in fields(cls)})


class ControlClient:
    """A command's line to the recorder of one session. Each call is one connection."""

    def __init__(self, folder: SessionFolder, *, timeout: float = 30.0) -> None:
        """Name the session; nothing is connected yet. ``timeout`` is in seconds, for each step of a call."""
        self._folder = folder
        self._timeout = timeout

    def status(self) -> RecorderStatus:
        """How the recording stands."""
        return RecorderStatus.from_json(self.call("status"))

    def launch(self) -> LaunchTicket:
        """How an agent reaches the recorder."""
        return LaunchTicket.from_json(self.call("launch"))

    def record(self, drafts: Sequence[Mapping[str, Any]]) -> list[int]:
        """Record events of the session itself; they are durable when this returns their seqs."""
        return list(self.call("record", drafts=list(drafts))["seqs"])

    def pause(self, *, reason: str = "candidate") -> int:
        """Record nothing of agents until ``resume``; returns the seq of the event that says so."""
        return int(self.call("pause", reason=reason)["seq"])

    def resume(self, *, reason: str = "candidate") -> int:
        """Record again; returns the seq of the event that says so."""
        return int(self.call("resume", reason=reason)["seq"])

    def close(self, drafts: Sequence[Mapping[str, Any]]) -> int:
        """Record the last events, end the recording and seal everything; returns the number of all events."""
        return int(self.call("close", drafts=list(drafts))["events"])

    def flush(self, *, seconds: float = 10.0, again: bool = False) -> tuple[int, int]:
        """Send what there is, for at most that long; returns (received, events).

        ``again`` also sends what the collector refused for good.
        """
        answer = self.call("flush", seconds=seconds, again=again, timeout=self._timeout + seconds)
        return int(answer["received"]), int(answer["events"])

    def refused(self, command: str, *, agent: str) -> bool:
        """Record that a command did not work inside an agent; whether it stands in the record."""
        return self.call("refused", command=command, agent=agent)["recorded"] is True

    def stop(self, *, withdrawn: bool = False, for_another: bool = False) -> None:
        """End recorder and supervisor; both are gone when this returns.

        ``withdrawn`` leaves nothing more to the journal or the wire; with ``for_another`` the session itself goes on.

        Raises:
            SessionError: nobody answered, or the processes did not end in time.
        """
        self.call("stop", withdrawn=withdrawn, for_another=for_another)
        self.wait_until_released()

    def wait_until_released(self) -> None:
        """Wait for the folder's lock, which supervisor and recorder hold until they end.

        Raises:
            SessionError: they did not end in time.
        """
        deadline = time.monotonic() + self._timeout
        with self._folder.lock_file.open("rb") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except OSError:
                    if time.monotonic() > deadline:
                        raise self._unreachable() from None
                    time.sleep(0.01)
                else:
                    return

    def call(self, op: str, *, timeout: float | None = None, **arguments: Any) -> dict[str, Any]:
        """Ask one thing.

        Raises:
            SessionError: the recorder refused (its own code), or code ``recorder_unreachable``.
            InsideAgentError: it refused because an agent asks.
        """
        request = json.dumps({"op": op, **arguments}).encode() + b"\n"
        seconds = self._timeout if timeout is None else timeout
        attempts = 1 if op in _NOT_REPEATED else 3
        line = b""
        while attempts and not line:
            attempts -= 1
            try:
                line = self._exchange(request, seconds)
            except OSError as error:
                raise self._unreachable() from error
        return self._read_answer(line)

    def _exchange(self, request: bytes, seconds: float) -> bytes:
        """One line out, one line in; empty if the recorder died in between (its supervisor keeps the socket)."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(seconds)
            connection.connect(str(self._folder.control_socket))
            try:
                connection.sendall(request)
                with connection.makefile("rb") as answers:
                    return answers.readline(LINE_LIMIT)
            except (ConnectionResetError, BrokenPipeError):
                return b""

    def _read_answer(self, line: bytes) -> dict[str, Any]:
        try:
            answer: Any = json.loads(line)
        except ValueError as error:
            raise self._unreachable() from error
        if answer.get("ok") is True:
            return dict(answer)
        told = answer.get("error", {})
        message = str(told.get("message", "the recorder refused"))
        code = str(told.get("code", "session"))
        kind = InsideAgentError if code == InsideAgentError.default_code else SessionError
        raise kind(message, hint=told.get("hint"), code=code)

    @staticmethod
    def _unreachable() -> SessionError:
        return SessionError(
            "the recorder is not responding",
            hint="Run `promptster resume` to start it again. Nothing that was recorded is lost.",
            code="recorder_unreachable",
        )
