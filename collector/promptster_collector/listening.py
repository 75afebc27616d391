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
"""What stands in a ready file."""
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
    """Whether the settings' word about backups of the keys is a new one, to be kept from here on."""

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
    """Whether it stands for every address of this computer, so that nobody can call it."""
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
        hint="Add --tls-cert and --tls-key, or keep --host 127.0.0.1 behind a proxy that speaks TLS.",
        code="plain_http_refused",
    )


def _web_address(url: str) -> SplitResult:
    """The parts of a public URL.

    Raises:
        OptionError: it has brackets that do not close, a port that there cannot be, or something else that no URL has.
    """
    hint = "--public-url looks like https://HOST."
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.port != 0 and url.isprintable() and " " not in url:
            return parts
    raise OptionError(f"not a web address: {url!r}", hint=hint, code="public_url")


def refuse_unusable_public_url(url: str, listening: Listening) -> None:
    """Links must name an address that can be called, and must not send an invite's secret over plain HTTP."""
    if not url and not _is_wildcard(listening.host):
        return
    parts = _web_address(url)
    host = parts.hostname or ""
    if parts.query or parts.fragment or parts.username is not None:
        hint = "It looks like https://HOST, or https://HOST/FOLDER."
        raise OptionError("--public-url takes an address only", hint=hint, code="public_url")
    if parts.scheme == "https" and not _is_wildcard(host):
        return
    if parts.scheme == "http" and is_loopback(host):
        return
    raise OptionError("invite links need a public address", hint="Add --public-url https://HOST.", code="public_url")


def refuse_unreadable_certificate(listening: Listening) -> None:
    """A certificate or key that cannot be read is named, before anything is opened."""
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
    what, hint = f"cannot listen on {host}:{listening.port}", "Add another --port; 0 takes any free one."
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return OptionError(f"{what}: not an address of this computer", hint="Check --host.", code="address")
    if error.errno == errno.EADDRINUSE:
        return SetupError(f"{what}: the port is in use", hint=hint, code="address")
    return SetupError(f"{what}: {reason_of(error)}", hint=hint, code="address")


def base_url(server: socket.socket, listening: Listening) -> str:
    """The URL under which a bound socket is reached."""
    host, port = server.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if listening.tls else 'http'}://{shown}:{port}"


def refuse_taken_ready_file(ready_file: Path | None) -> None:
    """A ready file is replaced and removed unasked, so what stands there must be one.

    Raises:
        OptionError: it is something else, or its folder is missing.
    """
    if ready_file is None:
        return
    if not ready_file.parent.is_dir():
        raise OptionError(f"there is no folder {ready_file.parent}", hint="Create it first.", code="ready_file")
    if not ready_file.exists() and not ready_file.is_symlink():
        return
    plain = ready_file.is_file() and not ready_file.is_symlink() and ready_file.stat().st_size <= _READY_BYTES
    if not plain or not _READY.fullmatch(ready_file.read_bytes()):
        hint = "Name another --ready-file, or remove it."
        raise OptionError(f"{ready_file} already exists and is not a ready file", hint=hint, code="ready_file")


def remove_ready_file(ready_file: Path | None) -> None:
    """A ready file says that somebody listens now: one of an earlier process would name a dead address."""
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
