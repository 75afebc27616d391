"""Every sentence of the policy is kept: a test shows it, or it states something that no program can show."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from promptster.protocol.events.kinds import Kind
from promptster.protocol.policy import MAX_KEY_BACKUP_DAYS, make_policy

ROOT = Path(__file__).parents[2]
PROVIDERS = {"anthropic": "https://api.anthropic.com", "openai": "https://api.openai.com/v1"}
AGENTS = ("claude", "codex", "cursor")
"""Agents that the text says something about; a further one would only be one more name in a sentence."""

_COMMANDS = "every_command_in_the_text_does_what_the_text_says"
_KINDS = "every_kind_that_the_policy_asks_for_is_recorded_by_something every_kind_is_announced_with_all_its_fields"
_SETTINGS = "the_text_says_what_the_settings_are"

PROMISES: Final[Mapping[str, str]] = {
    'Acme asks to record how you work with AI agents in "Rate limiter".': "a_person_reads_agrees_and_begins",
    "If you refuse, nothing is recorded and nothing on your computer changes.": "leaving_changes_nothing",
    "what you ask the agent, and images you add": f"{_KINDS} an_image_for_claude_code an_image_for_codex",
    "what the agent sends to the model, and the model's answers, thinking, usage and errors": _KINDS,
    "the tools the agent uses, with input and results": _KINDS,
    "the agent's file edits, with the text before and after": f"{_KINDS} an_edit_that_a_hook_tells",
    "the agent's commands, with folder, output and exit code": _KINDS,
    "subagents, and what you allow or refuse": _KINDS,
    "which agent acts, in which session, when and how long, what else it reports, and refused Promptster "
    "commands": _KINDS,
    "notes you write, and where and why you redact": "what_nothing_records_is_neither_asked_for_nor_announced",
    "your task folder: repository, file names and hashes at the start, your changes at the end; of files that git "
    "ignores only names, sizes and hashes": (
        "a_repository_is_cloned_and_is_the_baseline binary_large_and_ignored_files_are_hashes_only"
    ),
    "the task's text, your consent, choices, language, Promptster version and operating system": _KINDS,
    "how recording went: pauses, gaps, changed settings, addresses and clock": (
        f"{_KINDS} a_clock_that_was_set_is_noted"
    ),
    "Your screen, keyboard, microphone, camera, browser and other programs.": (
        "no_module_on_the_candidates_side_can_watch_the_computer"
    ),
    "Your own editor is not watched.": "no_module_on_the_candidates_side_can_watch_the_computer",
    "Your agent's API key is removed from the recording.": "observers_see_no_credentials no_credential_reaches_a_draft",
    "Everything else that the agent reads, prints or sends is recorded as it is, including personal data and "
    "passwords: keep those out of its reach.": "a_real_agent_is_recorded_whole_and_unchanged",
    "Once you agree, a recorder runs on your computer.": "a_person_reads_agrees_and_begins",
    "It encrypts what it records, and sends it as you work.": (
        "no_planted_secret_stands_in_clear_in_any_file_that_we_wrote a_running_session_can_be_read"
    ),
    "Not encrypted: your own copy and, until the end, copies of task files.": (
        "after_the_end_no_key_and_no_working_data_is_left the_private_repository_is_private"
    ),
    "You may use Claude Code, Codex or Cursor.": "an_agent_that_is_not_allowed_is_refused_by_name",
    'Agents started with "promptster run" or "promptster shell", or in an editor you named, send their traffic for '
    "these providers through the recorder: anthropic (https://api.anthropic.com), openai (https://api.openai.com/"
    "v1).": (
        f"{_COMMANDS} nothing_is_recorded_for_a_provider_that_the_policy_does_not_name two_editors_are_prepared_at_once"
    ),
    "The agents' hooks also report to the recorder (for Cursor, only they do).": (
        "none_of_six_hundred_hooks_is_lost_in_two_hundred_kills cursors_hooks_are_recorded_through_its_file"
    ),
    "Codex trusts these hooks for this session only.": (
        "everything_travels_by_options codex_is_asked_once_for_the_same_hooks"
    ),
    "Your own configuration stays unchanged.": (
        "own_settings_mean_the_same_and_are_written_nowhere claudes_own_entries_stay cursors_own_entries_stay"
    ),
    "Recording ends 90 minutes after you agree.": "after_the_time_limit_nothing_of_agents_is_recorded",
    "Recording ends when the time on your invite is over.": "after_the_time_limit_nothing_of_agents_is_recorded",
    "The clock also runs while you pause.": "a_pause_is_told_before_and_after",
    'Nothing is submitted automatically. You can still run "promptster submit" later.': (
        "a_session_whose_time_is_over_is_told_with_until_when_it_can_be_submitted"
    ),
    "Owners and reviewers at Acme, to judge this assessment.": "matrix",
    "Nobody at Acme.": _SETTINGS,
    "Every access is logged.": "every_read_is_written_down",
    "For 30 days after the session ends. Then its keys are destroyed, and at most 7 days later their backups.": (
        "retention_erases a_backup_of_keys_ends_with_its_days days_are_not_raised_over_what_somebody_was_told"
    ),
    "For 30 days after the session ends. Then its keys are destroyed, and no backup holds them.": (
        "retention_erases no_days_means_no_backup_of_keys"
    ),
    "For 30 days after the session ends. Then its keys are destroyed.": "retention_erases the_key_store_keeps_no_trace",
    "Exported copies and your own copy are not affected.": "withdrawing_says_first_what_it_does_and_takes_one_word",
    "Exported copies, backups and your own copy are not affected.": (
        "withdrawing_says_first_what_it_does_and_takes_one_word"
    ),
    'see it all: "promptster inspect"': _COMMANDS,
    'take a break: "promptster pause", then "promptster resume". If you then continue the conversation, what was said '
    "in the break may be sent again, and recorded.": f"{_COMMANDS} a_continued_conversation_is_told_once",
    'submit your work: "promptster submit". You keep a signed copy of what reviewers see.': _COMMANDS,
    'end without submitting: "promptster stop". What was sent is kept as above.': _COMMANDS,
    'withdraw consent, even after submitting: "promptster withdraw". The keys are destroyed at once.': (
        f"{_COMMANDS} after_withdrawal_everything_is_gone"
    ),
    "Files changed for recording are put back when it ends.": "editor_files_are_put_back_and_never_handed_in",
    "They prove order and show any later change.": "any_changed_byte_is_refused a_changed_segment_is_not_served",
    "Pauses and gaps are shown as gaps, never as misconduct.": (
        "every_word_of_capture_about_itself_is_a_gap_but_the_heartbeat"
    ),
    "The agents' hooks are not used.": "a_text_that_says_less_than_this_program_always_does_is_not_offered",
    'Agents started with "promptster run" or "promptster shell", or in an editor you named, are recorded, but not '
    "their traffic to the model.": "nothing_is_recorded_for_a_provider_that_the_policy_does_not_name",
}
"""Sentences of the text, with the tests that show them (without ``test_``, separated by spaces)."""

STATEMENTS: Final = frozenset(
    {
        "People decide; no language model reads it.",
        "People decide. A language model may help them find moments in it; it does not score, rank or decide.",
        "Your consent does not cover selling it or training models on it.",
        "Acme's legal basis is your consent.",
        "About backups, corrections, objections or who read it, write to hiring@acme.example.",
        "You may also complain to your data protection authority.",
        "If you refuse, Acme offers a pairing session instead.",
        "They do not prove truth or ability.",
    }
)
"""Sentences about the organisation, the law or the meaning of a signature, which no program can show."""

_CANDIDATES_SIDE: Final = frozenset(
    [
        "brotli",
        "h11",
        "httpx",
        "keyring",
        "msgspec",
        "nacl",
        "platformdirs",
        "promptster",
        "promptster_hooks",
        "rfc8785",
        "rich",
        "typer",
        "typing_extensions",
        "zstandard",
    ]
)
"""What the candidate's programs import: HTTP, cryptography, a terminal's output, the keyring. None of it watches."""


def _renderings() -> list[str]:
    """Texts that have every sentence between them."""
    stated: dict[str, Any] = {"contact": "hiring@acme.example", "organisation": "Acme", "title": "Rate limiter"}
    stated["agents"] = AGENTS
    full = {"time_limit_minutes": 90, "alternative": "a pairing session", "kinds": list(Kind), "providers": PROVIDERS}
    choices: list[dict[str, Any]] = [
        {"key_backup_days": MAX_KEY_BACKUP_DAYS, "analysis_by_llm": True, **full},
        {"key_backup_days": 0, **full},
        {"providers": {}, "hooks": False, "readers": ()},
    ]
    return [make_policy(**stated, **choice).text for choice in choices]


def _tests() -> set[str]:
    """The names of all tests in this repository."""
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        found |= set(re.findall(r"def test_(\w+)", path.read_text(encoding="utf-8")))
    return found


def _left(text: str) -> str:
    """The part of a text that no entry of the tables covers."""
    for sentence in sorted((*PROMISES, *STATEMENTS), key=len, reverse=True):
        text = re.sub(rf"(?:^|(?<=[ \n]))(?:- )?{re.escape(sentence)}(?=[ \n]|$)", "", text)
    return re.sub(r"^[A-Z ]+$|\s+", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("text", _renderings(), ids=["backups", "no-backups", "little"])
def test_every_sentence_of_the_text_is_accounted_for(text: str) -> None:
    """A new sentence needs an entry, and with it a test that shows that it is true."""
    assert _left(text) == ""


def test_no_entry_is_left_over() -> None:
    """Every sentence in the tables occurs in a text."""
    texts = "\n".join(_renderings())
    assert [sentence for sentence in (*PROMISES, *STATEMENTS) if sentence not in texts] == []


def test_every_promise_names_tests_that_exist() -> None:
    """A test that was renamed or removed is reported here."""
    named = {name for names in PROMISES.values() for name in names.split()}
    assert named - _tests() == set()


def test_no_module_on_the_candidates_side_can_watch_the_computer() -> None:
    """The client and the hooks import no library that reads a screen, a keyboard, a camera or other programs' files."""
    imported: set[str] = set()
    for package in ("cli", "hooks"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imported |= {name.name.partition(".")[0] for name in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    imported.add(node.module.partition(".")[0])
    assert imported - sys.stdlib_module_names <= _CANDIDATES_SIDE
    assert imported & {"curses", "readline", "tkinter", "turtle"} == set()
