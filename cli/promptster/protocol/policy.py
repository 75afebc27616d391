"""The policy: what a candidate is asked to agree to, as exact bytes, with its text rendered from the enforced settings.

The text is always generated, and every reader of a policy can render it again. Every field that an event can carry
belongs to a topic of the newest text; ``TOPICS`` says to which.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from promptster.protocol.agents import IDS
from promptster.protocol.errors import DocumentError, NewerVersionError, PolicyTextError
from promptster.protocol.events.kinds import Kind
from promptster.protocol.policies import text_1, text_2, text_3, text_first
from promptster.protocol.policies.settings import (
    MAX_KEY_BACKUP_DAYS,
    NEWEST,
    POLICY_HEADER,
    AtLimit,
    Policy,
    PolicyV2,
)
from promptster.protocol.policies.text_3 import TOPICS

__all__ = [
    "AGENTS",
    "LEGAL_BASIS",
    "MAX_KEY_BACKUP_DAYS",
    "MAX_WORDS",
    "NEWEST",
    "NEWEST_TEXT",
    "NOT_YET_RECORDED",
    "POLICY_HEADER",
    "RECORDED_KINDS",
    "TOPICS",
    "AtLimit",
    "Policy",
    "PolicyV2",
    "make_policy",
    "policy_sha256",
    "render_text",
    "require_own_text",
]

MAX_WORDS: Final = 600
"""The greatest number of words in a policy's text."""
DEFAULT_RETENTION_DAYS: Final = 30
AGENTS: Final = IDS
"""The agents that can be recorded, as a policy names them."""
LEGAL_BASIS: Final = "your consent"
"""The legal basis if the organisation states no other."""
NEWEST_TEXT: Final = text_3.VERSION
"""The text that new policies get."""
_TEXTS: Final[Mapping[int, Callable[[PolicyV2], str]]] = MappingProxyType(
    {text_2.VERSION: text_2.render, text_3.VERSION: text_3.render}
)
"""Every rendering that a policy of version 2 can name."""


def policy_sha256(data: bytes) -> str:
    """Return the name of a policy: the SHA-256 of its exact bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


NOT_YET_RECORDED: Final = frozenset({Kind.NOTE, Kind.REDACTION, Kind.CAPTURE_BYPASS_SUSPECTED})
"""Kinds that the wire knows but no program records yet. A policy does not ask for them."""
RECORDED_KINDS: Final = tuple(kind for kind in Kind if kind not in NOT_YET_RECORDED)
"""The kinds that a policy asks for by default."""


def render_text(policy: Policy) -> str:
    """Render a policy's text from its settings, whatever text the policy contains.

    The policy names the rendering. A policy of version 1 names none and gets text 1.

    Raises:
        PolicyTextError: the policy allows events that no line of this text announces.
        NewerVersionError: this program does not know the rendering or a setting.
    """
    if not isinstance(policy, PolicyV2):
        return text_1.render(policy)
    render = _TEXTS.get(policy.text_version)
    if render is None:
        raise NewerVersionError(f"the policy has text {policy.text_version}; the newest known here is {NEWEST_TEXT}")
    return render(policy)


def require_own_text(policy: Policy) -> None:
    """Refuse a policy whose text differs from the one rendered from its settings, which are what is enforced.

    Raises:
        PolicyTextError: the text differs.
        NewerVersionError: only a newer version of Promptster can compare them.
    """
    own = [render_text(policy)]
    if not isinstance(policy, PolicyV2):  # does not name its text, and there were two
        own.append(text_first.render(policy))
    if policy.text not in own:
        raise PolicyTextError("the policy's text does not match its settings")


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
    """Make a policy of the newest version, with the newest text.

    Candidates are told to write to the organisation unless ``contact`` is given. Nothing is submitted at the limit, any
    model may be used, and only roles can read: there are no other choices yet.

    Raises:
        DocumentError: the names make the text longer than ``MAX_WORDS``.
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
        text_version=NEWEST_TEXT,
        agents=tuple(sorted(set(agents))),
        models=(),
        contact=organisation if contact is None else contact,
        alternative=alternative,
        legal_basis=legal_basis,
        at_limit=AtLimit.STOP,
        key_backup_days=key_backup_days,
        reader_scopes=(),
        reader_systems=(),
    )
    rendered = render_text(settings)
    if len(rendered.split()) > MAX_WORDS:
        raise DocumentError(f"the policy's text has more than {MAX_WORDS} words", code="policy_words", fault="local")
    return replace(settings, text=rendered)
