"""Text 2: the first text of policies of version 2. It never changes.

It was the first to say which agents may be used and what happens at the time limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from promptster.protocol.errors import NewerVersionError
from promptster.protocol.policies import text_1
from promptster.protocol.policies.settings import AtLimit
from promptster.protocol.policies.topics import announced, counted, joined, listed, paragraph, topic

if TYPE_CHECKING:
    from promptster.protocol.policies.settings import PolicyV2

VERSION: Final = 2
"""The ``text_version`` of policies with this text."""

_WITH_TASK: Final = topic(
    "the task's text, your consent, choices, language, Promptster version and operating system",
    "opened consent closed",
    "policy_sha256 choices locale decided_ms cli_version platform continues path_check brief brief_sha256 totals "
    "batches",
)
TOPICS: Final = tuple(_WITH_TASK if each.kinds == _WITH_TASK.kinds else each for each in text_1.TOPICS)
"""What the text says is recorded, line by line. All but one line are those of text 1."""

_NAMES: Final = {"claude": "Claude Code", "codex": "Codex", "cursor": "Cursor"}
"""The names of agents in this text; any other agent appears under its id."""


def _alternative(policy: PolicyV2) -> str:
    return f"{policy.organisation} then offers instead: {policy.alternative}." if policy.alternative else ""


def _traffic(policy: PolicyV2) -> str:
    agents = f"You may use {joined([_NAMES.get(name, name) for name in policy.agents], 'or')}."
    recorded = 'Started with "promptster run" or "promptster shell", or in an editor that you named, they'
    if not policy.providers:
        return f"{agents} {recorded} are recorded, but not their traffic to the model."
    listing = ", ".join(f"{name} ({url})" for name, url in sorted(policy.providers.items()))
    return f"{agents} {recorded} send their traffic for these providers through it: {listing}."


def _hooks(policy: PolicyV2) -> str:
    if not policy.hooks:
        return "The agents' hooks are not used."
    only = " (Cursor's only these)" if "cursor" in policy.agents else ""
    trusted = " Codex trusts these hooks for this session only." if "codex" in policy.agents else ""
    return f"The agents' hooks report to it too{only}.{trusted} Your own configuration stays as it is."


def _duration(minutes: int) -> str:
    if not minutes:
        return "Recording ends when the time that your invite allows is over."
    return f"Recording ends {counted(minutes, 'minute')} after you agree."


def _machine_reading(*, used: bool) -> str:
    if not used:
        return "People decide; no language model reads it."
    return "People decide. A language model may help them to find moments in it; it does not score, rank or decide."


def _kept(policy: PolicyV2) -> str:
    days = f"For {counted(policy.retention_days, 'day')} after the session ends. Then its keys are destroyed"
    if policy.key_backup_days is None:
        return f"{days}. Exported copies, backups and your own copy are not affected."
    backups = f", and at most {counted(policy.key_backup_days, 'day')} later their backups"
    if not policy.key_backup_days:
        backups = ", and no backup holds them"
    return f"{days}{backups}. Exported copies and your own copy are not affected."


def require_words(policy: PolicyV2, *, text_version: int) -> None:
    """Refuse settings that texts 2 and 3 do not explain; a newer text will.

    Raises:
        NewerVersionError: the policy has such a setting.
    """
    unsaid = {
        "at_limit": policy.at_limit != AtLimit.STOP,
        "models": bool(policy.models),
        "reader_scopes": bool(policy.reader_scopes),
        "reader_systems": bool(policy.reader_systems),
    }
    for name, holds in unsaid.items():
        if holds:
            raise NewerVersionError(f"text {text_version} of a policy does not explain its setting {name}")


def render(policy: PolicyV2) -> str:
    """Render the text of a policy with these settings.

    Raises:
        DocumentError: the policy allows events that no line announces.
        NewerVersionError: it has settings that this text does not explain.
    """
    require_words(policy, text_version=VERSION)
    roles = ", ".join(sorted(f"{role.replace('_', ' ')}s" for role in policy.readers)) or "nobody"
    paragraphs = (
        paragraph(
            f'{policy.organisation} asks to record how you work with AI agents in "{policy.title}".',
            "If you refuse, nothing is recorded and nothing on your computer changes.",
            _alternative(policy),
        ),
        listed("WHAT IS RECORDED", *announced(TOPICS, policy.kinds)),
        paragraph(
            "WHAT IS NOT RECORDED",
            "Your screen, keyboard, microphone, camera, browser and other programs.",
            "Your own editor is not watched.",
            "Your agent's key for its provider is removed.",
            "All else that your agent reads, prints or sends is recorded as it is, also personal data and passwords: "
            "keep those out of its reach.",
        ),
        paragraph(
            "HOW IT WORKS",
            "A recorder runs on your computer once you agree.",
            _traffic(policy),
            _hooks(policy),
            "It encrypts what it records, and sends it as you work.",
            "Not encrypted: your own copy and, until the end, copies of task files.",
        ),
        paragraph(
            "TIME LIMIT",
            _duration(policy.time_limit_minutes),
            "The clock also runs while you pause.",
            'Nothing is submitted then: "promptster submit" does that, also later.',
        ),
        paragraph(
            "WHO READS IT",
            f"At {policy.organisation}: {roles}.",
            "Every reading is logged.",
            _machine_reading(used=policy.analysis_by_llm),
            "You agree to its use for judging this one assessment, not to selling it or training models on it.",
            f"{policy.organisation}'s legal basis is {policy.legal_basis}.",
        ),
        paragraph(
            "HOW LONG IT IS KEPT",
            _kept(policy),
        ),
        listed(
            "WHAT YOU CAN DO",
            'see all of it: "promptster inspect"',
            'take a break: "promptster pause", then "promptster resume". If you then continue the conversation, '
            "what was said in the break may be sent again, and recorded.",
            'submit your work: "promptster submit". You keep a signed copy: what reviewers see.',
            'end without submitting: "promptster stop". What was sent is kept as above.',
            'withdraw consent, also after submitting: "promptster withdraw". The keys are destroyed at once.',
            closing="Files changed for recording are put back when it ends. About backups, a correction, an objection "
            f"or who read it, write to {policy.contact}. You may also complain to your data protection authority.",
        ),
        paragraph(
            "WHAT THE SIGNATURES MEAN",
            "They prove order and show later changes, not truth, or how able you are.",
            "Pauses and gaps are shown as gaps, never as misconduct.",
        ),
    )
    return "\n".join(paragraphs)
