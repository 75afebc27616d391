"""Detects that Claude Code is configured to use a cloud's or a company's own provider."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from typing_extensions import override

from promptster.agents.claude.settings import settings_files
from promptster.agents.company import OFF, CompanyFinding, FindsCompanyProvider, host_of
from promptster.config import is_object
from promptster.system.plain_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

_CLOUDS = {
    "CLAUDE_CODE_USE_BEDROCK": "Amazon Bedrock",
    "CLAUDE_CODE_USE_VERTEX": "Google Vertex",
    "CLAUDE_CODE_USE_FOUNDRY": "Microsoft Foundry",
}


class ClaudeCompany(FindsCompanyProvider):
    """Searches the environment and Claude Code's settings files.

    A base URL in the repository's own settings does not count: it is overridden for the session, and recorded.
    """

    @override
    def find(self, workspace: Path, environ: Mapping[str, str], known: Collection[str]) -> list[CompanyFinding]:
        found: dict[str, CompanyFinding] = {}
        for where, variables in _sources(workspace, environ):
            for name, cloud in _CLOUDS.items():
                if variables.get(name, "").strip().lower() not in OFF:
                    found.setdefault(cloud, CompanyFinding(agent="claude", what=cloud, where=f"{name} in {where}"))
            if where.startswith(
                str(workspace)
            ):  # a repository's own address is overridden for the session, and recorded
                continue
            url = variables.get("ANTHROPIC_BASE_URL", "").strip()
            if url and host_of(url) not in known:
                place = host_of(url)
                found.setdefault(
                    place, CompanyFinding(agent="claude", what=place, where=f"ANTHROPIC_BASE_URL in {where}")
                )
        return list(found.values())


def _sources(workspace: Path, environ: Mapping[str, str]) -> list[tuple[str, Mapping[str, str]]]:
    files = settings_files(workspace, environ)
    ordered = [files[name] for name in ("managed", "user", "project", "local")]
    return [("the environment", environ), *((str(file), _settings_env(file)) for file in ordered)]


def _settings_env(file: Path) -> dict[str, str]:
    try:
        value = json.loads(read_regular(file))
    except (OSError, ValueError):
        return {}
    env = value.get("env") if is_object(value) else None
    return {name: str(text) for name, text in env.items()} if is_object(env) else {}
