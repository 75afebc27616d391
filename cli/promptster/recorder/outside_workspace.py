"""Records, once for each agent, that its hooks report from a folder outside the workspace.

No agent is started there, but one that runs may go there, or be an editor's. What it does stays recorded, for it is the
session's agent; that it was elsewhere is on record too, without the folder's name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from promptster.agents.working_folder import is_inside
from promptster.capture.engine import Capture
from promptster.config import is_object

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from promptster.capture.readers import AgentReaders
    from promptster.clock import Clock
    from promptster.protocol.events import Draft

_READ_BYTES: Final = 256 * 1024
"""A larger payload is not read a second time: the next small one shows the same."""


class PlacedCapture(Capture):
    """Capture that also looks where an agent works."""

    def __init__(
        self,
        append: Callable[[Draft], int],
        clock: Clock,
        *,
        agents: AgentReaders,
        allowed_kinds: Collection[str],
        hooked_agents: Collection[str] | None,
        workspace: Path,
        tell: Callable[[str], object],
    ) -> None:
        """``tell`` records a detail; the rest is capture's own."""
        super().__init__(
            append,
            clock,
            agents=agents,
            allowed_kinds=allowed_kinds,
            hooked_agents=hooked_agents,
            workspace=workspace,
        )
        self._place, self._tell = workspace, tell
        self._told: set[str] = set()
        self._known: dict[str, bool] = {}

    def hook(self, agent: str, payload: bytes, *, arrived: tuple[int, int] | None = None) -> None:
        """Take one hook payload; the first of an agent from elsewhere is followed by a note."""
        super().hook(agent, payload, arrived=arrived)
        if self._writer.paused or agent in self._told or len(payload) > _READ_BYTES:
            return
        try:
            value = json.loads(payload)
        except (ValueError, RecursionError):
            return
        folder = value.get("cwd") if is_object(value) else None
        if isinstance(folder, str) and folder and not self._is_inside(folder):
            self._told.add(agent)
            self._tell(f"{agent} works in a folder outside the workspace: what it does there is not submitted")

    def _is_inside(self, folder: str) -> bool:
        if folder not in self._known:
            if len(self._known) > 1000:  # noqa: PLR2004 - an agent that goes through as many folders
                self._known.clear()
            try:
                self._known[folder] = not self._place.is_dir() or is_inside(self._place / folder, self._place)
            except ValueError:  # no name of a folder at all
                self._known[folder] = True
        return self._known[folder]
