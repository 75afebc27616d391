"""Text 3: the second text of policies of version 2, with the facts of text 2 in plainer words. It never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from promptster.protocol.policies import text_2
from promptster.protocol.policies.topics import announced, counted, joined, listed, paragraph

if TYPE_CHECKING:
    from promptster.protocol.policies.settings import PolicyV2

VERSION: Final = 3
"""The ``text_version`` of policies with this text."""

_SHORTER: Final = {
    "which agent acts, in which session, when, for how long, what else it reports, and what it is refused": (
        "which agent acts, in which session, when and how long, what else it reports, and refused Promptster commands"
    ),
}
TOPICS: Final = tuple(each._replace(phrase=_SHORTER.get(each.phrase, each.phrase)) for each in text_2.TOPICS)
"""What the text says is recorded, line by line. Apart from shorter words, the lines are those of text 2."""

# Fixed here rather than taken from a list of agents that grows: a name that an older program does not know would change
# the rendering, and that program would report the text as false.
_NAMES: Final = {"claude": "Claude Code", "codex": "Codex", "cursor": "Cursor"}
"""The names of agents in this text; any other agent appears under its id."""


def _traffic(policy: PolicyV2) -> str:
    may = f"You may use {joined([_NAMES.get(name, name) for name in policy.agents], 'or')}."
    started = 'Agents started with "promptster run" or "promptster shell", or in an editor you named,'
    if not policy.providers:
        return f"{may} {started} are recorded, but not their traffic to the model."
    addresses = ", ".join(f"{name} ({url})" for name, url in sorted(policy.providers.items()))
    return f"{may} {started} send their traffic for these providers through the recorder: {addresses}."


def _hooks(policy: PolicyV2) -> str:
    if not policy.hooks:
        return "The agents' hooks are not used."
    only = " (for Cursor, only they do)" if "cursor" in policy.agents else ""
    trusted = " Codex trusts these hooks for this session only." if "codex" in policy.agents else ""
    return f"The agents' hooks also report to the recorder{only}.{trusted} Your own configuration stays unchanged."


def _duration(minutes: int) -> str:
    if not minutes:
        return "Recording ends when the time on your invite is over."
    return f"Recording ends {counted(minutes, 'minute')} after you agree."


def _readers(policy: PolicyV2) -> str:
    roles = joined(sorted(f"{role.replace('_', ' ')}s" for role in policy.readers), "and")
    if not roles:
        return f"Nobody at {policy.organisation}."
    return f"{roles[0].upper()}{roles[1:]} at {policy.organisation}, to judge this assessment."


def _decision(*, by_llm: bool) -> str:
    if not by_llm:
        return "People decide; no language model reads it."
    return "People decide. A language model may help them find moments in it; it does not score, rank or decide."


def _kept(policy: PolicyV2) -> str:
    kept = f"For {counted(policy.retention_days, 'day')} after the session ends. Then its keys are destroyed"
    if policy.key_backup_days is None:
        return f"{kept}. Exported copies, backups and your own copy are not affected."
    backups = f", and at most {counted(policy.key_backup_days, 'day')} later their backups"
    if not policy.key_backup_days:
        backups = ", and no backup holds them"
    return f"{kept}{backups}. Exported copies and your own copy are not affected."


def _alternative(policy: PolicyV2) -> str:
    if not policy.alternative:
        return ""
    return f"If you refuse, {policy.organisation} offers {policy.alternative} instead."


def render(policy: PolicyV2) -> str:
    """Render the text of a policy with these settings.

    Raises:
        DocumentError: the policy allows events that no line announces.
        NewerVersionError: it has settings that this text does not explain.
    """
    text_2.require_words(policy, text_version=VERSION)
    closing = (
        "Files changed for recording are put back when it ends.",
        f"About backups, corrections, objections or who read it, write to {policy.contact}.",
        "You may also complain to your data protection authority.",
        _alternative(policy),
    )
    paragraphs = (
        paragraph(
            f'{policy.organisation} asks to record how you work with AI agents in "{policy.title}".',
            "If you refuse, nothing is recorded and nothing on your computer changes.",
        ),
        listed("WHAT IS RECORDED", *announced(TOPICS, policy.kinds)),
        paragraph(
            "WHAT IS NOT RECORDED",
            "Your screen, keyboard, microphone, camera, browser and other programs.",
            "Your own editor is not watched.",
            "Your agent's API key is removed from the recording.",
            "Everything else that the agent reads, prints or sends is recorded as it is, including personal data and "
            "passwords: keep those out of its reach.",
        ),
        paragraph(
            "HOW IT WORKS",
            "Once you agree, a recorder runs on your computer.",
            "It encrypts what it records, and sends it as you work.",
            "Not encrypted: your own copy and, until the end, copies of task files.",
            _traffic(policy),
            _hooks(policy),
        ),
        paragraph(
            "TIME LIMIT",
            _duration(policy.time_limit_minutes),
            "The clock also runs while you pause.",
            'Nothing is submitted automatically. You can still run "promptster submit" later.',
        ),
        paragraph(
            "WHO READS IT",
            _readers(policy),
            "Every access is logged.",
            _decision(by_llm=policy.analysis_by_llm),
            "Your consent does not cover selling it or training models on it.",
            f"{policy.organisation}'s legal basis is {policy.legal_basis}.",
        ),
        paragraph("HOW LONG IT IS KEPT", _kept(policy)),
        listed(
            "WHAT YOU CAN DO",
            'see it all: "promptster inspect"',
            'take a break: "promptster pause", then "promptster resume". If you then continue the conversation, what '
            "was said in the break may be sent again, and recorded.",
            'submit your work: "promptster submit". You keep a signed copy of what reviewers see.',
            'end without submitting: "promptster stop". What was sent is kept as above.',
            'withdraw consent, even after submitting: "promptster withdraw". The keys are destroyed at once.',
            closing=" ".join(sentence for sentence in closing if sentence),
        ),
        paragraph(
            "WHAT THE SIGNATURES MEAN",
            "They prove order and show any later change.",
            "They do not prove truth or ability.",
            "Pauses and gaps are shown as gaps, never as misconduct.",
        ),
    )
    return "\n".join(paragraphs)
