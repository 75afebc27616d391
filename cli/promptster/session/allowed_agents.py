"""Which agents the agreed policy allows, by the names that ``promptster run`` accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.errors import LaunchError
from promptster.protocol.agents import BY_ID, CATALOGUE
from promptster.protocol.policy import Policy

if TYPE_CHECKING:
    from promptster.session_folder.folder import SessionFolder


def may_be_used(agent: str, policy: Policy) -> bool:
    """Return whether a policy allows the agent with this id and names the provider that the agent usually uses."""
    upstreams = BY_ID[agent].upstreams if agent in BY_ID else ()
    return policy.allows_agent(agent) and all(provider in policy.providers for provider in upstreams[:1])


def allowed_names(folder: SessionFolder) -> tuple[str, ...]:
    """Return the agents that ``promptster run`` may start in this session.

    Raises:
        SessionError: the policy is missing.
        ProtocolError: the policy cannot be read.
    """
    policy = Policy.parse(folder.read_document("policy.json"))
    return tuple(agent.program for agent in CATALOGUE if may_be_used(agent.id, policy))


def require_allowed(name: str, folder: SessionFolder) -> None:
    """Require that this agent may be used in this session.

    Raises:
        LaunchError: it may not be used (exit code 125).
        SessionError: the policy is missing.
        ProtocolError: the policy cannot be read.
    """
    allowed = allowed_names(folder)
    if name in allowed:
        return
    instead = " or ".join(f"`promptster run {other}`" for other in allowed)
    raise LaunchError(
        f"this assessment does not allow {name}",
        hint=f"Use {instead}." if instead else "Ask the hiring team: it allows no agent that can be recorded here.",
        code="agent_not_allowed",
    )
