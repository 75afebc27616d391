"""The policy: what a candidate is asked to agree to, as exact bytes, its text rendered from the enforced settings.

The text is generated, never written by hand beside the settings. Every field that an event can carry belongs to a topic
that the text names; ``TOPICS`` says which.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from promptster.protocol.documents import Record, flag, integer, is_printable, table, text, words
from promptster.protocol.errors import DocumentError
from promptster.protocol.kinds import AGENT_KINDS, Kind

__all__ = [
    "CAPTURED_FIELDS",
    "MAX_WORDS",
    "NOT_YET_RECORDED",
    "RECORDED_KINDS",
    "TOPICS",
    "Policy",
    "make_policy",
    "policy_sha256",
    "render_text",
]

MAX_WORDS: Final = 600
"""Words of a policy's text."""
MAX_RETENTION_DAYS: Final = 180
DEFAULT_RETENTION_DAYS: Final = 30

_ROLE = re.compile(r"[a-z][a-z_]{0,31}", re.ASCII)
_KIND = re.compile("|".join(kind.value for kind in Kind), re.ASCII)
_MAX_URL = 500


def _is_url(value: object) -> bool:
    if not isinstance(value, str) or len(value) > _MAX_URL:
        return False
    return value.startswith(("https://", "http://")) and is_printable(value)


@dataclass(frozen=True, kw_only=True)
class Policy(Record):
    """What is recorded, who reads it, how long it stays. Its canonical bytes are what a consent names."""

    organisation: str = text()
    """The hiring organisation's name."""
    title: str = text()
    """The assessment's title."""
    text: str = text(20_000, lines=True)
    """What the candidate reads."""
    kinds: tuple[str, ...] = words(_KIND, len(Kind))
    """Kinds of events that may be recorded, sorted."""
    retention_days: int = integer(1, MAX_RETENTION_DAYS)
    """Days until everything of the session is erased."""
    time_limit_minutes: int = integer(0, 60 * 24 * 30)
    """How long recording may last; 0 is no limit of its own."""
    providers: Mapping[str, str] = table(_is_url)
    """Model providers by name, with the base URL to which traffic may go."""
    hooks: bool = flag()
    """Whether the agents' hooks are used beside the proxy."""
    analysis_by_llm: bool = flag()
    """Whether a language model reads the recording."""
    readers: tuple[str, ...] = words(_ROLE, 16)
    """Roles in the organisation that may read the recording, sorted."""

    def allows(self, kind: str) -> bool:
        """Whether events of this kind may be recorded."""
        return kind in self.kinds


def policy_sha256(data: bytes) -> str:
    """The name of a policy: the SHA-256 of its exact bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


NOT_YET_RECORDED: Final = frozenset({Kind.NOTE, Kind.REDACTION, Kind.CAPTURE_BYPASS_SUSPECTED})
"""Kinds that the wire knows and that no program records yet: a policy does not ask for them."""
RECORDED_KINDS: Final = tuple(kind for kind in Kind if kind not in NOT_YET_RECORDED)
"""Kinds that a policy asks for where nothing else is said."""


class Topic(NamedTuple):
    """One line of what is recorded, and what it covers."""

    phrase: str
    """As it stands in the text."""
    kinds: frozenset[str]
    """Events that the line announces; it is left out when the policy allows none of them."""
    fields: frozenset[str]
    """Names of fields that the line announces."""


def _topic(phrase: str, kinds: str, fields: str) -> Topic:
    return Topic(phrase, frozenset(kinds.split()), frozenset(fields.split()))


TOPICS: Final = (
    _topic(
        "what you ask the agent, and images you add",
        "prompt",
        "text prompt_id images machine",
    ),
    _topic(
        "what the agent sends to the model, and the model's answers, thinking, usage and errors",
        "model_request model_response compaction",
        "provider request_path model purpose body body_raw stream request_sha256 attempt outcome status text thinking "
        "tool_use_ids stop_reason response_id usage error retry_after content trigger",
    ),
    _topic(
        "the tools the agent uses, with input and results",
        "tool_call tool_result",
        "tool_use_id name input content is_error",
    ),
    _topic(
        "the agent's file edits, with the text before and after",
        "file_edit",
        "path operation before after patch",
    ),
    _topic(
        "the agent's commands, with folder, output and exit code",
        "command",
        "command cwd exit_code output error_output is_error",
    ),
    _topic(
        "subagents, and what you allow or refuse",
        "subagent_started subagent_stopped permission",
        "agent_type prompt text decision mode name input",
    ),
    _topic(
        "which agent acts, in which session, when, for how long, what else it reports, and what it is refused",
        " ".join(sorted(AGENT_KINDS)),
        "agent agent_session agent_id tool_use_id first_byte_ms duration_ms raw_kind payload",
    ),
    _topic(
        "notes you write, and where and why you redact",
        "note redaction",
        "text target_seq target_field reason",
    ),
    _topic(
        "your task folder: repository, file names and hashes at the start, your changes at the end; of files that git "
        "ignores only names, sizes and hashes",
        "submission_baseline submission_final",
        "commit tree manifest repository diff",
    ),
    _topic(
        "your consent, choices, language, Promptster version and operating system",
        "opened consent closed",
        "policy_sha256 choices locale decided_ms cli_version platform continues path_check totals batches",
    ),
    _topic(
        "how recording went: pauses, gaps, changed settings, addresses and clock",
        "paused resumed " + " ".join(sorted(kind for kind in Kind if kind.startswith("capture_"))),
        "reason counts tool_use_id name agent detail path_name source lost from_ms to_ms delta_ms upstream url",
    ),
)
"""What the text says is recorded, line by line."""

CAPTURED_FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        name: tuple(topic.phrase for topic in TOPICS if name in topic.fields)
        for name in sorted(frozenset[str]().union(*(topic.fields for topic in TOPICS)))
    }
)
"""The lines of the policy's text that announce a field."""


