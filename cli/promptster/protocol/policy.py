"""The policy: what a candidate is asked to agree to, as exact bytes, its text rendered from the settings that are enforced.

The text is generated, never written by hand beside the settings. Every field that an event can carry belongs to a topic
that the text names; ``TOPICS`` says which.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from promptster.protocol.documents import Record, flag, integer, table, text, words
from promptster.protocol.errors import DocumentError
from promptster.protocol.kinds import Kind

__all__ = ["CAPTURED_FIELDS", "MAX_WORDS", "TOPICS", "Policy", "make_policy", "policy_sha256", "render_text"]

MAX_WORDS: Final = 600
"""Words of a policy's text."""
MAX_RETENTION_DAYS: Final = 180
DEFAULT_RETENTION_DAYS: Final = 30

_ROLE = re.compile(r"[a-z][a-z_]{0,31}", re.ASCII)
_KIND = re.compile("|".join(kind.value for kind in Kind), re.ASCII)
_MAX_URL = 500


def _is_url(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_URL and value.startswith(("https://", "http://"))


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


TOPICS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        phrase: frozenset(names.split())
        for phrase, names in {
            "prompts you send to the agent, and images in them": "text prompt prompt_id images machine mode decision content",
            "the requests your agent sends and the model's answers, including the thinking it shows": (
                "body body_raw thinking content text purpose model stream stop_reason response_id usage error outcome status "
                "attempt retry_after provider request_path request_sha256 tool_use_ids trigger"
            ),
            "tool calls with their inputs and results": "tool_use_id name input content is_error payload raw_kind",
            "file edits the agent makes, with the text before and after": "path operation before after patch",
            "commands the agent runs, their folder, output and exit code": "command cwd exit_code output error_output is_error",
            "subagents, and your answers when the agent asks permission": "agent_type prompt decision mode agent_id",
            "which agent and which of its sessions": "agent agent_session agent_id source",
            "when each of these happens and how long it takes": "duration_ms first_byte_ms decided_ms from_ms to_ms delta_ms",
            "notes you write for the reviewer": "text",
            "the workspace's files at the start, by name and hash, and the changes at the end": (
                "commit tree manifest diff repository"
            ),
            "your consent, choices and language, this program's version, your operating system's name": (
                "policy_sha256 choices locale cli_version platform continues reason"
            ),
            "whether recording works: gaps, pauses, settings that changed, provider addresses": (
                "counts totals batches detail lost path_check path_name upstream url source reason target_seq target_field"
            ),
        }.items()
    }
)
"""What the text says is recorded, phrase by phrase, and the fields that each phrase covers."""

CAPTURED_FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        name: tuple(phrase for phrase, names in TOPICS.items() if name in names)
        for name in sorted(frozenset[str]().union(*TOPICS.values()))
    }
)
"""The phrases of the policy's text that name a field."""


def _duration(minutes: int) -> str:
    if not minutes:
        return "There is no time limit beyond the one your invite names."
    return f"Recording stops {minutes} minutes after you agree; nothing later is recorded."


def _sources(providers: Mapping[str, str], *, hooks: bool) -> str:
    listed = "; ".join(f"{name} ({url})" for name, url in sorted(providers.items()))
    proxy = (
        f"The agent's traffic passes through a proxy on your own computer, straight on to your provider: {listed}. "
        if providers
        else "No model traffic is recorded. "
    )
    hook = (
        "The agent's own hooks report to the same recorder. For Codex, these hooks are trusted for this session only; your "
        "own configuration stays as it is. "
        if hooks
        else "The agent's hooks are not used. "
    )
    return proxy + hook


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
) -> str:
    """The text that a candidate reads, from exactly the settings that are enforced."""
    captured = "\n".join(f"- {phrase}" for phrase in TOPICS)
    roles = ", ".join(sorted(role.replace("_", " ") for role in readers)) or "nobody"
    machine_reading = (
        "A language model may also read it to help these people find moments in it; it does not score, rank or decide."
        if analysis_by_llm
        else "No language model reads it."
    )
    return f"""{organisation} asks to record how you work with AI agents in "{title}".
Read this first. Saying no leaves nothing behind, here or there.

WHAT IS RECORDED
{captured}

WHAT IS NOT RECORDED
Your screen, keyboard, microphone, camera, browser, other programs, files outside the workspace that the agent does not touch, your provider's keys and passwords. What you type into your own editor is not watched; only its result at submission. What the agent itself reads or prints may contain personal things: keep them out of the workspace.

HOW
A background recorder runs on your computer from the moment you agree. {_sources(providers, hooks=hooks)}Values are encrypted on your computer before they are stored or sent. See everything with "promptster inspect", interrupt with "promptster pause", end with "promptster stop" or "promptster submit".

TIME LIMIT
{_duration(time_limit_minutes)}

WHO READS IT
In {organisation}: {roles}. Every reading is logged, and you can ask for the list. {machine_reading} It is not sold and trains no model.

WHY, AND ON WHAT GROUND
To judge, by people, this one assessment. The legal basis is your consent, which you may take back at any time.

HOW LONG
{retention_days} days after the session ends; then its keys are destroyed, and backups of them within 7 days more. Copies exported before, and your own copy, are beyond reach.

YOUR RIGHTS
Access: you keep a complete signed copy, and see what reviewers see. Correction: your statement is added beside the original. Deletion and withdrawal: "promptster withdraw" ends the session and destroys its keys at once. Objection, deletion after submission, and anything else: write to {organisation}; you may also complain to your data protection authority. Refusing or withdrawing has no technical consequence on your computer: files that were changed for recording are put back.

WHAT THE SIGNATURES MEAN
The record proves order and integrity, not truth or ability. Pauses and gaps are shown as gaps, never as misconduct.
"""


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
