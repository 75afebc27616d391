"""Finds agents on this computer that are set up to use a provider that the proxy does not know."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from promptster.agents.company import CompanyFinding, host_of
from promptster.agents.registry import plugins
from promptster.protocol.providers import USUAL_ADDRESSES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

__all__ = ["CompanyFinding", "find_company_providers"]

_KNOWN_HOSTS = frozenset(host_of(url) for url in USUAL_ADDRESSES.values())


def find_company_providers(
    workspace: Path, environ: Mapping[str, str] = os.environ, *, known_urls: Collection[str] = ()
) -> list[CompanyFinding]:
    """Return the company providers of all agents.

    Args:
        workspace: the work tree, whose project settings count too.
        environ: the environment in which agents will be started.
        known_urls: base URLs that the policy or the command line names; these are not reported.
    """
    known = _KNOWN_HOSTS | {host_of(url) for url in known_urls}
    finders = [each.company() for each in plugins() if each.company is not None]
    return [finding for finder in finders for finding in finder.find(workspace, environ, known)]
