"""The agents that ``promptster run`` can start: one file each behind one interface, found by the name that is typed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from promptster.errors import LaunchError

if TYPE_CHECKING:
    from promptster.agents.launching import Agent

_MODULES = {"claude": "claude", "codex": "codex", "cursor-agent": "cursor"}

NAMES = tuple(_MODULES)
"""What may stand after ``promptster run``."""


def find_agent(name: str) -> Agent:
    """The agent of this name.

    Raises:
        LaunchError: there is none (125: it is our refusal, whether or not such a program is installed).
    """
    module = _MODULES.get(name)
    if module is None:
        raise LaunchError(
            f"cannot record {name}",
            hint=f"Use {', '.join(NAMES[:-1])} or {NAMES[-1]}.",
            code="unknown_agent",
        )
    return cast("Agent", import_module(f"promptster.agents.{module}.launch").AGENT)
