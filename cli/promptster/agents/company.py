"""Detects, before consent, an agent that is configured to use a company's own provider.

With a company gateway, Bedrock or Vertex, an agent's calls bypass the recorder or go to the wrong place. Only settings
are read, never a key, and nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

OFF = frozenset({"", "0", "false", "no", "off"})
"""Values of a variable that leave its feature off."""


@dataclass(frozen=True, kw_only=True)
class CompanyFinding:
    """One reason why an agent's calls would bypass the recorder."""

    agent: str
    """The agent's id."""
    what: str
    """Where its calls go instead; contains no secret."""
    where: str
    """The variable or file that sets this."""

    def sentence(self) -> str:
        """The finding as a sentence for people."""
        return f"{self.agent} is set to use {self.what} (by {self.where})"


class FindsCompanyProvider(Protocol):
    """Finds other providers in an agent's settings."""

    def find(self, workspace: Path, environ: Mapping[str, str], known: Collection[str]) -> list[CompanyFinding]:
        """Search the environment and the settings files.

        Args:
            workspace: the workspace, whose project settings count too.
            environ: the environment in which the agent will be started.
            known: hosts to ignore, as ``host_of`` writes them.
        """
        ...


def host_of(url: str) -> str:
    """The host and, if given, the port of a URL: enough to show where calls go, without user name or path."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an unreadable address"
    return f"{parts.hostname}{port}" if parts.hostname else "an unreadable address"
