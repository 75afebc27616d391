"""The policy of an assessment, generated from what the collector enforces."""

from __future__ import annotations

from dataclasses import dataclass

from promptster.protocol.errors import DocumentError
from promptster.protocol.policy import Policy, make_policy
from promptster.proxy.upstreams import DEFAULT_UPSTREAMS
from promptster_collector.access.principal import READERS
from promptster_collector.errors import InvalidError


@dataclass(frozen=True, kw_only=True)
class PolicySettings:
    """What differs from one assessment's policy to the next."""

    organisation: str
    title: str
    retention_days: int
    time_limit_minutes: int


def policy_bytes(settings: PolicySettings) -> bytes:
    """The policy's exact bytes; the roles named as readers are those that the read routes admit.

    Raises:
        InvalidError: organisation and title make the text too long.
    """
    try:
        policy = make_policy(
            organisation=settings.organisation,
            title=settings.title,
            retention_days=settings.retention_days,
            time_limit_minutes=settings.time_limit_minutes,
            providers={name: upstream.base_url for name, upstream in DEFAULT_UPSTREAMS.items()},
            hooks=True,
            analysis_by_llm=False,
            readers=[role.value for role in READERS.roles],
        )
        return policy.payload()
    except DocumentError as error:
        raise InvalidError("the policy cannot be written with this title", code="title", hint=error.message) from error


def policy_of(data: bytes) -> Policy:
    """Read a stored policy."""
    return Policy.parse(data)
