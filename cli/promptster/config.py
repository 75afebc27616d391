"""Settings of this user: the collector signed in to, the way out to the network, and the keys that are pinned.

Environment variables win over ``settings.json`` in the configuration folder. Nothing here is secret: tokens live in
``promptster.keys``. Files are written whole, fsynced and renamed, so that a crash leaves the old or the new one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import urlsplit

from promptster.errors import CollectorError, ConfigurationError
from promptster.protocol.keys import parse_keyfile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.paths import Paths
    from promptster.protocol.keys import KeySuccession

_LOOPBACK = frozenset({"127.0.0.1", "::1"})


def write_private(path: Path, data: bytes) -> None:
    """Replace a file of ours durably: mode 0600 from its first byte, in folders of mode 0700."""
    make_private_folder(path.parent)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    sync_folder(path.parent)


def make_private_folder(folder: Path) -> None:
    """Make a folder and what is missing above it, each with mode 0700, as the XDG rules want it."""
    missing = [folder, *folder.parents]
    for each in reversed(missing[: next((n for n, place in enumerate(missing) if place.is_dir()), len(missing))]):
        each.mkdir(mode=0o700, exist_ok=True)


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value read from JSON is an object."""
    return isinstance(value, dict)


def sync_folder(folder: Path) -> None:
    """Make a folder's own entries durable after a create, rename or unlink."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine by literal address."""
    return (urlsplit(url).hostname or "") in _LOOPBACK


def collector_url(text: str) -> str:
    """A collector's base URL in its one spelling, without a trailing slash.

    Raises:
        ConfigurationError: no URL, or plain http beyond loopback.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"not a web address: {text!r}", hint="it looks like https://host") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None or parts.query:
        raise ConfigurationError(f"not a collector's address: {text!r}", hint="it looks like https://host")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ConfigurationError(
            f"plain http is refused for {parts.hostname}",
            hint="use https; http is for 127.0.0.1 only",
            code="plain_http",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "") + parts.path.rstrip("/")


@dataclass(frozen=True, kw_only=True)
class Network:
    """The way out: what a corporate network needs, and nothing taken from the environment by a library."""

    proxy_url: str | None = None
    """``http://host:port`` of a proxy for https, or ``None``."""
    ca_file: Path | None = None
    """A PEM file of certificate authorities to trust beside the system's."""
    no_proxy: tuple[str, ...] = ()
    """Hosts, or domains with a leading dot, that are reached directly."""

    def proxy_for(self, url: str) -> str | None:
        """The proxy for this URL; loopback never has one."""
        host = urlsplit(url).hostname or ""
        if self.proxy_url is None or is_loopback(url):
            return None
        for entry in self.no_proxy:
            if entry == "*" or host == entry.lstrip(".") or host.endswith("." + entry.lstrip(".")):
                return None
        return self.proxy_url


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the environment and ``settings.json`` say."""

    paths: Paths
    network: Network
    collector: str | None
    """The collector last signed in to."""

    @classmethod
    def load(cls, paths: Paths, environ: Mapping[str, str] = os.environ) -> Config:
        """Read both places.

        Raises:
            ConfigurationError: a file or a variable cannot be used.
        """
        settings = _read_settings(paths.config / "settings.json")
        collector = environ.get("PROMPTSTER_COLLECTOR") or settings.get("collector")
        return cls(
            paths=paths,
            network=_network(settings, environ),
            collector=collector_url(collector) if collector else None,
        )

    def remember_collector(self, url: str) -> None:
        """Write the collector's address into ``settings.json``; other settings stay."""
        path = self.paths.config / "settings.json"
        settings = _read_settings(path)
        settings["collector"] = collector_url(url)
        write_private(path, json.dumps(settings, indent=2, sort_keys=True).encode() + b"\n")


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot read {path}", hint="repair or delete this file") from error
    if not is_object(value) or not all(isinstance(entry, str) for entry in value.values()):
        raise ConfigurationError(f"{path} is not a table of texts", hint="repair or delete this file")
    return value


def _network(settings: Mapping[str, Any], environ: Mapping[str, str]) -> Network:
    proxy = environ.get("HTTPS_PROXY") or environ.get("https_proxy") or settings.get("https_proxy")
    if proxy and urlsplit(proxy).scheme not in {"http", "https"}:
        raise ConfigurationError(
            f"HTTPS_PROXY is not an http address: {proxy!r}", hint="it looks like http://host:port"
        )
    ca_text = environ.get("PROMPTSTER_CA_FILE") or environ.get("SSL_CERT_FILE") or environ.get("NODE_EXTRA_CA_CERTS")
    ca_text = ca_text or settings.get("ca_file")
    ca_file = Path(ca_text).expanduser().absolute() if ca_text else None
    if ca_file is not None and not ca_file.is_file():
        raise ConfigurationError(f"there is no certificate file {ca_file}", hint="correct PROMPTSTER_CA_FILE")
    excluded = environ.get("NO_PROXY") or environ.get("no_proxy") or settings.get("no_proxy", "")
    hosts = tuple(entry.strip() for entry in excluded.split(",") if entry.strip())
    return Network(proxy_url=proxy or None, ca_file=ca_file, no_proxy=hosts)


class PinnedKeys:
    """Collectors' key files that an invite or a sign-in vouched for; ``verify`` trusts them."""

    def __init__(self, paths: Paths) -> None:
        """Use the folder ``keys`` in the configuration folder."""
        self._folder = paths.config / "keys"

    def _path(self, url: str) -> Path:
        return self._folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.keyfile"

    def get(self, url: str) -> KeySuccession | None:
        """What is pinned for a collector."""
        try:
            return parse_keyfile(self._path(url).read_bytes())
        except FileNotFoundError:
            return None

    def check(self, url: str, keyfile: bytes) -> KeySuccession:
        """Read a key file and compare it with what is pinned; nothing is written.

        Keys may only be added behind the pinned ones: whoever puts one in front of them vouches for nothing.

        Raises:
            CollectorError: the collector answers with keys that do not continue the pinned ones.
            ProtocolError: the key file is not valid.
        """
        offered = parse_keyfile(keyfile)
        pinned = self.get(url)
        if pinned is not None and offered.fingerprints[: len(pinned.fingerprints)] != pinned.fingerprints:
            raise CollectorError(
                f"the collector {url} answers with other keys than before",
                hint="somebody may stand between you and it; ask the hiring team before you go on",
                code="collector_keys_changed",
            )
        return offered

    def pin(self, url: str, keyfile: bytes) -> KeySuccession:
        """Pin a key file; one that is there already may only be continued.

        Raises:
            CollectorError: the collector answers with keys that do not continue the pinned ones.
            ProtocolError: the key file is not valid.
        """
        offered = self.check(url, keyfile)
        pinned = self.get(url)
        if pinned is None or len(offered.fingerprints) > len(pinned.fingerprints):
            write_private(self._path(url), keyfile)
        return offered

    def fingerprints(self) -> frozenset[str]:
        """Fingerprints (hex) of every pinned collector key."""
        found: set[str] = set()
        if self._folder.is_dir():
            for path in sorted(self._folder.glob("*.keyfile")):
                found.update(parse_keyfile(path.read_bytes()).fingerprints)
        return frozenset(found)
