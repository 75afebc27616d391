"""Which agents the policy that the candidate agreed to lets them use, by the names that ``promptster run`` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.agents.launchers import NAMES
from promptster.errors import LaunchError
from promptster.protocol.policy import Policy

if TYPE_CHECKING:
    from promptster.session_folder.folder import SessionFolder

_POLICY_NAMES = {"cursor-agent": "cursor"}
"""What a policy calls an agent where that is not the name of its program: an editor's agent counts as the same."""
_PROVIDERS = {"claude": "anthropic", "codex": "openai"}
"""The provider that a policy must name for an agent whose traffic goes through the recorder."""


def may_be_used(agent: str, policy: Policy) -> bool:
    """Whether a policy lets an agent be used, and says where its traffic goes."""
    provider = _PROVIDERS.get(agent)
    return policy.allows_agent(agent) and (provider is None or provider in policy.providers)


def allowed_names(folder: SessionFolder) -> tuple[str, ...]:
    """What may stand after ``promptster run`` in this session.

    Raises:
        SessionError: the policy is missing.
        ProtocolError: it cannot be read.
    """
    policy = Policy.parse(folder.read_document("policy.json"))
    return tuple(name for name in NAMES if may_be_used(_POLICY_NAMES.get(name, name), policy))


def require_allowed(name: str, folder: SessionFolder) -> None:
    """Return if this agent may be used in this session.

    Raises:
        LaunchError: it may not be (125).
        SessionError: the policy is missing.
        ProtocolError: it cannot be read.
    """
    allowed = allowed_names(folder)
    if name in allowed:
        return
    instead = " or ".join(f"`promptster run {other}`" for other in allowed)
    raise LaunchError(
        f"{name} may not be used in this assessment",
        hint=f"Use {instead}." if instead else "Ask the hiring team: it allows no agent that can be recorded here.",
        code="agent_not_allowed",
    )
