"""Codex."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.agents.plugin import AgentPlugin, HookTransport
from promptster.protocol.agents import BY_ID

if TYPE_CHECKING:
    from promptster.agents.company import FindsCompanyProvider
    from promptster.agents.launching import Launches
    from promptster.capture.agent import ReadsHooks, ReadsRequests


def _launch() -> Launches:
    from promptster.agents.codex.launch import CodexLaunch  # noqa: PLC0415 - loaded when it is needed

    return CodexLaunch()


def _requests() -> ReadsRequests:
    from promptster.agents.codex.requests import CodexRequests  # noqa: PLC0415 - likewise

    return CodexRequests()


def _hooks() -> ReadsHooks:
    from promptster.agents.codex.hooks import CodexHooks  # noqa: PLC0415 - likewise

    return CodexHooks()


def _company() -> FindsCompanyProvider:
    from promptster.agents.codex.company import CodexCompany  # noqa: PLC0415 - likewise

    return CodexCompany()


AGENT = AgentPlugin(
    facts=BY_ID["codex"],
    launch=_launch,
    requests=_requests,
    hooks=_hooks,
    company=_company,
    hook_transport=HookTransport.COMMAND,
)
