"""Heron, of which only hooks can be recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.agents.plugin import AgentPlugin, HookTransport
from promptster.protocol.agents import BY_ID

if TYPE_CHECKING:
    from promptster.agents.editor import HasEditorFile
    from promptster.agents.launching import Launches
    from promptster.capture.agent import ReadsHooks


def _launch() -> Launches:
    from promptster.agents.heron.launch import HeronLaunch  # noqa: PLC0415 - loaded when it is needed

    return HeronLaunch()


def _hooks() -> ReadsHooks:
    from promptster.agents.heron.hooks import HeronHooks  # noqa: PLC0415 - loaded when it is needed

    return HeronHooks()


def _editor() -> HasEditorFile:
    from promptster.agents.heron.editor import HeronFile  # noqa: PLC0415 - loaded when it is needed

    return HeronFile()


AGENT = AgentPlugin(
    facts=BY_ID["heron"], launch=_launch, hooks=_hooks, editor=_editor, hook_transport=HookTransport.COMMAND
)
