"""Cursor's command line agent, and the agent in its editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.agents.plugin import AgentPlugin, HookTransport
from promptster.protocol.agents import BY_ID

if TYPE_CHECKING:
    from promptster.agents.editor import HasEditorFile
    from promptster.agents.launching import Launches
    from promptster.capture.agent import ReadsHooks


def _launch() -> Launches:
    from promptster.agents.cursor.launch import CursorLaunch  # noqa: PLC0415 - loaded when it is needed

    return CursorLaunch()


def _hooks() -> ReadsHooks:
    from promptster.agents.cursor.hooks import CursorHooks  # noqa: PLC0415 - likewise

    return CursorHooks()


def _editor() -> HasEditorFile:
    from promptster.agents.cursor.editor import CursorFile  # noqa: PLC0415 - likewise

    return CursorFile()


AGENT = AgentPlugin(
    facts=BY_ID["cursor"],
    launch=_launch,
    hooks=_hooks,
    editor=_editor,
    hook_transport=HookTransport.COMMAND,
)
