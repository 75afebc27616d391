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
from promptster.network import Network, read_network
from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.errors import ProtocolError
from promptster.protocol.key_succession import KeySuccession, parse_keyfile
from promptster.protocol.signing import kid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.paths import Paths

_LOOPBACK = frozenset({"127.0.0.1", "::1"})


def write_private(path: Path, data: bytes, *, new: bool = False) -> None:
    """Replace a file of ours durably: mode 0600 from its first byte, in folders of mode 0700.

    Raises:
        FileExistsError: it was to be a new one, and something has that name.
    """
    make_private_folder(path.parent)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if new:  # take the name first: not every disk can rename without replacing
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
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
        host, port = parts.hostname or "", parts.port
        named = _can_be_called(host) and port != 0 and text.strip().isprintable()
    except ValueError:
        raise ConfigurationError(f"not a web address: {text!r}", hint="It looks like https://HOST.") from None
    more = parts.username is not None or parts.query or parts.fragment
    if parts.scheme not in {"http", "https"} or not named or more:
        raise ConfigurationError(f"not a collector's address: {text!r}", hint="It looks like https://HOST.")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise ConfigurationError(
            f"{host} needs https",
            hint="Plain http works only on 127.0.0.1.",
            code="plain_http",
        )
    named_host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{named_host}" + (f":{port}" if port else "") + parts.path.rstrip("/")


def _can_be_called(host: str) -> bool:
    """Whether a host's name can be looked up at all: printable, and no part of it empty or longer than 63 characters.

    Raises:
        ValueError: it cannot.
    """
    host.encode("idna")
    return bool(host) and host.isprintable() and not any(character.isspace() for character in host)


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
            network=read_network(environ, settings),
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
        raise ConfigurationError(f"cannot read {path}", hint="Repair or delete this file.") from error
    if not is_object(value) or not all(isinstance(entry, str) for entry in value.values()):
        raise ConfigurationError(f"{path} is not a table of texts", hint="Repair or delete this file.")
    return value


@dataclass(frozen=True, kw_only=True)
class _Pin:
    root: str
    """The short name of the key at which trust begins."""
    keys: KeySuccession
    """That key and its successors."""

    def to_bytes(self, url: str, keyfile: bytes) -> bytes:
        document = {"collector": url, "root": self.root, "keyfile": b64u_encode(keyfile)}
        return json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"


class PinnedKeys:
    """Collectors' keys that an invite or a sign-in vouched for, with all that they name as successors by signature.

    An invite vouches for one key, its PIN: keys in front of it in a key file are not trusted, because anybody can
    write a succession that leads to somebody else's key. A sign-in vouches for the key file that it was shown.
    """

    def __init__(self, paths: Paths) -> None:
        """Use the folder ``keys`` in the configuration folder."""
        self._folder = paths.config / "keys"

    def _path(self, url: str) -> Path:
        return self._folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"

    def get(self, url: str) -> KeySuccession | None:
        """What is trusted of a collector, the key at which trust begins first.

        Raises:
            ConfigurationError: the file with the pin cannot be read.
        """
        pinned = self._read(self._path(url))
        return None if pinned is None else pinned.keys

    def check(self, url: str, keyfile: bytes) -> KeySuccession:
        """Read a key file and compare it with what is pinned; nothing is written. It is returned whole.

        Raises:
            CollectorError: the collector answers with keys that do not continue the pinned ones.
            ConfigurationError: the file with the pin cannot be read.
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
        """Pin a key file; one that is there already may only be continued.

        Args:
            url: the collector's address in its one spelling.
            keyfile: what the collector answered with.
            root: the short name of the key at which trust begins, an invite's PIN. ``None`` at a sign-in: what is
                pinned already decides, else the whole key file is trusted.

        Raises:
            CollectorError: the keys do not continue the pinned ones, or ``root`` is not among them.
            ConfigurationError: the file with the pin cannot be read.
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
                f"the collector {url} does not hold the key that the invite names", code="collector_not_pinned"
            )
        trusted = max(vouched, key=lambda keys: len(keys.collector))  # the longest begins first
        pin = _Pin(root=kid(trusted.collector[0].public_key), keys=trusted)
        if pinned is None or len(trusted.collector) > len(pinned.keys.collector):
            write_private(self._path(url), pin.to_bytes(url, keyfile))
        return trusted

    def fingerprints(self) -> frozenset[str]:
        """Fingerprints (hex) of every trusted collector key.

        Raises:
            ConfigurationError: a file with a pin cannot be read.
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
            f"cannot read {path}, where a collector's keys are pinned",
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
    """Whether a key file goes on from a pin: keys behind the pinned ones only.

    In front of a key that signed itself nothing can stand; what stands in front of another is not ours to judge.
    """
    believed = offered.since(pinned.root)
    if believed is None or not believed.continues(pinned.keys):
        return False
    return pinned.keys.collector[0].previous is not None or believed.collector[0].previous is None