def _paragraph(heading: str, *sentences: str) -> str:
    return f"{heading}\n{' '.join(sentence for sentence in sentences if sentence)}\n"


def _listed(heading: str, *lines: str, closing: str = "") -> str:
    return "\n".join((heading, *(f"- {line}" for line in lines), *([closing] if closing else ()), ""))


def _duration(minutes: int) -> str:
    if not minutes:
        return "Recording ends when the time that your invite allows is over."
    return f"Recording ends {minutes} minutes after you agree."


def _traffic(providers: Mapping[str, str]) -> str:
    recorded = 'Agents that you start with "promptster run" or "promptster shell", or in an editor that you named,'
    if not providers:
        return f"{recorded} are recorded, but not their traffic to the model."
    listed = ", ".join(f"{name} ({url})" for name, url in sorted(providers.items()))
    return f"{recorded} send their traffic for these providers through it: {listed}."


def _hooks(*, used: bool) -> str:
    if not used:
        return "The agents' hooks are not used."
    return (
        "Their hooks report to it too (Cursor's only these). Codex trusts these hooks for this session only. Your own "
        "configuration stays as it is."
    )


def _machine_reading(*, used: bool) -> str:
    if not used:
        return "People decide; no language model reads it."
    return "People decide. A language model may help them to find moments in it; it does not score, rank or decide."


def render_text(
    *,
    organisation: str,
    title: str,
    retention_days: int,
    time_limit_minutes: int,
    providers: Mapping[str, str],
    hooks: bool,
    analysis_by_llm: bool,
    readers: Collection[str],
    kinds: Collection[str] = RECORDED_KINDS,
) -> str:
    """The text that a candidate reads, from exactly the settings that are enforced."""
    recorded = (topic.phrase for topic in TOPICS if not topic.kinds.isdisjoint(kinds))
    roles = ", ".join(sorted(f"{role.replace('_', ' ')}s" for role in readers)) or "nobody"
    paragraphs = (
        _paragraph(
            f'{organisation} asks to record how you work with AI agents in "{title}".',
            "If you refuse, nothing is recorded and nothing on your computer changes.",
        ),
        _listed("WHAT IS RECORDED", *recorded),
        _paragraph(
            "WHAT IS NOT RECORDED",
            "Your screen, keyboard, microphone, camera, browser and other programs.",
            "Your own editor is not watched.",
            "Your agent's key for its provider is removed.",
            "All else that your agent reads, prints or sends is recorded as it is, also personal data and passwords: "
            "keep those out of its reach.",
        ),
        _paragraph(
            "HOW IT WORKS",
            "A recorder runs on your computer once you agree.",
            _traffic(providers),
            _hooks(used=hooks),
            "It encrypts what it records, and sends it as you work.",
            "Not encrypted: your own copy and, until the end, copies of task files.",
        ),
        _paragraph(
            "TIME LIMIT",
            _duration(time_limit_minutes),
            "The clock also runs while you pause.",
            'Nothing is submitted until you run "promptster submit".',
        ),
        _paragraph(
            "WHO READS IT",
            f"At {organisation}: {roles}.",
            "Every reading is logged.",
            _machine_reading(used=analysis_by_llm),
            "It is for judging this one assessment. The legal basis is your consent, which does not cover selling it "
            "or training models on it.",
        ),
        _paragraph(
            "HOW LONG IT IS KEPT",
            f"For {retention_days} days after the session ends. Then its keys are destroyed.",
            "Exported copies, backups and your own copy are not affected.",
        ),
        _listed(
            "WHAT YOU CAN DO",
            'see all of it: "promptster inspect"',
            'take a break: "promptster pause", then "promptster resume". If you then continue the conversation, '
            "what was said in the break may be sent again, and recorded.",
            'submit your work: "promptster submit". You keep a signed copy: what reviewers see.',
            'end without submitting: "promptster stop". What was sent is kept as above.',
            'withdraw consent, also after submitting: "promptster withdraw". The keys are destroyed at once.',
            closing="Files changed for recording are put back when it ends. About backups, a correction, an objection "
            f"or who read it, write to {organisation}. You may also complain to your data protection authority.",
        ),
        _paragraph(
            "WHAT THE SIGNATURES MEAN",
            "They prove order and show any later change. They do not prove truth, or how able you are.",
            "Pauses and gaps are shown as gaps, never as misconduct.",
        ),
    )
    return "\n".join(paragraphs)


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
) -> Policy:
    """A policy whose text is rendered from its own settings.

    Raises:
        DocumentError: when names make the text longer than ``MAX_WORDS``.
    """
    rendered = render_text(
        organisation=organisation,
        title=title,
        retention_days=retention_days,
        time_limit_minutes=time_limit_minutes,
        providers=providers,
        hooks=hooks,
        analysis_by_llm=analysis_by_llm,
        readers=readers,
        kinds=kinds,
    )
    if len(rendered.split()) > MAX_WORDS:
        raise DocumentError(f"the policy's text has more than {MAX_WORDS} words", code="policy_words", fault="local")
    return Policy(
        organisation=organisation,
        title=title,
        text=rendered,
        kinds=tuple(sorted(str(kind) for kind in kinds)),
        retention_days=retention_days,
        time_limit_minutes=time_limit_minutes,
        providers=dict(providers),
        hooks=hooks,
        analysis_by_llm=analysis_by_llm,
        readers=tuple(sorted(set(readers))),
    )
