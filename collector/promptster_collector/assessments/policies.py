"""An assessment's policy, generated from the settings that the collector enforces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptster.protocol.errors import DocumentError
from promptster.protocol.policy import AGENTS, LEGAL_BASIS, MAX_WORDS, NEWEST, POLICY_HEADER, Policy, make_policy
from promptster.protocol.providers import USUAL_ADDRESSES
from promptster_collector.access.principal import READERS
from promptster_collector.errors import InvalidError, UpgradeRequiredError

if TYPE_CHECKING:
    from collections.abc import Collection

_DIGITS = 6


@dataclass(frozen=True, kw_only=True)
class PolicySettings:
    """The settings that differ between policies."""

    organisation: str
    title: str
    retention_days: int
    time_limit_minutes: int
    agents: Collection[str] = AGENTS
    contact: str | None = None
    alternative: str | None = None
    legal_basis: str | None = None
    key_backup_days: int | None = None
    """Days that the operator states for key backups; ``None`` for no statement."""


def policy_bytes(settings: PolicySettings) -> bytes:
    """The policy's exact bytes; the roles named as readers are those that the read routes admit.

    Raises:
        InvalidError: the statements make the text too long.
    """
    try:
        policy = make_policy(
            organisation=settings.organisation,
            title=settings.title,
            retention_days=settings.retention_days,
            time_limit_minutes=settings.time_limit_minutes,
            providers=dict(USUAL_ADDRESSES),
            hooks=True,
            analysis_by_llm=False,
            readers=[role.value for role in READERS.roles],
            agents=settings.agents,
            contact=settings.contact,
            alternative=settings.alternative,
            legal_basis=settings.legal_basis or LEGAL_BASIS,
            key_backup_days=settings.key_backup_days,
        )
        return policy.payload()
    except DocumentError as error:
        if error.code != "policy_words":
            raise InvalidError("the policy cannot be written", code="title", hint=error.message) from error
        raise InvalidError(
            f"the policy's text would be too long ({MAX_WORDS} words at most)",
            code="title",
            hint="Shorten the title, the contact, the alternative or the legal basis.",
        ) from error


def require_reader(policy: bytes, reads: str | None) -> None:
    """Refuse a client that cannot read this policy.

    Args:
        policy: the invite's policy.
        reads: the newest version that the client reads, from its request; Promptster 0.1 did not send one.

    Raises:
        UpgradeRequiredError: it reads only older versions.
    """
    known = int(reads) if reads is not None and reads.isascii() and reads.isdigit() and len(reads) < _DIGITS else 1
    if known < policy_of(policy).V:
        raise UpgradeRequiredError(
            "this invite needs a newer version of Promptster",
            code="newer_version",
            hint="Nothing was changed. Update Promptster, then run the same command again.",
            headers={"upgrade": f"{POLICY_HEADER}/{NEWEST}", "connection": "upgrade"},
        )


def policy_of(data: bytes) -> Policy:
    """Read a stored policy."""
    return Policy.parse(data)
