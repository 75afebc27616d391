"""Refusals by the recorder: the system identifies the caller, and an unidentified caller is refused."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from promptster.errors import InsideAgentError, SessionError
from promptster.private import peer_pid
from promptster.protocol.events import Source
from promptster.protocol.events.kinds import Note, SubmissionFinal
from promptster.recorder.agent_refusal import AgentRefusal, refusal
from promptster.session_folder.control_calls import FlushCall, RecordCall, SentEvent, StatusCall, StopCall

NOTE = SentEvent(src=Source.CANDIDATE, event=Note(text="x"))
FINAL = SentEvent(src=Source.WORKSPACE, event=SubmissionFinal())


def test_the_system_tells_who_asks(tmp_path: Path) -> None:
    """It is the process at the other end, not one that the request names."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        code = f"import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect({str(path)!r}); sys.stdin.read()"
        with subprocess.Popen([sys.executable, "-ISc", code], stdin=subprocess.PIPE) as asking:
            connection, _ = listener.accept()
            with connection:
                assert peer_pid(connection) == asking.pid
            asking.communicate()


def _guard(state: Path) -> AgentRefusal:
    """A guard without recording, which is not needed here."""
    return AgentRefusal(cast("Any", None), state)


async def test_somebody_who_ended_gets_nothing_done(tmp_path: Path) -> None:
    """If the caller has ended before its request is read, it can no longer be identified."""
    ended = await asyncio.create_subprocess_exec(sys.executable, "-ISc", "")
    await ended.wait()
    with pytest.raises(SessionError) as caught:
        await _guard(tmp_path).check(StopCall(), ended.pid)
    assert caught.value.code == "asker_gone"


async def test_what_reads_is_everybodys(tmp_path: Path) -> None:
    """Anyone may ask for the status or record a note; a note together with another event is refused."""
    guard, nobody = _guard(tmp_path), 2**22 + 1
    for call in (StatusCall(), FlushCall(), RecordCall(drafts=[NOTE])):
        await guard.check(call, nobody)
    for drafts in ([NOTE, FINAL], [FINAL]):
        with pytest.raises(SessionError):
            await guard.check(RecordCall(drafts=drafts), nobody)
    await guard.check(StopCall(), os.getpid())


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("asks", [True, False])
def test_the_words_say_only_what_is_so(recorded: bool, asks: bool) -> None:  # noqa: FBT001 - a table
    """``--yes`` is named if the command has it, and the record if the attempt was recorded."""
    error = refusal("promptster stop", recorded=recorded, asks=asks)
    assert isinstance(error, InsideAgentError)
    assert (error.exit_code, error.code) == (6, "inside_agent")
    first = "Nothing was changed, --yes or not." if asks else "Nothing was changed."
    assert error.hint == f"{first}{' This attempt is recorded.' if recorded else ''}\nUse your own terminal."
