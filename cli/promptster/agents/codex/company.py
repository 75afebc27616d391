"""Detects that Codex is configured to use a company's own provider."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from promptster.agents.codex.home import home_of
from promptster.agents.company import CompanyFinding, FindsCompanyProvider, host_of
from promptster.config import is_object
from promptster.system.plain_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

_OWN = frozenset({"openai", "promptster"})


class CodexCompany(FindsCompanyProvider):
    """Searches the environment and Codex's configuration."""

    @override
    def find(self, workspace: Path, environ: Mapping[str, str], known: Collection[str]) -> list[CompanyFinding]:
        del workspace
        found: list[CompanyFinding] = []
        url = environ.get("OPENAI_BASE_URL", "").strip()
        if url and host_of(url) not in known:
            found.append(CompanyFinding(agent="codex", what=host_of(url), where="OPENAI_BASE_URL in the environment"))
        file = home_of(environ) / "config.toml"
        try:
            config: dict[str, Any] = tomllib.loads(read_regular(file).decode())
        except (OSError, ValueError):
            return found
        profiles = config.get("profiles")
        profile = profiles.get(str(config.get("profile"))) if is_object(profiles) else None
        provider = (profile.get("model_provider") if is_object(profile) else None) or config.get("model_provider")
        providers = config.get("model_providers")
        if isinstance(provider, str) and provider not in _OWN:
            entry = providers.get(provider) if is_object(providers) else None
            base = str(entry.get("base_url", "")) if is_object(entry) else ""
            if not base or host_of(base) not in known:
                what = f"the provider {provider}" + (f" at {host_of(base)}" if base else "")
                found.append(CompanyFinding(agent="codex", what=what, where=str(file)))
        base_url = config.get("openai_base_url")
        if isinstance(base_url, str) and base_url and host_of(base_url) not in known:
            found.append(CompanyFinding(agent="codex", what=host_of(base_url), where=str(file)))
        return found
