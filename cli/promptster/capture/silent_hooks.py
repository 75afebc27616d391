"""Notices hooks that should have reported a tool call but did not, because they are switched off or were lost."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from promptster.protocol.events import Source
from promptster.protocol.events.kinds import CaptureHookSilent

if TYPE_CHECKING:
    from collections.abc import Collection

    from promptster.capture.agent import Identity
    from promptster.capture.draft_writer import DraftWriter
    from promptster.capture.tool_calls import ReportedCall

GRACE_MS = 3000
"""Milliseconds after a tool's result in which its hook may still arrive."""


class SilentHooks:
    """Expects the hooks of tools whose results the proxy saw.

    A missing hook is recorded once for each agent session, and again only after a hook of that session has arrived.
    """

    def __init__(self, writer: DraftWriter, hooked_agents: Collection[str]) -> None:
        self._writer = writer
        self._hooked = frozenset(hooked_agents)
        self._due: deque[tuple[int, str, Identity, ReportedCall]] = deque()
        self._silent: set[tuple[str, str]] = set()

    @property
    def silent_agents(self) -> frozenset[str]:
        """Agents with a session whose hooks are silent."""
        return frozenset(agent for agent, _ in self._silent)

    def is_silent(self, identity: Identity) -> bool:
        """Whether the hooks of a conversation's agent session are silent."""
        return (identity.agent, identity.session) in self._silent

    def heard(self, identity: Identity) -> None:
        """Note that a hook of the session arrived."""
        self._silent.discard((identity.agent, identity.session))

    def expect(self, identity: Identity, call: ReportedCall, tool_use_id: str) -> None:
        """Expect the hooks of a tool call that has run."""
        if identity.agent in self._hooked and call.partner is None:
            self._due.append((self._writer.now().mono_ms + GRACE_MS, tool_use_id, identity, call))

    def tick(self, *, ending: bool = False) -> None:
        """Record the calls whose hooks did not arrive in time; at the end of the session, all that are missing."""
        now = self._writer.now().mono_ms
        while self._due and (ending or self._due[0][0] <= now):
            _, tool_use_id, identity, call = self._due.popleft()
            place = (identity.agent, identity.session)
            if call.partner is not None or place in self._silent:
                continue
            self._silent.add(place)
            silent = CaptureHookSilent(tool_use_id=tool_use_id, name=call.name, agent=identity.agent)
            self._writer.write(Source.RECORDER, silent, refs=(call.seq,))

    def forget(self) -> None:
        """Stop expecting the hooks of earlier calls, as they may have run while nothing was captured."""
        self._due.clear()
