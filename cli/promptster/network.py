"""Network settings: a company's proxy, the hosts that bypass it, and certificate authorities.

They are read once, from the usual variables and the user's settings, and apply to every connection to providers and to
the collector. No library reads the environment itself.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from promptster.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROXY_PORTS: Final = {"http": 80, "https": 443}
"""The supported kinds of proxies with their default ports."""
_AUTHORITIES = ("PROMPTSTER_CA_FILE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
"""Claude Code uses the last one, so the recorder trusts the authorities that the agent trusts."""


def names_host(url: str) -> bool:
    """Return whether a URL has a host and no impossible port."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # unclosed brackets, or a port out of range
        return False


@dataclass(frozen=True, kw_only=True)
class Network:
    """This user's network settings."""

    proxy_url: str | None = field(default=None, repr=False)
    """``http://[user:password@]host[:port]`` or ``https://...`` of a proxy that supports CONNECT."""
    proxy_fault: str = ""
    """Why the configured proxy cannot be used; this matters only for hosts that need it."""
    no_proxy: tuple[str, ...] = ()
    """Hosts reached directly: names with their subdomains, addresses, networks in CIDR form, or ``*``."""
    ca_files: tuple[Path, ...] = ()
    """PEM files with certificate authorities that are trusted in addition to the system's."""

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy for a URL; ``None`` for plain HTTP, this machine and hosts in ``no_proxy``.

        Raises:
            ConfigurationError: the URL needs the proxy, which cannot be used.
        """
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if not (self.proxy_url or self.proxy_fault) or parts.scheme != "https" or _is_this_machine(host):
            return None
        port = parts.port or PROXY_PORTS["https"]
        if any(_covers(entry, host, port) for entry in self.no_proxy):
            return None
        if self.proxy_fault:
            raise ConfigurationError(
                f"{self.proxy_fault}, and {host} is reached through it",
                hint="Set HTTPS_PROXY to http://HOST:PORT of a proxy with CONNECT, or name the host in NO_PROXY.",
            )
        return self.proxy_url

    def tls_context(self) -> ssl.SSLContext:
        """Return a verifying context for TLS 1.2 or newer.

        Raises:
            ConfigurationError: a file of certificate authorities cannot be used.
        """
        context = _system_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        for file in self.ca_files:
            try:
                context.load_verify_locations(file)
            except OSError as error:  # SSLError is one: the file has no certificate
                raise ConfigurationError(
                    f"no certificates in {file}", hint=f"Correct {' or '.join(_AUTHORITIES)}."
                ) from error
        return context


def read_network(environ: Mapping[str, str], settings: Mapping[str, str] | None = None) -> Network:
    """Read HTTPS_PROXY, ALL_PROXY, NO_PROXY (lower case first) and the files of authorities.

    Args:
        environ: the environment, which overrides the settings.
        settings: ``https_proxy``, ``no_proxy`` and ``ca_file`` of the user's own settings.

    Raises:
        ConfigurationError: a file does not exist.
    """

    def first(*names: str) -> str:
        return next((environ[name].strip() for name in names if environ.get(name, "").strip()), "")

    kept = settings or {}
    named = {name: first(name) for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")}
    named["https_proxy in settings.json"] = kept.get("https_proxy", "")
    name, proxy = next(((name, text) for name, text in named.items() if text), ("", ""))
    url, fault = _proxy_url(name, proxy) if proxy else (None, "")
    excluded = first("no_proxy", "NO_PROXY") or kept.get("no_proxy", "")
    files = [*(first(name) for name in _AUTHORITIES), kept.get("ca_file", "")]
    return Network(
        proxy_url=url,
        proxy_fault=fault,
        no_proxy=tuple(entry for entry in re.split(r"[,\s]+", excluded.lower()) if entry),
        ca_files=tuple(dict.fromkeys(_authorities(file) for file in files if file)),
    )


def _proxy_url(name: str, text: str) -> tuple[str | None, str]:
    """Return the proxy's URL, or why it cannot be used, without its password."""
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in PROXY_PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if usable:
        return url, ""
    is_socks = url.lower().startswith("socks")
    return None, f"{name} names {'a SOCKS proxy, which Promptster does not support' if is_socks else 'no usable proxy'}"


def _authorities(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise ConfigurationError(f"certificate file not found: {path}", hint=f"Correct {' or '.join(_AUTHORITIES)}.")
    return path


def _system_context() -> ssl.SSLContext:
    """Return a verifying context with the system's authorities, or with a bundled list if the system has none."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile or paths.capath:
        return ssl.create_default_context()
    from httpx import create_ssl_context  # noqa: PLC0415 - slow to import, rarely needed

    return create_ssl_context(trust_env=False)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _covers(entry: str, host: str, port: int) -> bool:
    """Return whether an entry of NO_PROXY covers this host."""
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        pass
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdigit() and not name.endswith(":"):
        if int(wanted) != port:
            return False
        entry = name
    entry = entry.strip("[]").removeprefix("*").removeprefix(".")
    return bool(entry) and (host == entry or host.endswith("." + entry))
