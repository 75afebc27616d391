"""Text 1: the text that Promptster 0.1 gave policies of version 1. It never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from promptster.protocol.policies.topics import announced, listed, paragraph, topic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.protocol.policies.settings import Policy

TOPICS: Final = (
    topic(
        "what you ask the agent, and images you add",
        "prompt",
        "text prompt_id images machine",
    ),
    topic(
        "what the agent sends to the model, and the model's answers, thinking, usage and errors",
        "model_request model_response compaction",
        "provider request_path model purpose body body_raw stream request_sha256 attempt outcome status text thinking "
        "tool_use_ids stop_reason response_id usage error retry_after content trigger",
    ),
    topic(
        "the tools the agent uses, with input and results",
        "tool_call tool_result",
        "tool_use_id name input content is_error",
    ),
    topic(
        "the agent's file edits, with the text before and after",
        "file_edit",
        "path operation before after patch",
    ),
    topic(
        "the agent's commands, with folder, output and exit code",
        "command",
        "command cwd exit_code output error_output is_error",
    ),
    topic(
        "subagents, and what you allow or refuse",
        "subagent_started subagent_stopped permission",
        "agent_type prompt text decision mode name input",
    ),
    topic(
        "which agent acts, in which session, when, for how long, what else it reports, and what it is refused",
        "agent_other command compaction file_edit model_request model_response permission prompt "
        "subagent_started subagent_stopped tool_call tool_result",
        "agent agent_session agent_id tool_use_id first_byte_ms duration_ms raw_kind payload",
    ),
    topic(
        "notes you write, and where and why you redact",
        "note redaction",
        "text target_seq target_field reason",
    ),
    topic(
        "your task folder: repository, file names and hashes at the start, your changes at the end; of files that git "
        "ignores only names, sizes and hashes",
        "submission_baseline submission_final",
        "commit tree manifest repository diff",
    ),
    topic(
        "your consent, choices, language, Promptster version and operating system",
        "opened consent closed",
        "policy_sha256 choices locale decided_ms cli_version platform continues path_check totals batches",
    ),
    topic(
        "how recording went: pauses, gaps, changed settings, addresses and clock",
        "paused resumed capture_bypass_suspected capture_clock_jump capture_config_changed "
        "capture_degraded capture_gap capture_heartbeat capture_hook_silent capture_recovered "
        "capture_upstream_overridden",
        "reason counts tool_use_id name agent detail path_name source lost from_ms to_ms delta_ms upstream url",
    ),
)
"""What the text says is recorded, line by line."""


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


def render(policy: Policy) -> str:
    """Render the text of a policy with these settings.

    Raises:
        DocumentError: the policy allows events that no line announces.
    """
    roles = ", ".join(sorted(f"{role.replace('_', ' ')}s" for role in policy.readers)) or "nobody"
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
            "Your agent's key for its provider is removed.",
            "All else that your agent reads, prints or sends is recorded as it is, also personal data and passwords: "
            "keep those out of its reach.",
        ),
        paragraph(
            "HOW IT WORKS",
            "A recorder runs on your computer once you agree.",
            _traffic(policy.providers),
            _hooks(used=policy.hooks),
            "It encrypts what it records, and sends it as you work.",
            "Not encrypted: your own copy and, until the end, copies of task files.",
        ),
        paragraph(
            "TIME LIMIT",
            _duration(policy.time_limit_minutes),
            "The clock also runs while you pause.",
            'Nothing is submitted until you run "promptster submit".',
        ),
        paragraph(
            "WHO READS IT",
            f"At {policy.organisation}: {roles}.",
            "Every reading is logged.",
            _machine_reading(used=policy.analysis_by_llm),
            "It is for judging this one assessment. The legal basis is your consent, which does not cover selling it "
            "or training models on it.",
        ),
        paragraph(
            "HOW LONG IT IS KEPT",
            f"For {policy.retention_days} days after the session ends. Then its keys are destroyed.",
            "Exported copies, backups and your own copy are not affected.",
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
            f"or who read it, write to {policy.organisation}. You may also complain to your data protection authority.",
        ),
        paragraph(
            "WHAT THE SIGNATURES MEAN",
            "They prove order and show any later change. They do not prove truth, or how able you are.",
            "Pauses and gaps are shown as gaps, never as misconduct.",
        ),
    )
    return "\n".join(paragraphs)
