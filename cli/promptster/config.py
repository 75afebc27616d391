"""This user's settings: the collector signed in to, the network and the pinned keys.

Environment variables override ``settings.json`` in the configuration folder. Nothing here is secret: tokens are in
``promptster.secret_store``. Files are written completely, synced and renamed, so that a crash leaves either the old
file or the new.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import urlsplit

from promptster.durable import write_private
from promptster.errors import CollectorError, ConfigurationError
from promptster.network import Network, read_network
from promptster.paths import Paths
from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.errors import ProtocolError
from promptster.protocol.key_succession import KeySuccession, parse_keyfile
from promptster.protocol.signing import kid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LOOPBACK = frozenset({"127.0.0.1", "::1"})


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether a value read from JSON is an object."""
    return isinstance(value, dict)


def is_loopback(url: str) -> bool:
    """Return whether a URL's host is a literal loopback address."""
    return (urlsplit(url).hostname or "") in _LOOPBACK


def collector_url(text: str) -> str:
    """Return a collector's base URL in its canonical spelling, without a trailing slash.

    Raises:
        ConfigurationError: the text is not a URL, or uses plain http for another computer.
    """
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
        named = _can_be_called(host) and port != 0 and text.strip().isprintable()
    except ValueError:
        raise ConfigurationError(f"not a web address: {text!r}", hint="An address looks like https://HOST.") from None
    more = parts.username is not None or parts.query or parts.fragment
    if parts.scheme not in {"http", "https"} or not named or more:
        raise ConfigurationError(f"not a collector's address: {text!r}", hint="An address looks like https://HOST.")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise ConfigurationError(
            f"{host} needs https",
            hint="Plain http works only on 127.0.0.1.",
            code="plain_http",
        )
    named_host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{named_host}" + (f":{port}" if port else "") + parts.path.rstrip("/")


def _can_be_called(host: str) -> bool:
    """Return whether a host name can be looked up: it is printable, and each part has 1 to 63 characters.

    Raises:
        ValueError: the name has a part that is empty or too long.
    """
    host.encode("idna")
    return bool(host) and host.isprintable() and not any(character.isspace() for character in host)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings from the environment and ``settings.json``."""

    paths: Paths
    network: Network
    collector: str | None
    """The collector of the last sign-in."""

    @classmethod
    def load(cls, paths: Paths, environ: Mapping[str, str] = os.environ) -> Config:
        """Read the environment and ``settings.json``.

        Raises:
            ConfigurationError: a file or variable is invalid.
        """
        settings = _read_settings(paths.config / "settings.json")
        collector = environ.get("PROMPTSTER_COLLECTOR") or settings.get("collector")
        return cls(
            paths=paths,
            network=read_network(environ, settings),
            collector=collector_url(collector) if collector else None,
        )

    def remember_collector(self, url: str) -> None:
        """Write the collector's address into ``settings.json`` and keep the other settings."""
        path = self.paths.config / "settings.json"
        settings = _read_settings(path)
        settings["collector"] = collector_url(url)
        write_private(path, json.dumps(settings, indent=2, sort_keys=True).encode() + b"\n")


def network_from_environment(report: Callable[[ConfigurationError], object]) -> Network:
    """Return how this process reaches other computers; if its settings cannot be used, report that and use defaults."""
    try:
        return Config.load(Paths.from_environment()).network
    except ConfigurationError as error:
        report(error)
        return Network()


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot read {path}", hint="Repair or delete this file.") from error
    if not is_object(value) or not all(isinstance(entry, str) for entry in value.values()):
        raise ConfigurationError(f"{path} is not a JSON object of strings", hint="Repair or delete this file.")
    return value


@dataclass(frozen=True, kw_only=True)
class _Pin:
    root: str
    """The short name of the first key that is trusted."""
    keys: KeySuccession
    """That key and its successors."""

    def to_bytes(self, url: str, keyfile: bytes) -> bytes:
        document = {"collector": url, "root": self.root, "keyfile": b64u_encode(keyfile)}
        return json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"


