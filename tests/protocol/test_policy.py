"""The policy and its text."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.helpers.readability import count

from promptster.protocol.documents import encode
from promptster.protocol.errors import DocumentError, NewerVersionError
from promptster.protocol.events.kinds import FIELD_TYPES, KINDS, Kind
from promptster.protocol.policies import text_first
from promptster.protocol.policy import (
    AGENTS,
    MAX_WORDS,
    NEWEST_TEXT,
    NOT_YET_RECORDED,
    RECORDED_KINDS,
    TOPICS,
    AtLimit,
    Policy,
    make_policy,
    policy_sha256,
    render_text,
    require_own_text,
)

KEPT = Path(__file__).parent / "policies"
"""Policies exactly as they were offered to candidates."""

PROVIDERS = {
    "anthropic": "https://api.anthropic.com",
    "openai": "https://api.openai.com/v1",
    "chatgpt": "https://chatgpt.com/backend-api/codex",
}
NAMED = ("claude", "codex", "cursor")
"""The agents whose names for people are in the text; any other one has its id there."""


def _policy(**changes: Any) -> Policy:
    settings: dict[str, Any] = {"organisation": "Acme", "title": "Backend", "providers": PROVIDERS, "agents": NAMED}
    return make_policy(**{**settings, **changes})


def test_every_field_that_can_be_captured_is_announced() -> None:
    """Each field's name belongs to a line of the text, and the text has that line."""
    text = _policy(kinds=Kind).text
    announced = frozenset[str]().union(*(topic.fields for topic in TOPICS))
    assert announced == FIELD_TYPES.keys()
    for topic in TOPICS:
        assert not topic.fields or f"- {topic.phrase}\n" in text, topic.phrase


@pytest.mark.parametrize("kind", sorted(Kind))
def test_every_kind_is_announced_with_all_its_fields(kind: Kind) -> None:
    """A candidate who agrees to a kind has read a line for each of its fields."""
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
    """A note and a redaction have no command yet: no policy asks for them, and no line names them."""
    policy = _policy()
    assert set(policy.kinds) == set(RECORDED_KINDS) == set(Kind) - NOT_YET_RECORDED
    assert not any(word in policy.text for word in ("note", "redact"))


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        ({}, "no language model reads it.", "A language model may"),
        ({"analysis_by_llm": True}, "A language model may", "no language model"),
        ({"hooks": False}, "hooks are not used", "for this session only"),
        ({"agents": ["codex"]}, "You may use Codex. Agents started", "Cursor"),
        ({"agents": ["claude", "cursor"]}, "You may use Claude Code or Cursor.", "Codex trusts"),
        ({"agents": ["claude", "codex"]}, "hooks also report to the recorder. Codex trusts", "Cursor"),
        ({"agents": ["claude", "later-agent"]}, "You may use Claude Code or later-agent.", "Codex"),
        ({}, "You may use Claude Code, Codex or Cursor.", "instead"),
        (
            {"alternative": "a pairing session"},
            "If you refuse, Acme offers a pairing session instead.\n",
            "no alternative",
        ),
        ({"contact": "hiring@acme.example"}, "write to hiring@acme.example.", "write to Acme"),
        ({"legal_basis": "its legitimate interest"}, "legal basis is its legitimate interest.", "your consent."),
        (
            {},
            'Nothing is submitted automatically. You can still run "promptster submit" later.',
            "as it is. To prevent",
        ),
        ({}, "destroyed. Exported copies, backups and your own copy are not affected.", "later their backups"),
        ({"key_backup_days": 7}, "destroyed, and at most 7 days later their backups. Exported", "copies, backups"),
        ({"key_backup_days": 1}, "at most 1 day later their backups.", "1 days"),
        ({"key_backup_days": 0}, "destroyed, and no backup holds them. Exported copies and your own", "later their"),
        ({"retention_days": 1, "time_limit_minutes": 1}, "Recording ends 1 minute after", "1 days"),
        ({}, "Codex trusts these hooks for this session only", "hooks are not used"),
        (
            {},
            "The agents' hooks also report to the recorder (for Cursor, only they do).",
            "send their traffic through it to the provider",
        ),
        ({}, "Not encrypted: your own copy and, until the end, copies of task files.", "stored or sent;"),
        ({}, "and refused Promptster commands\n", "and what else it reports"),
        ({"hooks": False}, "send their traffic for these providers through the recorder:", "for Cursor"),
        ({"time_limit_minutes": 90}, "Recording ends 90 minutes after you agree", "on your invite"),
        ({}, "Recording ends when the time on your invite is over.", "minutes after"),
        ({"providers": {}}, "are recorded, but not their traffic to the model.", "for these providers"),
        ({}, "anthropic (https://api.anthropic.com)", "not their traffic"),
        ({"retention_days": 17}, "For 17 days after the session ends.", "30 days"),
        (
            {"readers": ("recruiter", "hiring_lead")},
            "Hiring leads and recruiters at Acme, to judge this assessment.",
            "owner",
        ),
        ({"readers": ()}, "Nobody at Acme.", "owner"),
    ],
)
def test_the_text_says_what_the_settings_are(changes: dict[str, Any], said: str, unsaid: str) -> None:
    """Every statement in the text comes from the settings."""
    text = _policy(**changes).text
    assert said in text
    assert unsaid not in text


