"""Finding agents whose traffic would not pass through the recorder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from promptster.session.launch.company_providers import find_company_providers

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with nothing in it."""
    (tmp_path / "home" / ".claude").mkdir(parents=True)
    (tmp_path / "home" / ".codex").mkdir()
    return tmp_path / "home"


def found(home: Path, known: tuple[str, ...] = (), **environ: str) -> list[tuple[str, str]]:
    """Agent and place of each finding."""
    workspace = home.parent / "work"
    findings = find_company_providers(workspace, {"HOME": str(home), **environ}, known_urls=known)
    return [(finding.agent, finding.what) for finding in findings]


def test_an_ordinary_machine_has_no_findings(home: Path) -> None:
    """There are none without settings, with the providers' own addresses, or with disabled switches."""
    assert found(home) == []
    assert found(home, ANTHROPIC_BASE_URL="https://api.anthropic.com/", CLAUDE_CODE_USE_BEDROCK="0") == []


@pytest.mark.parametrize(
    ("variable", "value", "finding"),
    [
        ("ANTHROPIC_BASE_URL", "https://user:secret@gateway.corp.example/claude", ("claude", "gateway.corp.example")),
        ("CLAUDE_CODE_USE_BEDROCK", "1", ("claude", "Amazon Bedrock")),
        ("CLAUDE_CODE_USE_VERTEX", "true", ("claude", "Google Vertex")),
        ("OPENAI_BASE_URL", "http://10.0.0.1:8080/v1", ("codex", "10.0.0.1:8080")),
    ],
)
def test_the_environment_is_looked_at(home: Path, variable: str, value: str, finding: tuple[str, str]) -> None:
    """A finding in the environment names the place without user, password or path."""
    assert found(home, (), **{variable: value}) == [finding]


def test_settings_of_the_user_are_looked_at(home: Path) -> None:
    """Claude Code's settings can set the same variables; CLAUDE_CONFIG_DIR moves them."""
    settings = {"env": {"ANTHROPIC_BASE_URL": "https://gateway.example", "CLAUDE_CODE_USE_VERTEX": 1}}
    (home / ".claude" / "settings.json").write_text(json.dumps(settings))
    assert found(home) == [("claude", "Google Vertex"), ("claude", "gateway.example")]
    assert found(home, CLAUDE_CONFIG_DIR=str(home / "elsewhere")) == []


def test_a_repositorys_own_address_is_overridden_and_not_a_finding(home: Path) -> None:
    """The launcher overrides a repository's address; a cloud switch in a repository still counts."""
    project = home.parent / "work" / ".claude"
    project.mkdir(parents=True)
    settings = {"env": {"ANTHROPIC_BASE_URL": "https://evil.example", "CLAUDE_CODE_USE_BEDROCK": "1"}}
    (project / "settings.json").write_text(json.dumps(settings))
    assert found(home) == [("claude", "Amazon Bedrock")]


@pytest.mark.parametrize(
    ("config", "findings"),
    [
        ('model_provider = "openai"', []),
        ('model_provider = "azure"', [("codex", "the provider azure")]),
        (
            'model_provider = "corp"\n[model_providers.corp]\nbase_url = "https://llm.corp.example/v1"',
            [("codex", "the provider corp at llm.corp.example")],
        ),
        ('profile = "w"\n[profiles.w]\nmodel_provider = "azure"', [("codex", "the provider azure")]),
        ('openai_base_url = "https://llm.example"', [("codex", "llm.example")]),
        ("this is not toml", []),
    ],
)
def test_codex_configuration_is_looked_at(home: Path, config: str, findings: list[tuple[str, str]]) -> None:
    """A provider of its own is found, even in a profile; a broken file is left for Codex to report."""
    (home / ".codex" / "config.toml").write_text(config)
    assert found(home) == findings


def test_what_the_policy_or_the_command_line_names_is_no_finding(home: Path) -> None:
    """An address that the proxy forwards to is allowed."""
    known = ("https://gateway.example/anthropic", "http://127.0.0.1:8080")
    assert found(home, known, ANTHROPIC_BASE_URL="https://gateway.example") == []
    assert found(home, known, OPENAI_BASE_URL="http://127.0.0.1:8080/v1") == []
    assert found(home, known, OPENAI_BASE_URL="http://127.0.0.1:9/v1") == [("codex", "127.0.0.1:9")]


def test_damaged_settings_are_passed_over(home: Path) -> None:
    """Damaged settings are left for the agent to report."""
    (home / ".claude" / "settings.json").write_text("{")
    assert found(home) == []
    (home / ".claude" / "settings.json").write_text('{"env": []}')
    assert found(home) == []
