"""Refuses an agent's requests to end, pause or change a recording.

The operating system identifies the requesting process (``SO_PEERCRED``), and ``promptster.system.inside_agent`` finds
out whether it belongs to an agent. Every refused attempt is recorded once: by this module if the recorder was asked
directly, and through a ``refused`` call if one of our commands had already refused.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptster.errors import InsideAgentError, SessionError
from promptster.protocol.agents import BY_PROGRAM
from promptster.protocol.events import Source
from promptster.protocol.events.kinds import AgentOther, Note
from promptster.replay.model import REFUSED_ATTEMPT
from promptster.session_folder.control_calls import (
    ControlCall,
    FlushCall,
    RecordCall,
    RefusedCall,
    SentEvent,
    StatusCall,
)
from promptster.session_folder.control_messages import RefusedReply
from promptster.session_folder.folder import SessionState
from promptster.system.inside_agent import agent_around
from promptster.system.processes import started

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.recorder.recording import Recording

_HARMLESS = (StatusCall, FlushCall, RefusedCall)


def refusal(command: str, *, recorded: bool, asks: bool) -> InsideAgentError:
    """The error for a request that came from an agent.

    Args:
        command: the requested command, as it is typed.
        recorded: whether the attempt was recorded.
        asks: whether this command has a ``--yes``.
    """
    first = "Nothing was changed, --yes or not." if asks else "Nothing was changed."
    hint = f"{first} This attempt is recorded.\n" if recorded else f"{first}\n"
    return InsideAgentError(f"{command} does not work inside an agent", hint=f"{hint}Use your own terminal.")


class AgentRefusal:
    """Checks which process sent a request before the request is carried out."""

    def __init__(self, recording: Recording, state: Path) -> None:
        """Guard one recording; ``state`` is the state folder that contains its session."""
        self._recording, self._state = recording, state

    async def check(self, call: ControlCall, pid: int) -> None:
        """Return if this process may make this request.

        Raises:
            InsideAgentError: the process belongs to an agent.
            SessionError: the process has ended, so its owner can no longer be determined.
        """
        if isinstance(call, _HARMLESS) or pid in {0, os.getpid()} or _is_note(call):
            return
        agent = agent_around(pid, self._state)
        if agent is None and started(pid):
            return
        if agent is None:
            raise SessionError("the process that sent this request has ended", code="asker_gone")
        recorded = await self.record({"request": call.op}, agent)
        raise refusal(f"{call.op!r} of the recorder", recorded=recorded, asks=False)

    async def refused(self, call: RefusedCall) -> RefusedReply:
        """Record that a command refused to run inside an agent."""
        return RefusedReply(recorded=await self.record({"command": call.command}, call.agent))

    async def record(self, payload: Mapping[str, Any], agent: str) -> bool:
        """Record one attempt and return whether it was recorded; while recording is off, it is not."""
        if self._recording.state is not SessionState.RECORDING:
            return False
        known = BY_PROGRAM.get(agent)
        attempt = AgentOther(raw_kind=REFUSED_ATTEMPT, payload=payload, agent=known.id if known else None)
        try:
            await self._recording.record([SentEvent(src=Source.LAUNCHER, event=attempt)])
        except SessionError:
            return False
        return True


def _is_note(call: ControlCall) -> bool:
    return isinstance(call, RecordCall) and all(isinstance(sent.event, Note) for sent in call.drafts)
