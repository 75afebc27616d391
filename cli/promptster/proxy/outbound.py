"""How the proxy reaches providers: directly or through a corporate proxy, with which certificate authorities."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Outbound:
    """The network settings of the candidate's machine."""

    proxy_url: str | None = None
    """``http://[user:password@]host[:port]`` or ``https://...`` of a proxy that understands CONNECT."""
    no_proxy: tuple[str, ...] = ()
    """Hosts reached directly: names with their subdomains, addresses, networks in CIDR form, or ``*``."""
    ca_file: Path | None = None
    """PEM file with certificate authorities that are trusted besides the system's."""
