"""Finding an agent that is set to use a company's own provider, before anything is agreed to.

A company gateway, Bedrock or Vertex means that an agent's calls never cross the recorder, or go to the wrong place.
Only settings are read, never a key, and nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

OFF = frozenset({"", "0", "false", "no", "off"})
"""Values of a variable that switch nothing on."""


@dataclass(frozen=True, kw_only=True)
class CompanyFinding:
    """One reason why an agent's calls would not cross the recorder."""

    agent: str
    """The agent's id."""
    what: str
    """Where its calls go instead, without a secret in it."""
    where: str
    """The variable or file that says so."""

    def sentence(self) -> str:
        """The finding as a person reads it."""
        return f"{self.agent} is set to use {self.what} (by {self.where})"


class FindsCompanyProvider(Protocol):
    """An agent whose settings can name another provider."""

    def find(self, workspace: Path, environ: Mapping[str, str], known: Collection[str]) -> list[CompanyFinding]:
        """Look through environment and settings files.

        Args:
            workspace: its project settings count too.
            environ: the environment in which the agent will be started.
            known: hosts that are no finding, as ``host_of`` writes them.
        """
        ...


def host_of(url: str) -> str:
    """Host and, if there is one, port: enough to show who answers, without user or path."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an unreadable address"
    return f"{parts.hostname}{port}" if parts.hostname else "an unreadable address"
