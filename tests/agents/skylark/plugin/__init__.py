"""Skylark, a small agent that exists to show what a plug-in needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.agents.plugin import AgentPlugin, HookTransport
from promptster.protocol.agents import BY_ID

if TYPE_CHECKING:
    from promptster.agents.launching import Launches
    from promptster.capture.agent import ReadsHooks, ReadsRequests


def _launch() -> Launches:
    from promptster.agents.skylark.launch import SkylarkLaunch  # noqa: PLC0415 - loaded when it is needed

    return SkylarkLaunch()


def _requests() -> ReadsRequests:
    from promptster.agents.skylark.requests import SkylarkRequests  # noqa: PLC0415 - likewise

    return SkylarkRequests()


def _hooks() -> ReadsHooks:
    from promptster.agents.skylark.hooks import SkylarkHooks  # noqa: PLC0415 - likewise

    return SkylarkHooks()


AGENT = AgentPlugin(
    facts=BY_ID["skylark"],
    launch=_launch,
    requests=_requests,
    hooks=_hooks,
    hook_transport=HookTransport.COMMAND,
)
