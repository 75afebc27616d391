"""Asking the running recorder: one JSON line each way over ``control.sock``.

A request is ``{"op": NAME, ...arguments}``; the answer is ``{"ok": true, ...}`` or ``{"ok": false, "error": {"code",
"message", "hint"}}``. One connection may carry several requests, one after the other. Before anything is asked,
``promptster.private`` looks whose folder, socket and process that is; the answers' types are those of
``promptster.session_folder.control_messages``. The recorder's side is ``promptster.recorder.control_server``.

| op | arguments | answer |
|---|---|---|
| status | | ``RecorderStatus`` as JSON |
| launch | | ``port``, ``token``, ``base_urls``, ``usual_addresses``, ``hook_socket``, ``spool`` |
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
import time
from typing import TYPE_CHECKING, Any

from promptster import private
from promptster.errors import InsideAgentError, SessionError
from promptster.session_folder.control_messages import (
    Answer,
    Closed,
    Flushed,
    LaunchTicket,
    Recorded,
    RecorderStatus,
    Refused,
    Told,
    malformed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.session_folder.folder import SessionFolder

LINE_LIMIT = 64 * 1024 * 1024
"""Bytes of one request or answer; a submission's diff travels in one."""


_NOT_REPEATED = frozenset({"record", "refused"})
"""What might be recorded twice if it were asked again after a lost answer."""


class ControlClient:
    """A command's line to the recorder of one session. Each call is one connection."""

    def __init__(self, folder: SessionFolder, *, timeout: float = 30.0) -> None:
        """Name the session; nothing is connected yet. ``timeout`` is in seconds, for each step of a call."""
        self._folder = folder
        self._timeout = timeout

    def status(self) -> RecorderStatus:
        """How the recording stands."""
        return RecorderStatus.read(self.ask("status"))

    def launch(self) -> LaunchTicket:
        """How an agent reaches the recorder."""
        return LaunchTicket.read(self.ask("launch"))

    def record(self, drafts: Sequence[Mapping[str, Any]]) -> list[int]:
        """Record events of the session itself; they are durable when this returns their seqs."""
        return list(Recorded.read(self.ask("record", drafts=list(drafts))).seqs)

    def pause(self, *, reason: str = "candidate") -> int:
        """Record nothing of agents until ``resume``; returns the seq of the event that says so."""
        return Told.read(self.ask("pause", reason=reason)).seq

    def resume(self, *, reason: str = "candidate") -> int:
        """Record again; returns the seq of the event that says so."""
        return Told.read(self.ask("resume", reason=reason)).seq

    def close(self, drafts: Sequence[Mapping[str, Any]]) -> int:
        """Record the last events, end the recording and seal everything; returns the number of all events."""
        return Closed.read(self.ask("close", drafts=list(drafts))).events

    def flush(self, *, seconds: float = 10.0, again: bool = False) -> tuple[int, int]:
        """Send what there is, for at most that long; returns (received, events).

        ``again`` also sends what the collector refused for good.
        """
        answer = Flushed.read(self.ask("flush", seconds=seconds, again=again, timeout=self._timeout + seconds))
        return answer.received, answer.events

    def refused(self, command: str, *, agent: str) -> bool:
        """Record that a command did not work inside an agent; whether it stands in the record."""
        return Refused.read(self.ask("refused", command=command, agent=agent)).recorded

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
        while not self.is_released():
            if time.monotonic() > deadline:
                raise self._unreachable()
            time.sleep(0.01)

    def is_released(self) -> bool:
        """Whether neither a supervisor nor a recorder holds the session at this moment."""
        with self._folder.lock_file.open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return False
            return True

    def ask(self, op: str, *, timeout: float | None = None, **arguments: Any) -> Answer:
        """``call``, with an answer that is read by name and type."""
        return Answer(self.call(op, timeout=timeout, **arguments))

    def call(self, op: str, *, timeout: float | None = None, **arguments: Any) -> dict[str, Any]:
        """Ask one thing.

        Raises:
            SessionError: the recorder refused (its own code), or code ``recorder_unreachable``.
            NotPrivateError: what answers, or where it does, is not ours.
            AnswerError: the answer is none.
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
        folder = self._folder
        with private.connect(folder.control_socket, timeout=seconds, way_on=folder.way_on) as connection:
            try:
                connection.sendall(request)
                with connection.makefile("rb") as answers:
                    line = answers.readline(LINE_LIMIT)
                return line if line.endswith(b"\n") else b""
            except (ConnectionResetError, BrokenPipeError):
                return b""

    def _read_answer(self, line: bytes) -> dict[str, Any]:
        if not line:
            raise self._unreachable()
        try:
            value: Any = json.loads(line)
        except (ValueError, RecursionError):
            raise malformed("no JSON") from None
        answer = Answer(value)
        if answer.flag("ok"):
            return dict(value)
        told = answer.inner("error")
        if told is None:
            raise malformed("error")
        code = told.text("code")
        kind = InsideAgentError if code == InsideAgentError.default_code else SessionError
        raise kind(told.text("message"), hint=told.text("hint") if told.known("hint") else None, code=code)

    @staticmethod
    def _unreachable() -> SessionError:
        return SessionError(
            "the recorder is not responding",
            hint="Run `promptster resume` to start it again. Nothing that was recorded is lost.",
            code="recorder_unreachable",
        )
