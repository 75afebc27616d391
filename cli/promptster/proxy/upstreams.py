"""The fixed table of providers that the proxy forwards to; only the first path segment chooses among them.

A request cannot choose another destination: absolute-form targets, CONNECT, Host and redirects have no effect.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from promptster.errors import ConfigurationError

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_RESERVED = frozenset({"hooks"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


def _split(name: str, base_url: str) -> SplitResult:
    try:
        url = urlsplit(base_url)
        port = url.port
    except ValueError as exc:
        raise ConfigurationError(f"the base URL of upstream {name!r} cannot be read: {exc}") from exc
    if url.scheme not in _DEFAULT_PORTS or not url.hostname or port == 0:
        raise ConfigurationError(f"the base URL of upstream {name!r} must be http:// or https:// with a host")
    if url.username or url.password or url.query or url.fragment:
        raise ConfigurationError(f"the base URL of upstream {name!r} must not contain a user, query or fragment")
    if not base_url.isascii() or re.search(r"[\x00-\x20\x7f]", base_url):
        raise ConfigurationError(f"the base URL of upstream {name!r} must be plain ASCII without spaces")
    return url


@dataclass(frozen=True)
class Upstream:
    """One provider: the path prefix that selects it, and its address."""

    name: str
    """The first path segment at the proxy, such as ``anthropic``."""
    base_url: str
    """``http://`` or ``https://`` URL; its path, if any, is put before every forwarded target."""
    tls: bool = field(init=False, repr=False, compare=False)
    """Whether the connection to the provider uses TLS."""
    host: str = field(init=False, repr=False, compare=False)
    """Name or address to connect to, without brackets."""
    port: int = field(init=False, repr=False, compare=False)
    """TCP port."""
    host_header: bytes = field(init=False, repr=False, compare=False)
    """The value of the Host header that the provider receives."""
    path: str = field(init=False, repr=False, compare=False)
    """The base URL's path without a trailing slash; may be empty."""

    def __post_init__(self) -> None:
        """Parse the URL once.

        Raises:
            ConfigurationError: when the name or the URL cannot be used.
        """
        if not _NAME.fullmatch(self.name) or self.name in _RESERVED:
            raise ConfigurationError(f"{self.name!r} is not a valid name for an upstream")
        url = _split(self.name, self.base_url)
        host = url.hostname or ""
        default = _DEFAULT_PORTS[url.scheme]
        port = url.port or default
        shown = f"[{host}]" if ":" in host else host
        object.__setattr__(self, "tls", url.scheme == "https")
        object.__setattr__(self, "host", host)
        object.__setattr__(self, "port", port)
        object.__setattr__(self, "host_header", (shown if port == default else f"{shown}:{port}").encode())
        object.__setattr__(self, "path", url.path.rstrip("/"))
