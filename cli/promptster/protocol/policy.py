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

__all__ = ["CAPTURED_FIELDS", "MAX_WORDS", "TOPICS", "Policy", "make_policy", "policy_sha256", "render_text"]

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
        "prompts you send to the agent, and images in them",
        "prompt",
        "text prompt_id images machine",
    ),
    _topic(
        "the requests your agent sends and the model's answers, with the thinking it shows, its usage and its errors",
        "model_request model_response compaction agent_other",
        "provider request_path model purpose body body_raw stream request_sha256 attempt outcome status text thinking "
        "tool_use_ids stop_reason response_id usage error retry_after content trigger raw_kind payload",
    ),
    _topic(
        "tool calls with their inputs and results",
        "tool_call tool_result",
        "tool_use_id name input content is_error",
    ),
    _topic(
        "file edits the agent makes, with the text before and after",
        "file_edit",
        "path operation before after patch",
    ),
    _topic(
        "commands the agent runs, their folder, output and exit code",
        "command",
        "command cwd exit_code output error_output is_error",
    ),
    _topic(
        "subagents, and your answers when the agent asks permission",
        "subagent_started subagent_stopped permission",
        "agent_type prompt text decision mode name input",
    ),
    _topic(
        "which agent acts, in which of its sessions and calls, when, and how long it takes",
        " ".join(sorted(AGENT_KINDS)),
        "agent agent_session agent_id tool_use_id first_byte_ms duration_ms",
    ),
    _topic(
        "notes you write, and what you redact, by place and reason",
        "note redaction",
        "text target_seq target_field reason",
    ),
    _topic(
        "the workspace: its repository and files by name and hash at the start, your changes in full at the end",
        "submission_baseline submission_final",
        "commit tree manifest repository diff",
    ),
    _topic(
        "your consent, choices and language, this program's version, your operating system's name",
        "opened consent closed",
        "policy_sha256 choices locale decided_ms cli_version platform continues path_check totals batches",
    ),
    _topic(
        "whether recording works: pauses, gaps, silent hooks, settings that changed, provider addresses, clock jumps",
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


def _duration(minutes: int) -> str:
    if not minutes:
        return "There is no time limit beyond the one your invite names."
    return f"Recording stops {minutes} minutes after you agree; nothing later is recorded."


def _traffic(providers: Mapping[str, str]) -> str:
    if not providers:
        return "No model traffic is recorded."
    listed = "; ".join(f"{name} ({url})" for name, url in sorted(providers.items()))
    return f"The agent's traffic passes through it, straight on to your provider: {listed}."


def _hooks(*, used: bool) -> str:
    if not used:
        return "The agents' hooks are not used."
    return (
        "The agents' own hooks report to it too. For Codex, these hooks are trusted for this session only; your own "
        "configuration stays as it is."
    )


def _machine_reading(*, used: bool) -> str:
    if not used:
        return "No language model reads it."
    return "A language model may also read it to help them find moments in it; it does not score, rank or decide."


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
    kinds: Collection[str] = tuple(Kind),
) -> str:
    """The text that a candidate reads, from exactly the settings that are enforced."""
    lines = (f"- {topic.phrase}" for topic in TOPICS if not topic.kinds.isdisjoint(kinds))
    roles = ", ".join(sorted(role.replace("_", " ") for role in readers)) or "nobody"
    paragraphs = (
        _paragraph(
            f'{organisation} asks to record how you work with AI agents in "{title}".',
            "Read this first. Saying no leaves nothing behind, here or there.",
        ),
        "\n".join(("WHAT IS RECORDED", *lines, "")),
        _paragraph(
            "WHAT IS NOT RECORDED",
            "Your screen, keyboard, microphone, camera, browser, other programs, files that neither belong to the "
            "workspace nor pass through the agent, your provider's keys and passwords.",
            "What you type into your own editor is not watched; only its result at submission.",
            "What the agent reads or prints may hold personal things: keep them out of the workspace.",
        ),
        _paragraph(
            "HOW",
            "A background recorder runs on your computer from the moment you agree.",
            _traffic(providers),
            _hooks(used=hooks),
            "Values are encrypted on your computer before they are stored or sent.",
            'See everything with "promptster inspect", interrupt with "promptster pause", stop it with "promptster '
            'stop" or "promptster submit".',
        ),
        _paragraph("TIME LIMIT", _duration(time_limit_minutes)),
        _paragraph(
            "WHO READS IT",
            f"In {organisation}: {roles}.",
            "Every reading is logged, and you can ask for the list.",
            _machine_reading(used=analysis_by_llm),
            "It is not sold and trains no model.",
        ),
        _paragraph(
            "WHY, AND ON WHAT LEGAL BASIS",
            "To judge, by people, this one assessment.",
            "The legal basis is your consent, which you may take back at any time.",
        ),
        _paragraph(
            "HOW LONG (RETENTION)",
            f"{retention_days} days after the session ends; then its keys are destroyed, and their backups within 7 "
            "days more.",
            "Copies exported before, and your own copy, are beyond reach.",
        ),
        _paragraph(
            "YOUR RIGHTS",
            "Access: you keep a complete signed copy, and see what reviewers see.",
            "Correction: your statement is added beside the original.",
            'Deletion and withdrawal: "promptster withdraw" ends the session and destroys its keys at once, also after '
            "submission.",
            f"Objection and anything else: write to {organisation}; you may also complain "
            "to your data protection authority.",
            "Refusing or withdrawing has no technical consequence on your computer: files that were changed for "
            "recording are put back.",
        ),
        _paragraph(
            "WHAT THE SIGNATURES MEAN",
            "The record proves order and integrity, not truth or ability.",
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
    kinds: Collection[str] = tuple(Kind),
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
