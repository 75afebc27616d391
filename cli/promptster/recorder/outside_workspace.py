"""Records, once for each agent, that its hooks report from a folder outside the workspace.

Agents are started in the workspace, but a running one may change its folder, and an editor's may begin elsewhere. What
such an agent does is still recorded, because it belongs to the session. That it worked elsewhere is recorded too,
without the folder's name.
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

_FOLDERS_KEPT: Final = 1000
_READ_BYTES: Final = 256 * 1024
"""Larger payloads are not parsed a second time here: the next small one names the same folder."""


class PlacedCapture(Capture):
    """Capture that also checks in which folder an agent works."""

    def __init__(
        self,
        append: Callable[[Draft], int],
        clock: Clock,
        *,
        agents: AgentReaders,
        allowed_kinds: Collection[str],
        hooked_agents: Collection[str] | None,
        workspace: Path,
        record_detail: Callable[[str], object],
    ) -> None:
        """``record_detail`` records what is noticed, in words; the other arguments are those of ``Capture``."""
        super().__init__(
            append,
            clock,
            agents=agents,
            allowed_kinds=allowed_kinds,
            hooked_agents=hooked_agents,
            workspace=workspace,
        )
        self._workspace, self._record_detail = workspace, record_detail
        self._reported: set[str] = set()
        """Agents whose work outside the workspace has been recorded."""
        self._inside: dict[str, bool] = {}
        """Whether each folder that hooks named is in the workspace."""

    def hook(self, agent: str, payload: bytes, *, arrived: tuple[int, int] | None = None) -> None:
        """Capture one hook payload; after an agent's first one from outside the workspace, record that."""
        super().hook(agent, payload, arrived=arrived)
        if self._writer.paused or agent in self._reported or len(payload) > _READ_BYTES:
            return
        try:
            value = json.loads(payload)
        except (ValueError, RecursionError):
            return
        folder = value.get("cwd") if is_object(value) else None
        if isinstance(folder, str) and folder and not self._is_inside(folder):
            self._reported.add(agent)
            self._record_detail(f"{agent} works in a folder outside the workspace: what it does there is not submitted")

    def _is_inside(self, folder: str) -> bool:
        if folder not in self._inside:
            if len(self._inside) > _FOLDERS_KEPT:
                self._inside.clear()
            root = self._workspace
            try:
                self._inside[folder] = not root.is_dir() or is_inside(root / folder, root)
            except ValueError:  # not a valid folder name
                self._inside[folder] = True
        return self._inside[folder]
