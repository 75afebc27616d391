"""What an agent's folder provides: ``AGENT``, with the capabilities that this agent has.

A capability is imported only when it is needed, so a plug-in costs nothing until then.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptster.agents.company import FindsCompanyProvider
    from promptster.agents.editor import HasEditorFile
    from promptster.agents.launching import Launches
    from promptster.capture.agent import ReadsHooks, ReadsRequests
    from promptster.protocol.agents import AgentFacts


class HookTransport(StrEnum):
    """How an agent's hooks reach the recorder."""

    HTTP = "http"
    """By POST to ``/hooks/<id>`` at the proxy, with the session's token in a header."""
    COMMAND = "command"
    """By a command that sends the payload to the recorder's socket."""


@dataclass(frozen=True, kw_only=True)
class AgentPlugin:
    """What the program can do for one agent; the parts are loaded when they are needed."""

    facts: AgentFacts
    """Its line in the catalogue."""
    launch: Callable[[], Launches]
    """How it is started."""
    requests: Callable[[], ReadsRequests] | None = None
    """How its API calls are read; ``None`` if they never pass through the proxy."""
    hooks: Callable[[], ReadsHooks] | None = None
    """How its hooks are read; ``None`` if it has none."""
    hook_transport: HookTransport | None = None
    """How its hooks arrive; ``None`` if it has none."""
    token_in_path: bool = False
    """Whether the base URL contains the session's token, because the agent cannot send a header of ours."""
    editor: Callable[[], HasEditorFile] | None = None
    """The workspace file that it reads inside an editor, if it has one."""
    company: Callable[[], FindsCompanyProvider] | None = None
    """How a company's own provider is found in its settings; ``None`` if its calls never pass through the proxy."""

    @property
    def id(self) -> str:
        """Its id in events, policies and hook addresses."""
        return self.facts.id

    @property
    def is_hooked(self) -> bool:
        """Whether it has both API calls at the proxy and hooks, so that silent hooks can be noticed."""
        return self.hooks is not None and self.requests is not None