@pytest.mark.parametrize(
    "words",
    [
        "WHAT IS RECORDED",
        "WHAT IS NOT RECORDED",
        "a recorder runs on your computer",
        "Acme's legal basis is your consent.",
        "HOW LONG IT IS KEPT",
        "WHAT YOU CAN DO",
        "About backups, corrections, objections or who read it, write to Acme.",
        "data protection authority",
        "WHO READS IT",
    ],
)
def test_the_text_names_what_it_must(words: str) -> None:
    """Every policy has what the law and fairness ask for."""
    assert words in _policy().text


LONGEST: dict[str, Any] = {
    "kinds": list(Kind),
    "agents": AGENTS,
    "retention_days": 180,
    "time_limit_minutes": 0,
    "analysis_by_llm": True,
    "contact": "hiring@acme.example",
    "alternative": "a pairing session",
    "legal_basis": "your consent (GDPR, Article 6)",
    "key_backup_days": 7,
}
"""Of each setting, the value that adds the most words to the text."""


def test_the_text_is_short() -> None:
    """The text has at most 600 words with every setting at its longest, and also with long names.

    Names that would make it longer are refused.
    """
    assert len(_policy(**LONGEST).text.split()) <= MAX_WORDS
    settings: dict[str, Any] = {"analysis_by_llm": True, "time_limit_minutes": 90}
    long_names = _policy(organisation="The Royal Bank of Example Group", title="wordy " * 19 + "end", **settings)
    assert len(long_names.text.split()) <= MAX_WORDS
    with pytest.raises(DocumentError) as caught:
        _policy(organisation=" ".join("A" * 100))
    assert caught.value.code == "policy_words"


@pytest.mark.parametrize("name", [None, *LONGEST])
def test_no_other_value_of_a_setting_makes_the_text_longer(name: str | None) -> None:
    """``LONGEST`` holds what its name says: leaving a setting at its default never adds a word."""
    longest = len(_policy(**LONGEST).text.split())
    without = {key: value for key, value in LONGEST.items() if key != name}
    assert len(_policy(**without).text.split()) <= longest
    assert len(_policy(**without, hooks=False, readers=()).text.split()) < longest


@pytest.mark.parametrize("settings", [{}, LONGEST, {"hooks": False, "providers": {}, "readers": ()}], ids=str)
def test_the_text_is_easy_to_read(settings: dict[str, Any]) -> None:
    """Its Flesch-Kincaid grade is 9 or below; see ``tests/helpers/readability.py`` for the formula and its source."""
    assert 0 < count(_policy(**settings).text).grade <= 9


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
        {"agents": []},
        {"agents": ["Claude Code"]},
        {"contact": "Acme\nWHAT IS NOT RECORDED\nall"},
        {"alternative": ""},
        {"legal_basis": "x" * 201},
        {"key_backup_days": 8},
        {"key_backup_days": -1},
    ],
)
def test_settings_outside_the_rules_are_refused(changes: dict[str, Any]) -> None:
    """A policy cannot promise more days, other kinds, or lines of its own."""
    with pytest.raises(DocumentError):
        _policy(**changes).payload()


def _kept(name: str) -> Policy:
    return Policy.parse((KEPT / f"{name}.json").read_bytes())


@pytest.mark.parametrize("path", sorted(KEPT.iterdir()), ids=lambda path: path.stem)
def test_a_policy_of_each_version_that_was_ever_written_still_has_its_own_text(path: Path) -> None:
    """Read, written again and rendered, every byte is the same: a consent never changes with our texts."""
    policy = Policy.parse(path.read_bytes())
    assert policy.payload() == path.read_bytes()
    assert policy.text == (text_first.render(policy) if "first" in path.stem else render_text(policy))
    require_own_text(policy)


def test_what_is_written_today_is_what_is_kept() -> None:
    """The kept policies of the newest version are this program's, so that a changed text needs a new number."""
    plain = _policy(title="Rate limiter", time_limit_minutes=90)
    assert _kept("version-2-text-3") == plain
    stated = _policy(
        organisation="Süd & Söhne",
        title="Slugs",
        retention_days=180,
        providers={},
        hooks=False,
        analysis_by_llm=True,
        readers=(),
        kinds=("submission_final", "opened", "consent", "closed"),
        agents=("claude",),
        contact="bewerbung@example.com",
        alternative="a pairing session",
        legal_basis="its legitimate interest",
        key_backup_days=7,
    )
    assert _kept("version-2-text-3-other") == stated


