"""Claude Code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.agents.plugin import AgentPlugin, HookTransport
from promptster.protocol.agents import BY_ID

if TYPE_CHECKING:
    from promptster.agents.company import FindsCompanyProvider
    from promptster.agents.editor import HasEditorFile
    from promptster.agents.launching import Launches
    from promptster.capture.agent import ReadsHooks, ReadsRequests


def _launch() -> Launches:
    from promptster.agents.claude.launch import ClaudeLaunch  # noqa: PLC0415 - loaded when it is needed

    return ClaudeLaunch()


def _requests() -> ReadsRequests:
    from promptster.agents.claude.requests import ClaudeRequests  # noqa: PLC0415 - likewise

    return ClaudeRequests()


def _hooks() -> ReadsHooks:
    from promptster.agents.claude.hooks import ClaudeHooks  # noqa: PLC0415 - likewise

    return ClaudeHooks()


def _editor() -> HasEditorFile:
    from promptster.agents.claude.editor import ClaudeFile  # noqa: PLC0415 - likewise

    return ClaudeFile()


def _company() -> FindsCompanyProvider:
    from promptster.agents.claude.company import ClaudeCompany  # noqa: PLC0415 - likewise

    return ClaudeCompany()


AGENT = AgentPlugin(
    facts=BY_ID["claude"],
    launch=_launch,
    requests=_requests,
    hooks=_hooks,
    editor=_editor,
    company=_company,
    hook_transport=HookTransport.HTTP,
    token_in_path=True,
)
