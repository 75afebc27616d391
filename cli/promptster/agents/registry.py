"""One module per agent: how it names its sessions, what it adds to the user's words, what its hooks report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.agents.claude.requests import ClaudeCode
from promptster.agents.codex.requests import Codex
from promptster.agents.cursor.hooks import Cursor
from promptster.agents.unnamed import Generic, Unnamed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.capture.agent import Agent

AGENTS: tuple[Agent, ...] = (ClaudeCode(), Codex(), Cursor())
"""Every agent whose habits are known."""

_UNNAMED: Mapping[str, Agent] = {
    "anthropic": Unnamed(ClaudeCode()),
    "openai": Unnamed(Codex()),
    "openai_chat": Unnamed(Codex()),
}
_UNKNOWN: Agent = Generic()


def agent_of(headers: Mapping[str, str], api: str = "") -> Agent:
    """The agent that sent a request with these header fields (names in lower case) by the API of this name."""
    return next((agent for agent in AGENTS if agent.recognises(headers)), agent_named("", api))


def agent_named(name: str, api: str = "") -> Agent:
    """The agent of this name; for any other one whoever else speaks the API."""
    return next((agent for agent in AGENTS if agent.name == name), _UNNAMED.get(api, _UNKNOWN))
