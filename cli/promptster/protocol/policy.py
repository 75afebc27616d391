"""The policy: what a candidate is asked to agree to, as exact bytes, its text rendered from the enforced settings.

The text is generated, never written by hand beside the settings, and whoever reads a policy can render it again. Every
field that an event can carry belongs to a topic that the newest text names; ``TOPICS`` says which.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from promptster.protocol.agents import IDS
from promptster.protocol.errors import DocumentError, NewerVersionError
from promptster.protocol.kinds import Kind
from promptster.protocol.policies import text_1, text_2, text_first
from promptster.protocol.policies.settings import (
    MAX_KEY_BACKUP_DAYS,
    NEWEST,
    POLICY_HEADER,
    STOP,
    SUBMIT,
    Policy,
    PolicyV2,
)
from promptster.protocol.policies.text_2 import TOPICS
from promptster.protocol.policies.topics import TEXT_DIFFERS

__all__ = [
    "AGENTS",
    "CAPTURED_FIELDS",
    "LEGAL_BASIS",
    "MAX_KEY_BACKUP_DAYS",
    "MAX_WORDS",
    "NEWEST",
    "NOT_YET_RECORDED",
    "POLICY_HEADER",
    "RECORDED_KINDS",
    "STOP",
    "SUBMIT",
    "TEXT_DIFFERS",
    "TOPICS",
    "Policy",
    "PolicyV2",
    "make_policy",
    "policy_sha256",
    "render_text",
    "require_own_text",
]

MAX_WORDS: Final = 600
"""Words of a policy's text."""
DEFAULT_RETENTION_DAYS: Final = 30
AGENTS: Final = IDS
"""The agents that can be recorded, as a policy names them."""
LEGAL_BASIS: Final = "your consent"
"""The legal basis where the organisation states no other."""


def policy_sha256(data: bytes) -> str:
    """The name of a policy: the SHA-256 of its exact bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


NOT_YET_RECORDED: Final = frozenset({Kind.NOTE, Kind.REDACTION, Kind.CAPTURE_BYPASS_SUSPECTED})
"""Kinds that the wire knows and that no program records yet: a policy does not ask for them."""
RECORDED_KINDS: Final = tuple(kind for kind in Kind if kind not in NOT_YET_RECORDED)
"""Kinds that a policy asks for where nothing else is said."""

CAPTURED_FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        name: tuple(topic.phrase for topic in TOPICS if name in topic.fields)
        for name in sorted(frozenset[str]().union(*(topic.fields for topic in TOPICS)))
    }
)
"""The lines of the newest text that announce a field."""


def render_text(policy: Policy) -> str:
    """The text that follows from a policy's settings, by the rendering that it names, whatever its own text says.

    Version 1 names none: it is the last one that policies of version 1 had.

    Raises:
        DocumentError: the policy allows events that this text announces nowhere.
        NewerVersionError: the rendering, or a setting, is not known here.
    """
    if not isinstance(policy, PolicyV2):
        return text_1.render(policy)
    if policy.text_version != text_2.VERSION:
        raise NewerVersionError(f"the policy has text {policy.text_version}, and {text_2.VERSION} is the newest known")
    return text_2.render(policy)


def require_own_text(policy: Policy) -> None:
    """Refuse a policy whose text says anything else than its settings, which are what is enforced.

    Raises:
        DocumentError: it does.
        NewerVersionError: only a newer version of Promptster can tell.
    """
    own = [render_text(policy)]
    if not isinstance(policy, PolicyV2):  # which does not name its text: it is one of those that there were
        own.append(text_first.render(policy))
    if policy.text not in own:
        raise DocumentError("the policy's text is not the one that its settings have", code=TEXT_DIFFERS)


def make_policy(
    *,
    organisation: str,
    title: str,
    retention_days: int = DEFAULT_RETENTION_DAYS,
    time_limit_minutes: int = 0,
    providers: Mapping[str, str],
    hooks: bool = True,
    analysis_by_llm: bool = False,
    readers: Collection[str] = ("owner", "reviewer"),
    kinds: Collection[str] = RECORDED_KINDS,
    agents: Collection[str] = AGENTS,
    contact: str | None = None,
    alternative: str | None = None,
    legal_basis: str = LEGAL_BASIS,
    key_backup_days: int | None = None,
) -> PolicyV2:
    """A policy of the newest version, whose text is rendered from its own settings.

    Whom a candidate writes to is the organisation, unless ``contact`` says more. Nothing is submitted at the limit, any
    model may be used, and only roles read: there are no other choices yet.

    Raises:
        DocumentError: when names make the text longer than ``MAX_WORDS``.
    """
    settings = PolicyV2(
        organisation=organisation,
        title=title,
        text="",
        kinds=tuple(sorted(str(kind) for kind in kinds)),
        retention_days=retention_days,
        time_limit_minutes=time_limit_minutes,
        providers=dict(providers),
        hooks=hooks,
        analysis_by_llm=analysis_by_llm,
        readers=tuple(sorted(set(readers))),
        text_version=text_2.VERSION,
        agents=tuple(sorted(set(agents))),
        models=(),
        contact=organisation if contact is None else contact,
        alternative=alternative,
        legal_basis=legal_basis,
        at_limit=STOP,
        key_backup_days=key_backup_days,
        reader_scopes=(),
        reader_systems=(),
    )
    rendered = render_text(settings)
    if len(rendered.split()) > MAX_WORDS:
        raise DocumentError(f"the policy's text has more than {MAX_WORDS} words", code="policy_words", fault="local")
    return replace(settings, text=rendered)