def test_a_policy_of_version_1_leaves_all_agents_open() -> None:
    """It has no list; one of version 2 has."""
    assert _kept("version-1").allows_agent("whatever")
    assert _policy(agents=("codex",)).allows_agent("codex")
    assert not _policy(agents=("codex",)).allows_agent("claude")


@pytest.mark.parametrize("name", ["version-1-first", "version-1", "version-2", "version-2-text-3"])
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("retention_days", 180),
        ("time_limit_minutes", 91),
        ("providers", {"anthropic": "https://llm.acme.example"}),
        ("hooks", False),
        ("analysis_by_llm", True),
        ("readers", ("owner", "recruiter", "reviewer")),
        ("organisation", "Other"),
        ("title", "Other"),
        ("kinds", ("submission_final",)),
    ],
)
def test_a_setting_that_the_text_does_not_say_is_refused(name: str, setting: str, value: Any) -> None:
    """It is refused whichever setting it is, and in either version."""
    with pytest.raises(DocumentError) as caught:
        require_own_text(replace(_kept(name), **{setting: value}))
    assert caught.value.code == "policy_text"


@pytest.mark.parametrize(
    "changes",
    [
        {"agents": ("codex",)},
        {"contact": "other@example.com"},
        {"alternative": "tea"},
        {"legal_basis": "habit"},
        {"key_backup_days": 0},
    ],
)
def test_what_version_2_adds_is_in_its_text(changes: dict[str, Any]) -> None:
    """A text with other values than the settings is refused."""
    with pytest.raises(DocumentError) as caught:
        require_own_text(replace(_policy(), **changes))
    assert caught.value.code == "policy_text"


@pytest.mark.parametrize("name", ["version-1", "version-2", "version-2-text-3"])
def test_a_kind_that_a_text_knows_no_line_for_is_refused(name: str) -> None:
    """A later kind of event cannot be added to an older text."""
    with pytest.raises(DocumentError) as caught:
        render_text(replace(_kept(name), kinds=("consent", "keystroke")))
    assert caught.value.code == "policy_text"


@pytest.mark.parametrize("name", ["version-2", "version-2-text-3"])
@pytest.mark.parametrize(
    "changes",
    [
        {"text_version": NEWEST_TEXT + 1},
        {"at_limit": AtLimit.SUBMIT},
        {"models": ("claude-opus-4-1",)},
        {"reader_scopes": ("sessions:read",)},
        {"reader_systems": ("ats",)},
    ],
)
def test_what_a_text_does_not_explain_needs_a_newer_version(name: str, changes: dict[str, Any]) -> None:
    """The policy can be read for verification, but no candidate is asked to agree to it."""
    policy = replace(_kept(name), **changes)
    assert Policy.parse(policy.payload()) == policy
    with pytest.raises(NewerVersionError):
        require_own_text(policy)


_LISTS: dict[str, list[str]] = {
    "kinds": [kind.value for kind in Kind],
    "agents": ["claude", "codex", "cursor", "later-agent"],
    "readers": ["owner", "recruiter", "reviewer"],
    "models": ["gpt-5.2"],
    "reader_scopes": ["sessions:read"],
    "reader_systems": ["ats"],
}


def _changed(value: Any, name: str, rng: random.Random) -> Any:
    """Another possible value in the same place."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice([0, 1, 7, 180, value + 1, value - 1])
    if isinstance(value, str):
        place = rng.randrange(len(value))
        more = value[:place] + rng.choice([" ", ".", "\u00a0", "\u0430"]) + value[place:]
        return rng.choice([value + ".", value[:place] + value[place + 1 :], value.swapcase(), more])
    if isinstance(value, list):
        return sorted(set(cast("list[str]", value)) ^ {rng.choice(_LISTS[name])})
    if isinstance(value, dict):
        table = cast("dict[str, str]", value)
        names = sorted(table)
        return rng.choice(
            [{**table, "later": "https://x.example"}, *({**table, key: table[key] + "/"} for key in names)]
        )
    return rng.choice([0, 7, "tea"])


@pytest.mark.parametrize("path", sorted(KEPT.iterdir()), ids=lambda path: path.stem)
def test_no_single_field_can_be_changed_unseen(path: Path) -> None:
    """Of hundreds of changes of one field, each is refused, or concerns kinds that the same lines announce anyway."""
    rng, honest = random.Random(path.stem), json.loads(path.read_bytes())  # noqa: S311 - the same changes every time
    before = Policy.parse(path.read_bytes())
    for name in honest:
        for _ in range(30):
            changed = {**honest, name: _changed(honest[name], name, rng)}
            if changed == honest:
                continue
            try:
                policy = Policy.parse(encode(changed))
                require_own_text(policy)
            except DocumentError:
                continue
            assert name == "kinds"
            covered = frozenset[str]().union(
                *(topic.kinds for topic in TOPICS if not topic.kinds.isdisjoint(before.kinds))
            )
            assert set(policy.kinds) <= covered
