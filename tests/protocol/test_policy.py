"""The policy and its text."""

from __future__ import annotations

from typing import Any

import pytest

from promptster.protocol.errors import DocumentError
from promptster.protocol.kinds import FIELD_TYPES, KINDS, Kind
from promptster.protocol.policy import (
    CAPTURED_FIELDS,
    MAX_WORDS,
    NOT_YET_RECORDED,
    RECORDED_KINDS,
    TOPICS,
    Policy,
    make_policy,
    policy_sha256,
)

PROVIDERS = {
    "anthropic": "https://api.anthropic.com",
    "openai": "https://api.openai.com/v1",
    "chatgpt": "https://chatgpt.com/backend-api/codex",
}


def _policy(**changes: Any) -> Policy:
    settings: dict[str, Any] = {"organisation": "Acme", "title": "Backend", "providers": PROVIDERS}
    return make_policy(**{**settings, **changes})


def test_every_field_that_can_be_captured_is_announced() -> None:
    """Each field's name belongs to a line of the text, and that line stands in it."""
    text = _policy(kinds=Kind).text
    assert CAPTURED_FIELDS.keys() == FIELD_TYPES.keys()
    for name, phrases in CAPTURED_FIELDS.items():
        assert phrases, name
        assert all(f"- {phrase}\n" in text for phrase in phrases)


@pytest.mark.parametrize("kind", sorted(Kind))
def test_every_kind_is_announced_with_all_its_fields(kind: Kind) -> None:
    """Whoever agrees to a kind has read a line that covers each of its fields."""
    covered = frozenset[str]().union(*(topic.fields for topic in TOPICS if kind in topic.kinds))
    assert KINDS[kind] <= covered


def test_a_kind_that_is_not_allowed_is_not_announced() -> None:
    """The text follows the settings."""
    policy = _policy(kinds=[kind for kind in Kind if kind != Kind.COMMAND])
    assert not policy.allows("command")
    assert policy.allows("prompt")
    assert "the agent's commands" not in policy.text
    assert "the agent's commands" in _policy().text


def test_what_nothing_records_is_neither_asked_for_nor_announced() -> None:
    """A note and a redaction have no command yet: nobody is asked to agree to them, and no line names them."""
    policy = _policy()
    assert set(policy.kinds) == set(RECORDED_KINDS) == set(Kind) - NOT_YET_RECORDED
    assert not any(word in policy.text for word in ("note", "redact"))


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        ({}, "no language model reads it.", "A language model may"),
        ({"analysis_by_llm": True}, "A language model may", "no language model"),
        ({"hooks": False}, "hooks are not used", "for this session only"),
        ({}, "Codex trusts these hooks for this session only", "hooks are not used"),
        ({}, "Their hooks report to it too (Cursor's only these).", "send their traffic through it to the provider"),
        ({}, "Not encrypted: your own copy and, until the end, copies of task files.", "stored or sent;"),
        ({}, "what else it reports, and what it is refused\n", "and what else it reports"),
        ({"hooks": False}, "send their traffic for these providers through it:", "Cursor"),
        ({"time_limit_minutes": 90}, "Recording ends 90 minutes after you agree", "your invite allows"),
        ({}, "Recording ends when the time that your invite allows is over.", "minutes after"),
        ({"providers": {}}, "are recorded, but not their traffic to the model.", "for these providers"),
        ({}, "anthropic (https://api.anthropic.com)", "not their traffic"),
        ({"retention_days": 17}, "For 17 days after the session ends.", "30 days"),
        ({"readers": ("recruiter", "hiring_lead")}, "At Acme: hiring leads, recruiters.", "owner"),
        ({"readers": ()}, "At Acme: nobody.", "owner"),
    ],
)
def test_the_text_says_what_the_settings_are(changes: dict[str, Any], said: str, unsaid: str) -> None:
    """Nothing in the text is written beside the settings."""
    text = _policy(**changes).text
    assert said in text
    assert unsaid not in text


@pytest.mark.parametrize(
    "words",
    [
        "WHAT IS RECORDED",
        "WHAT IS NOT RECORDED",
        "A recorder runs on your computer",
        "legal basis is your consent",
        "HOW LONG IT IS KEPT",
        "WHAT YOU CAN DO",
        "About backups, a correction, an objection or who read it, write to Acme",
        "data protection authority",
        "WHO READS IT",
    ],
)
def test_the_text_names_what_it_must(words: str) -> None:
    """What the law and fairness ask for stands in every policy."""
    assert words in _policy().text


def test_the_text_is_short() -> None:
    """At most 600 words, with room for long names; names that would make it longer are refused."""
    assert len(_policy(analysis_by_llm=True, time_limit_minutes=90).text.split()) <= MAX_WORDS
    settings: dict[str, Any] = {"analysis_by_llm": True, "time_limit_minutes": 90}
    long_names = _policy(organisation="The Royal Bank of Example Group", title="wordy " * 29 + "end", **settings)
    assert len(long_names.text.split()) <= MAX_WORDS
    with pytest.raises(DocumentError) as caught:
        _policy(organisation=" ".join("A" * 100))
    assert caught.value.code == "policy_words"


def test_a_policy_is_named_by_its_bytes() -> None:
    """The name is the hash of the canonical document, which reads back."""
    policy = _policy()
    assert Policy.parse(policy.payload()) == policy
    assert policy_sha256(policy.payload()) != policy_sha256(_policy(title="Other").payload())


@pytest.mark.parametrize(
    "changes",
    [
        {"retention_days": 0},
        {"retention_days": 181},
        {"providers": {"anthropic": "ftp://x"}},
        {"providers": {"Anthropic": "https://x"}},
        {"kinds": ["keystroke"]},
        {"readers": ["Everyone!"]},
        {"title": "Backend\nWHAT IS RECORDED\nnothing"},
        {"title": ""},
    ],
)
def test_settings_outside_the_rules_are_refused(changes: dict[str, Any]) -> None:
    """A policy cannot promise more days, other kinds, or lines of its own."""
    with pytest.raises(DocumentError):
        _policy(**changes).payload()
