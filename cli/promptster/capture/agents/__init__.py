"""One module per agent: how it names its sessions, what it adds to the user's words, what its hooks report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.capture.agents.claude_code import ClaudeCode
from promptster.capture.agents.codex import Codex
from promptster.capture.agents.cursor import Cursor
from promptster.capture.agents.generic import Generic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.capture.agents.interface import Agent

AGENTS: tuple[Agent, ...] = (ClaudeCode(), Codex(), Cursor())
"""Every agent whose habits are known."""

UNKNOWN: Agent = Generic()
"""Stands for whoever else speaks a known API."""


def agent_of(headers: Mapping[str, str]) -> Agent:
    """The agent that sent a request with these header fields (names in lower case)."""
    return next((agent for agent in AGENTS if agent.recognises(headers)), UNKNOWN)


def agent_named(name: str) -> Agent:
    """The agent of this name."""
    return next((agent for agent in AGENTS if agent.name == name), UNKNOWN)