class PinnedKeys:
    """Collectors' keys that an invite or a sign-in vouched for, and the successors that these keys signed.

    An invite vouches for one key, its PIN. Keys before it in a key file are not trusted, because anyone can write a
    succession that leads to a key of another collector. A sign-in vouches for the whole key file that it received.
    """

    def __init__(self, paths: Paths) -> None:
        """Use the folder ``keys`` in the configuration folder."""
        self._folder = paths.config / "keys"

    def _path(self, url: str) -> Path:
        return self._folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"

    def get(self, url: str) -> KeySuccession | None:
        """Return the trusted keys of a collector, beginning with the first trusted one.

        Raises:
            ConfigurationError: the file with the pinned keys cannot be read.
        """
        pinned = self._read(self._path(url))
        return None if pinned is None else pinned.keys

    def check(self, url: str, keyfile: bytes) -> KeySuccession:
        """Read a key file and compare it with the pinned keys; returns all of its keys and writes nothing.

        Raises:
            CollectorError: the collector's keys do not continue the pinned ones.
            ConfigurationError: the file with the pinned keys cannot be read.
            ProtocolError: the key file is not valid.
        """
        offered = parse_keyfile(keyfile)
        pinned = self._read(self._path(url))
        if pinned is not None and not _continues(offered, pinned):
            raise CollectorError(
                f"collector {url} is presenting different keys than before",
                hint="Someone may be intercepting the connection. Ask the hiring team before you continue.",
                code="collector_keys_changed",
            )
        return offered

    def pin(self, url: str, keyfile: bytes, *, root: str | None = None) -> KeySuccession:
        """Pin a key file; pinned keys can only be continued by their successors.

        Args:
            url: the collector's address in its canonical spelling.
            keyfile: the collector's answer.
            root: the short name of the first trusted key, which is an invite's PIN. At a sign-in it is ``None``: then
                the pinned keys decide, and without any the whole key file is trusted.

        Raises:
            CollectorError: the keys do not continue the pinned ones, or ``root`` is not among them.
            ConfigurationError: the file with the pinned keys cannot be read.
            ProtocolError: the key file is not valid.
        """
        offered = self.check(url, keyfile)
        pinned = self._read(self._path(url))
        named = [name for name in (root, None if pinned is None else pinned.root) if name is not None]
        roots = named or [kid(offered.collector[0].public_key)]
        found = [offered.since(name) for name in roots]
        vouched = [keys for keys in found if keys is not None]
        if len(vouched) < len(found):
            raise CollectorError(
                f"collector {url} does not have the key that the invite names",
                hint="Check with the person who invited you that the link is complete and theirs.",
                code="collector_not_pinned",
            )
        trusted = max(vouched, key=lambda keys: len(keys.collector))  # the longest begins earliest
        pin = _Pin(root=kid(trusted.collector[0].public_key), keys=trusted)
        if pinned is None or len(trusted.collector) > len(pinned.keys.collector):
            write_private(self._path(url), pin.to_bytes(url, keyfile))
        return trusted

    def fingerprints(self) -> frozenset[str]:
        """Return the fingerprints (hex) of every trusted collector key.

        Raises:
            ConfigurationError: a file with pinned keys cannot be read.
        """
        found: set[str] = set()
        if self._folder.is_dir():
            for path in sorted(self._folder.glob("*.json")):
                pinned = self._read(path)
                found.update(pinned.keys.fingerprints if pinned is not None else ())
        return frozenset(found)

    @staticmethod
    def _read(path: Path) -> _Pin | None:
        damaged = ConfigurationError(
            f"cannot read {path}, which holds a collector's pinned keys",
            hint="Restore it, or delete it and sign in again or open your invite again.",
            code="pinned_keys",
        )
        try:
            document: dict[str, Any] = json.loads(path.read_bytes())
            root = str(document["root"])
            keys = parse_keyfile(b64u_decode(document["keyfile"])).since(root)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, ProtocolError) as error:
            raise damaged from error
        if keys is None:
            raise damaged
        return _Pin(root=root, keys=keys)


def _continues(offered: KeySuccession, pinned: _Pin) -> bool:
    """Return whether a key file only adds keys after the pinned ones.

    A key that signed itself has no key before it. If the first pinned key has one, that key is not checked here.
    """
    believed = offered.since(pinned.root)
    if believed is None or not believed.continues(pinned.keys):
        return False
    return pinned.keys.collector[0].previous is not None or believed.collector[0].previous is None
