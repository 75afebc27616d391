"""Where the collector listens: checks of address, public URL, certificate and ready file, and the bound socket."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from promptster.errors import reason_of
from promptster_collector.connection_slots import Listener
from promptster_collector.errors import OptionError, SetupError

if TYPE_CHECKING:
    from pathlib import Path
    from urllib.parse import SplitResult

_BACKLOG = 1024
_READY = re.compile(rb"(https?://[\x21-\x7e]+)?\s*")
"""The content of a ready file."""
_READY_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where and how to listen."""

    host: str
    port: int
    tls_cert: Path | None = None
    tls_key: Path | None = None
    ready_file: Path | None = None
    state_days: bool = False
    """Whether ``key_backup_days`` was given and replaces the stored value."""

    @property
    def tls(self) -> bool:
        """Whether a certificate was given."""
        return self.tls_cert is not None


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach the address."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _is_wildcard(host: str) -> bool:
    """Whether it means every address of this computer, so that no link can contain it."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_unspecified
    return not host


def refuse_plain_http(listening: Listening) -> None:
    """Demand a certificate unless only this computer can reach the address.

    Raises:
        OptionError: plain HTTP on any other address.
    """
    if listening.tls or is_loopback(listening.host):
        return
    raise OptionError(
        "http works only on 127.0.0.1",
        hint="Add --tls-cert and --tls-key, or put a TLS proxy in front of --host 127.0.0.1.",
        code="plain_http_refused",
    )


def _web_address(url: str) -> SplitResult:
    """The parts of a public URL.

    Raises:
        OptionError: it is not a valid URL.
    """
    hint = "--public-url looks like https://HOST."
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        named = not url or (parts.scheme and parts.hostname)
        if named and parts.port != 0 and url.isprintable() and " " not in url:
            return parts
    raise OptionError(f"not a web address: {url!r}", hint=hint, code="public_url")


def refuse_unusable_public_url(url: str, listening: Listening) -> None:
    """Demand an address that links can contain, and that does not send an invite's secret over plain HTTP."""
    if not url and not _is_wildcard(listening.host):
        return
    parts = _web_address(url)
    host = parts.hostname or ""
    if parts.query or parts.fragment or parts.username is not None:
        hint = "It looks like https://HOST, or https://HOST/FOLDER."
        raise OptionError("--public-url takes only an address", hint=hint, code="public_url")
    if parts.scheme == "https" and not _is_wildcard(host):
        return
    if parts.scheme == "http" and is_loopback(host):
        return
    if url:
        hint = "Use https and a host name: --public-url https://HOST."
        raise OptionError(f"{url} cannot be used in invite links", hint=hint, code="public_url")
    raise OptionError("invite links need a public address", hint="Add --public-url https://HOST.", code="public_url")


def refuse_unreadable_certificate(listening: Listening) -> None:
    """Demand that certificate and key can be read."""
    for option, path in (("--tls-cert", listening.tls_cert), ("--tls-key", listening.tls_key)):
        if path is None:
            continue
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise OptionError(f"cannot read {path}: {reason_of(error)}", hint=f"Check {option}.", code="tls") from error


def bind(listening: Listening) -> Listener:
    """A listening socket.

    Raises:
        SetupError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    server = Listener(family, socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((listening.host, listening.port))
        server.listen(_BACKLOG)
    except OSError as error:
        server.close()
        raise _not_bound(listening, error) from error
    server.setblocking(False)
    return server


def _not_bound(listening: Listening, error: OSError) -> SetupError:
    host = f"[{listening.host}]" if ":" in listening.host else listening.host
    what, hint = f"cannot listen on {host}:{listening.port}", "Use another --port; 0 picks any free one."
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return OptionError(f"{what}: not an address of this computer", hint="Check --host.", code="address")
    if error.errno == errno.EADDRINUSE:
        return SetupError(f"{what}: the port is in use", hint=hint, code="address")
    return SetupError(f"{what}: {reason_of(error)}", hint=hint, code="address")


def base_url(server: socket.socket, listening: Listening) -> str:
    """The URL of a bound socket."""
    host, port = server.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if listening.tls else 'http'}://{shown}:{port}"


def refuse_taken_ready_file(ready_file: Path | None) -> None:
    """Demand that the path is free or a ready file, which is replaced and removed without asking.

    Raises:
        OptionError: it is another file, or its folder is missing.
    """
    if ready_file is None:
        return
    if not ready_file.parent.is_dir():
        raise OptionError(f"there is no folder {ready_file.parent}", hint="Create it first.", code="ready_file")
    if not ready_file.exists() and not ready_file.is_symlink():
        return
    plain = ready_file.is_file() and not ready_file.is_symlink() and ready_file.stat().st_size <= _READY_BYTES
    if not plain or not _READY.fullmatch(ready_file.read_bytes()):
        hint = "Choose another --ready-file, or remove it."
        raise OptionError(f"{ready_file} already exists and is not a ready file", hint=hint, code="ready_file")


def remove_ready_file(ready_file: Path | None) -> None:
    """Remove the ready file: it says that the collector is listening now."""
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
