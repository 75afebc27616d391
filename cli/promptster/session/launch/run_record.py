"""Reads what was recorded of one run of an agent from the encrypted journal on this computer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptster.errors import SessionError
from promptster.journal.disk import SystemFiles
from promptster.journal.reading import read, scan
from promptster.protocol.errors import ProtocolError
from promptster.protocol.events import kinds, read_body
from promptster.protocol.events.base import OfAgent
from promptster.protocol.events.kinds import agent_of
from promptster.protocol.sealing import JournalCipher
from promptster.replay.timeline import build

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.protocol.events import OpenedEvent
    from promptster.session.current import Current

_PATIENCE_S = 3.0
_AGAIN_S = 0.05


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What was recorded since an agent was started."""

    prompts: int
    tool_calls: int
    files: int
    """Number of edited files."""
    conversation: str
    """The agent's own id of its last conversation; empty if no event contains it."""

    @property
    def empty(self) -> bool:
        """Whether nothing was recorded."""
        return not (self.prompts or self.tool_calls or self.files or self.conversation)


def read_run(current: Current, since: int, agent: str) -> RunRecord:
    """Return what one agent did since an event; two runs of it at the same time are counted together.

    Args:
        current: the session.
        since: the sequence number of the first event that counts.
        agent: the agent's id.

    Raises:
        SessionError: the session's keys were deleted.
    """
    _await_durable(current)
    events = [event for event in _events(current, since) if event.lane == 0 or _is(event, agent)]
    done = [entry.event for entry in build(events).entries if agent_of(entry.event) == agent]
    edited = {event.path for event in done if isinstance(event, kinds.FileEdit)}
    return RunRecord(
        prompts=sum(isinstance(event, kinds.Prompt) and not event.machine for event in done),
        tool_calls=sum(isinstance(event, kinds.ToolCall) for event in done),
        files=len(edited),
        conversation=_conversation([event for event in events if _is(event, agent)]),
    )


def _is(event: OpenedEvent, agent: str) -> bool:
    return agent_of(event.event) == agent


def _events(current: Current, since: int) -> Iterator[OpenedEvent]:
    session = current.facts.session
    cipher, files = JournalCipher(current.secrets.content_key, session), SystemFiles()
    found = scan(files, current.folder.journal, cipher, session)
    for _, data in read(files, found, cipher):
        for event in read_body(data):
            if event.seq >= since:
                try:
                    yield event.open()
                except ProtocolError:  # needs an earlier block; no prompt, tool call or edit does
                    continue


def _conversation(events: list[OpenedEvent]) -> str:
    """Return the conversation that ended last, or else the latest; a subagent's cannot be continued and is skipped."""
    said = (event.event for event in events)
    named = [event for event in said if isinstance(event, OfAgent) and event.agent_session and not event.agent_id]
    ended = [event for event in named if isinstance(event, kinds.AgentOther) and event.raw_kind == "SessionEnd"]
    last = (ended or named)[-1:]
    return (last[0].agent_session or "") if last else ""


def _await_durable(current: Current) -> None:
    """Wait a moment until the recorder has written all events to the disk."""
    deadline = time.monotonic() + _PATIENCE_S
    try:
        wanted = current.control.status().events
        while current.control.status().durable < wanted and time.monotonic() < deadline:
            time.sleep(_AGAIN_S)  # another process writes; there is no event to wait for
    except SessionError:
        return
