"""The text that the first release gave policies of version 1, before text 1. It never changes.

A policy of version 1 does not name its text. Candidates invited then still see the text that they were offered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from promptster.protocol.events.kinds import AGENT_KINDS, Kind
from promptster.protocol.policies.topics import announced, listed, paragraph, topic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.protocol.policies.settings import Policy

TOPICS: Final = (
    topic(
        "prompts you send to the agent, and images in them",
        "prompt",
        "text prompt_id images machine",
    ),
    topic(
        "the requests your agent sends and the model's answers, with the thinking it shows, its usage and its errors",
        "model_request model_response compaction agent_other",
        "provider request_path model purpose body body_raw stream request_sha256 attempt outcome status text thinking "
        "tool_use_ids stop_reason response_id usage error retry_after content trigger raw_kind payload",
    ),
    topic(
        "tool calls with their inputs and results",
        "tool_call tool_result",
        "tool_use_id name input content is_error",
    ),
    topic(
        "file edits the agent makes, with the text before and after",
        "file_edit",
        "path operation before after patch",
    ),
    topic(
        "commands the agent runs, their folder, output and exit code",
        "command",
        "command cwd exit_code output error_output is_error",
    ),
    topic(
        "subagents, and your answers when the agent asks permission",
        "subagent_started subagent_stopped permission",
        "agent_type prompt text decision mode name input",
    ),
    topic(
        "which agent acts, in which of its sessions and calls, when, and how long it takes",
        " ".join(sorted(AGENT_KINDS)),
        "agent agent_session agent_id tool_use_id first_byte_ms duration_ms",
    ),
    topic(
        "notes you write, and what you redact, by place and reason",
        "note redaction",
        "text target_seq target_field reason",
    ),
    topic(
        "the workspace: its repository and files by name and hash at the start, your changes in full at the end",
        "submission_baseline submission_final",
        "commit tree manifest repository diff",
    ),
    topic(
        "your consent, choices and language, this program's version, your operating system's name",
        "opened consent closed",
        "policy_sha256 choices locale decided_ms cli_version platform continues path_check totals batches",
    ),
    topic(
        "whether recording works: pauses, gaps, silent hooks, settings that changed, provider addresses, clock jumps",
        "paused resumed " + " ".join(sorted(kind for kind in Kind if kind.startswith("capture_"))),
        "reason counts tool_use_id name agent detail path_name source lost from_ms to_ms delta_ms upstream url",
    ),
)
"""What the text says is recorded, line by line."""


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


def render(policy: Policy) -> str:
    """Render the text of a policy with these settings.

    Raises:
        DocumentError: the policy allows events that no line announces.
    """
    roles = ", ".join(sorted(role.replace("_", " ") for role in policy.readers)) or "nobody"
    paragraphs = (
        paragraph(
            f'{policy.organisation} asks to record how you work with AI agents in "{policy.title}".',
            "Read this first. Saying no leaves nothing behind, here or there.",
        ),
        listed("WHAT IS RECORDED", *announced(TOPICS, policy.kinds)),
        paragraph(
            "WHAT IS NOT RECORDED",
            "Your screen, keyboard, microphone, camera, browser, other programs, files that neither belong to the "
            "workspace nor pass through the agent, your provider's keys and passwords.",
            "What you type into your own editor is not watched; only its result at submission.",
            "What the agent reads or prints may hold personal things: keep them out of the workspace.",
        ),
        paragraph(
            "HOW",
            "A background recorder runs on your computer from the moment you agree.",
            _traffic(policy.providers),
            _hooks(used=policy.hooks),
            "Values are encrypted on your computer before they are stored or sent.",
            'See everything with "promptster inspect", interrupt with "promptster pause", stop it with "promptster '
            'stop" or "promptster submit".',
        ),
        paragraph("TIME LIMIT", _duration(policy.time_limit_minutes)),
        paragraph(
            "WHO READS IT",
            f"In {policy.organisation}: {roles}.",
            "Every reading is logged, and you can ask for the list.",
            _machine_reading(used=policy.analysis_by_llm),
            "It is not sold and trains no model.",
        ),
        paragraph(
            "WHY, AND ON WHAT LEGAL BASIS",
            "To judge, by people, this one assessment.",
            "The legal basis is your consent, which you may take back at any time.",
        ),
        paragraph(
            "HOW LONG (RETENTION)",
            f"{policy.retention_days} days after the session ends; then its keys are destroyed, and their backups "
            "within 7 days more.",
            "Copies exported before, and your own copy, are beyond reach.",
        ),
        paragraph(
            "YOUR RIGHTS",
            "Access: you keep a complete signed copy, and see what reviewers see.",
            "Correction: your statement is added beside the original.",
            'Deletion and withdrawal: "promptster withdraw" ends the session and destroys its keys at once, also after '
            "submission.",
            f"Objection and anything else: write to {policy.organisation}; you may also complain "
            "to your data protection authority.",
            "Refusing or withdrawing has no technical consequence on your computer: files that were changed for "
            "recording are put back.",
        ),
        paragraph(
            "WHAT THE SIGNATURES MEAN",
            "The record proves order and integrity, not truth or ability.",
            "Pauses and gaps are shown as gaps, never as misconduct.",
        ),
    )
    return "\n".join(paragraphs)
