"""Which agents on this machine talk to something other than the providers that the proxy knows.

A company gateway, Bedrock or Vertex means that an agent's calls never cross the recorder, or cross it towards the wrong
place. That is found before anything is agreed to. Only settings are read, never a key, and nothing is written.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from promptster.config import is_object
from promptster.system.plain_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_OFF = frozenset({"", "0", "false", "no", "off"})
_CLOUDS = {
    "CLAUDE_CODE_USE_BEDROCK": "Amazon Bedrock",
    "CLAUDE_CODE_USE_VERTEX": "Google Vertex",
    "CLAUDE_CODE_USE_FOUNDRY": "Microsoft Foundry",
}
_KNOWN_HOSTS = frozenset({"api.anthropic.com", "api.openai.com", "chatgpt.com"})
_CODEX_OWN = frozenset({"openai", "promptster"})


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One reason why an agent's calls would not cross the recorder."""

    agent: str
    """``claude`` or ``codex``."""
    what: str
    """Where its calls go instead, without a secret in it."""
    where: str
    """The variable or file that says so."""

    def sentence(self) -> str:
        """The finding as a person reads it."""
        return f"{self.agent} is set to use {self.what} (by {self.where})"


def find_company_providers(
    workspace: Path, environ: Mapping[str, str] = os.environ, *, known_urls: Collection[str] = ()
) -> list[Finding]:
    """Look through environment and settings files.

    Args:
        workspace: its project settings count too.
        environ: the environment in which agents will be started.
        known_urls: base URLs that the policy or the command line names; they are no finding.
    """
    known = _KNOWN_HOSTS | {_place(url) for url in known_urls}
    return [*_claude(workspace, environ, known), *_codex(environ, known)]


def _place(url: str) -> str:
    """Host and, where there is one, port: enough to tell who answers, without user or path."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an unreadable address"
    return f"{parts.hostname}{port}" if parts.hostname else "an unreadable address"


def _claude(workspace: Path, environ: Mapping[str, str], known: Collection[str]) -> list[Finding]:
    found: dict[str, Finding] = {}
    for where, variables in _claude_sources(workspace, environ):
        for name, cloud in _CLOUDS.items():
            if variables.get(name, "").strip().lower() not in _OFF:
                found.setdefault(cloud, Finding(agent="claude", what=cloud, where=f"{name} in {where}"))
        if where.startswith(str(workspace)):  # a repository's own address is overruled for the session, and recorded
            continue
        url = variables.get("ANTHROPIC_BASE_URL", "").strip()
        if url and _place(url) not in known:
            place = _place(url)
            found.setdefault(place, Finding(agent="claude", what=place, where=f"ANTHROPIC_BASE_URL in {where}"))
    return list(found.values())


def _claude_sources(workspace: Path, environ: Mapping[str, str]) -> list[tuple[str, Mapping[str, str]]]:
    home = Path(environ.get("CLAUDE_CONFIG_DIR") or Path(environ.get("HOME", "~")).expanduser() / ".claude")
    managed = Path("/etc/claude-code")
    if sys.platform == "darwin":
        managed = Path("/Library/Application Support/ClaudeCode")
    files = [
        managed / "managed-settings.json",
        home / "settings.json",
        workspace / ".claude" / "settings.json",
        workspace / ".claude" / "settings.local.json",
    ]
    return [("the environment", environ), *((str(file), _settings_env(file)) for file in files)]


def _settings_env(file: Path) -> dict[str, str]:
    try:
        value = json.loads(read_regular(file))
    except (OSError, ValueError):
        return {}
    env = value.get("env") if is_object(value) else None
    return {name: str(text) for name, text in env.items()} if is_object(env) else {}


def _codex(environ: Mapping[str, str], known: Collection[str]) -> list[Finding]:
    found: list[Finding] = []
    url = environ.get("OPENAI_BASE_URL", "").strip()
    if url and _place(url) not in known:
        found.append(Finding(agent="codex", what=_place(url), where="OPENAI_BASE_URL in the environment"))
    file = Path(environ.get("CODEX_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".codex") / "config.toml"
    try:
        config: dict[str, Any] = tomllib.loads(read_regular(file).decode())
    except (OSError, ValueError):
        return found
    profiles = config.get("profiles")
    profile = profiles.get(str(config.get("profile"))) if is_object(profiles) else None
    provider = (profile.get("model_provider") if is_object(profile) else None) or config.get("model_provider")
    providers = config.get("model_providers")
    if isinstance(provider, str) and provider not in _CODEX_OWN:
        entry = providers.get(provider) if is_object(providers) else None
        base = str(entry.get("base_url", "")) if is_object(entry) else ""
        if not base or _place(base) not in known:
            what = f"the provider {provider}" + (f" at {_place(base)}" if base else "")
            found.append(Finding(agent="codex", what=what, where=str(file)))
    base_url = config.get("openai_base_url")
    if isinstance(base_url, str) and base_url and _place(base_url) not in known:
        found.append(Finding(agent="codex", what=_place(base_url), where=str(file)))
    return found
