"""Sends requests to the running recorder over ``control.sock``, and reads its answers.

Both are JSON lines. A request is ``{"op": NAME, ...}``, one of ``promptster.session_folder.control_calls``. The answer
is ``{"ok": true, ...}``, one of ``promptster.session_folder.control_messages``, or ``{"ok": false, "error": {"code",
"message", "hint"}}``. One connection may carry several requests, one after the other. Before a request is sent,
``promptster.private`` checks who owns the folder, the socket and the process. The recorder's side is
``promptster.recorder.control_server``.

From a process of an agent the recorder accepts only ``status``, ``flush``, ``refused``, and ``record`` for notes.
"""

from __future__ import annotations

import fcntl
import json
import time
from typing import TYPE_CHECKING

from promptster import private
from promptster.errors import InsideAgentError, RecorderUnreachableError, SessionError
from promptster.session_folder.answer_fields import AnswerFields, malformed
from promptster.session_folder.control_calls import (
    CloseCall,
    ControlCall,
    FlushCall,
    LaunchCall,
    PauseCall,
    RecordCall,
    RefusedCall,
    ResumeCall,
    SentEvent,
    StatusCall,
    StopCall,
)
from promptster.session_folder.control_messages import (
    CloseReply,
    FlushReply,
    LaunchTicket,
    RecorderStatus,
    RecordReply,
    RefusedReply,
    StateReply,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.session_folder.folder import SessionFolder

LINE_LIMIT = 64 * 1024 * 1024
"""Maximum bytes of one request or answer; a submission's diff is sent in one request."""

_NOT_REPEATED = (RecordCall, RefusedCall)
"""Requests that are not sent again after a lost answer, because they might be recorded twice."""


class ControlClient:
    """A command's connection to the recorder of one session. Each call opens a new connection."""

    def __init__(self, folder: SessionFolder, *, timeout: float = 30.0) -> None:
        """Use this session's recorder, without connecting yet. ``timeout`` is in seconds, for each step of a call."""
        self._folder = folder
        self._timeout = timeout

    def status(self) -> RecorderStatus:
        """Ask for the status of the recording."""
        return RecorderStatus.read(self.ask(StatusCall()))

    def launch(self) -> LaunchTicket:
        """Ask how an agent reaches the recorder."""
        return LaunchTicket.read(self.ask(LaunchCall()))

    def record(self, events: Sequence[SentEvent]) -> list[int]:
        """Record events of the session itself; returns their sequence numbers once they are durable."""
        return list(RecordReply.read(self.ask(RecordCall(drafts=events))).seqs)

    def pause(self, *, reason: str = "candidate") -> int:
        """Record nothing of agents until ``resume``; returns the sequence number of the event for that."""
        return StateReply.read(self.ask(PauseCall(reason=reason))).seq

    def resume(self, *, reason: str = "candidate") -> int:
        """Record again; returns the sequence number of the event for that."""
        return StateReply.read(self.ask(ResumeCall(reason=reason))).seq

    def close(self, events: Sequence[SentEvent]) -> int:
        """Record the last events, end the recording and seal everything; returns the number of all events."""
        return CloseReply.read(self.ask(CloseCall(drafts=events))).events

    def flush(self, *, seconds: float = 10.0, again: bool = False) -> tuple[int, int]:
        """Send what was recorded, for at most ``seconds``; returns (received, events).

        ``again`` also sends what the collector refused for good.
        """
        answer = FlushReply.read(self.ask(FlushCall(seconds=seconds, again=again), timeout=self._timeout + seconds))
        return answer.received, answer.events

    def refused(self, command: str, *, agent: str) -> bool:
        """Record that a command did not work inside an agent; returns whether it was recorded."""
        return RefusedReply.read(self.ask(RefusedCall(command=command, agent=agent))).recorded

    def stop(self, *, withdrawn: bool = False, for_another: bool = False) -> None:
        """End recorder and supervisor; both have ended when this returns.

        With ``withdrawn`` they write and send nothing more; with ``for_another`` the session itself continues.

        Raises:
            SessionError: no recorder answers, or the processes did not end in time.
        """
        self.ask(StopCall(withdrawn=withdrawn, for_another=for_another))
        self.wait_until_released()

    def wait_until_released(self) -> None:
        """Wait for the folder's lock, which supervisor and recorder hold until they end.

        Raises:
            SessionError: they did not end in time.
        """
        deadline = time.monotonic() + self._timeout
        while not self.is_released():
            if time.monotonic() > deadline:
                raise RecorderUnreachableError
            time.sleep(0.01)

    def is_released(self) -> bool:
        """Return whether neither a supervisor nor a recorder runs for the session at this moment."""
        with self._folder.lock_file.open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return False
            return True

    def ask(self, call: ControlCall, *, timeout: float | None = None) -> AnswerFields:
        """Send a request and return the answer; ``timeout`` is in seconds.

        Raises:
            RecorderUnreachableError: no recorder answers.
            SessionError: the recorder refused, with its own code.
            NotPrivateError: the folder, the socket or the process belongs to another user.
            AnswerError: the answer cannot be read.
            InsideAgentError: the recorder refused because an agent asked.
        """
        request = json.dumps(call.document()).encode() + b"\n"
        seconds = self._timeout if timeout is None else timeout
        attempts = 1 if isinstance(call, _NOT_REPEATED) else 3
        line = b""
        while attempts and not line:
            attempts -= 1
            try:
                line = self._exchange(request, seconds)
            except OSError as error:
                raise RecorderUnreachableError from error
        return _read_answer(line)

    def _exchange(self, request: bytes, seconds: float) -> bytes:
        """Send one line and return one; empty if the recorder crashed meanwhile (its supervisor keeps the socket)."""
        folder = self._folder
        with private.connect(folder.control_socket, timeout=seconds, private_hint=folder.private_hint) as connection:
            try:
                connection.sendall(request)
                with connection.makefile("rb") as answers:
                    line = answers.readline(LINE_LIMIT)
                return line if line.endswith(b"\n") else b""
            except (ConnectionResetError, BrokenPipeError):
                return b""


def _read_answer(line: bytes) -> AnswerFields:
    if not line:
        raise RecorderUnreachableError
    try:
        answer = AnswerFields(json.loads(line))
    except (ValueError, RecursionError):
        raise malformed("not JSON") from None
    if answer.flag("ok"):
        return answer
    refusal = answer.inner("error")
    if refusal is None:
        raise malformed("error")
    code = refusal.text("code")
    kind = InsideAgentError if code == InsideAgentError.default_code else SessionError
    raise kind(refusal.text("message"), hint=refusal.text("hint") if refusal.known("hint") else None, code=code)
