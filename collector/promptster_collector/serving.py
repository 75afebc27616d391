"""Listening: binds the address, prepares the store, runs uvicorn, writes the ready file when requests are answered."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import os
import re
import signal
import socket
import ssl
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import uvicorn

from promptster.errors import reason_of
from promptster_collector.app import build_app, build_services, prepare, system_clock
from promptster_collector.assessments.promises import require_promises
from promptster_collector.connections import counted
from promptster_collector.errors import OptionError, SetupError
from promptster_collector.places import Listener, Places, places_here
from promptster_collector.store.files import Durability, write_atomically
from promptster_collector.store.restore import finish_restore
from promptster_collector.store.store import FolderLock, Store, as_stated, require_data_folder, state_days

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path
    from urllib.parse import SplitResult

    from promptster_collector.settings import Settings

log = logging.getLogger("promptster_collector")

_BACKLOG = 1024
_SWITCH = 0.0005
"""Seconds after which a thread that computes lets another one go on: the writer must not wait for checks."""
_READY = re.compile(rb"(https?://[\x21-\x7e]+)?\s*")
"""What stands in a ready file."""
_READY_BYTES = 4096
_GRACE = 10
"""Seconds that running requests have at the end."""


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


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _is_wildcard(host: str) -> bool:
    """Whether it stands for every address of this computer, so that nobody can call it."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_unspecified
    return not host


def _refuse_plain(listening: Listening) -> None:
    if listening.tls or _is_loopback(listening.host):
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


def _refuse_public(url: str, listening: Listening) -> None:
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
    if parts.scheme == "http" and _is_loopback(host):
        return
    raise OptionError("invite links need a public address", hint="Add --public-url https://HOST.", code="public_url")


def _refuse_unreadable(listening: Listening) -> None:
    """A certificate or key that cannot be read is named, before anything is opened."""
    for option, path in (("--tls-cert", listening.tls_cert), ("--tls-key", listening.tls_key)):
        if path is None:
            continue
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise OptionError(f"cannot read {path}: {reason_of(error)}", hint=f"Check {option}.", code="tls") from error


def _bind(listening: Listening) -> Listener:
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


class WithoutContent(logging.Formatter):
    """Neither messages nor tracebacks of other people's code."""

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        """The fault's type."""
        kind = ei[0] if isinstance(ei, tuple) and ei and isinstance(ei[0], type) else None
        return kind.__name__ if kind is not None else "unknown"

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - logging's name
        """Nothing: lines of code may hold what they work on."""
        del stack_info
        return ""


def _log_to_stderr() -> None:
    """Lines without content: no names, addresses, tokens or bodies; uvicorn's own lines stay below."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # What libraries log of faults may quote what they worked on: type and place are told by our own lines.
    quiet = logging.StreamHandler(sys.stderr)
    quiet.setFormatter(WithoutContent("%(asctime)s %(levelname)s a fault in %(name)s"))
    quiet.setLevel(logging.WARNING)
    logging.getLogger().handlers[:] = [quiet]


class _Server(uvicorn.Server):
    """Uvicorn that says when it answers, and ends with exit code 0 on a signal."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started and not self.should_exit:
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _end(self) -> None:
        self.should_exit = True


def _modern_tls(_: uvicorn.Config, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _config(settings: Settings, listening: Listening, store: Store, places: Places) -> tuple[uvicorn.Config, list[str]]:
    """The server's settings, and whose collector it is."""
    services = build_services(settings, store, system_clock())
    prepare(services)
    config = uvicorn.Config(
        build_app(services),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        ws="none",
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=75,
        http=counted(places),
        loop="asyncio",  # whose way of accepting connections the places know
        ssl_certfile=listening.tls_cert,
        ssl_keyfile=listening.tls_key,
        ssl_context_factory=_modern_tls if listening.tls else None,
    )
    return config, services.organisations.names()


def ready_words(name: str, settings: Settings, listening: Listening, url: str) -> list[str]:
    """What whoever started the collector reads as soon as it answers."""
    whose = f"{name}'s collector" if name else "The collector"
    if settings.public_url not in {"", url}:
        return [f"{whose} is ready at {settings.public_url} (listening on {url}).", "Ctrl-C stops it."]
    if not _is_loopback(listening.host):
        return [f"{whose} is ready at {url}.", "Ctrl-C stops it."]
    return [
        f"{whose} is ready at {url} (this computer only).",
        "For other computers, add --host, --tls-cert, --tls-key and --public-url.",
        "Ctrl-C stops it.",
    ]


def serve(settings: Settings, listening: Listening, *, tell: Callable[[str], None]) -> None:
    """Serve until a signal; ``tell`` gets the lines that are for whoever started it.

    Raises:
        SetupError: the folder, the address or the certificate cannot be used.
    """
    _log_to_stderr()
    _refuse_plain(listening)
    _refuse_public(settings.public_url, listening)
    _refuse_unreadable(listening)
    _refuse_taken(listening.ready_file)
    os.umask(0o077)
    require_data_folder(settings)
    lock = FolderLock(settings)
    try:
        finish_restore(settings)  # what a restore that was killed left behind holds keys
        if listening.state_days:
            _restate(settings)
        settings = as_stated(settings)
        _remove(listening.ready_file)
        with _bind(listening) as server:
            url = base_url(server, listening)
            settings = settings if settings.public_url else replace(settings, public_url=url)
            _run(settings, listening, server, url, tell)
    finally:
        _remove(listening.ready_file)
        lock.release()


def _restate(settings: Settings) -> None:
    """Change what is stated about backups of the keys, unless earlier words would be broken by it.

    Raises:
        OptionError: they would.
    """
    now_ms = system_clock().wall_ms()
    store = Store.open(settings)
    try:
        require_promises(store, settings.key_backup_days, now_ms=now_ms)
    finally:
        store.close()
    state_days(settings, settings.key_backup_days, now_ms=now_ms)


def _refuse_taken(ready_file: Path | None) -> None:
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


def _remove(ready_file: Path | None) -> None:
    """A ready file says that somebody listens now: one of an earlier process would name a dead address."""
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)


def _run(settings: Settings, listening: Listening, server: Listener, url: str, tell: Callable[[str], None]) -> None:
    def on_ready() -> None:
        if listening.ready_file is not None:
            write_atomically(listening.ready_file, url.encode(), durability=Durability.NONE)
        if not sys.stderr.isatty():  # a person reads it below, once
            log.info("listening on %s", url)
        for line in ready_words(name, settings, listening, url):
            tell(line)

    sys.setswitchinterval(_SWITCH)
    server.places = places_here()
    store = Store.open(settings)
    try:
        config, names = _config(settings, listening, store, server.places)
        config.load()
    except ssl.SSLError as error:
        store.close()
        hint = "Both are PEM files, and the key belongs to the certificate."
        raise OptionError("the certificate or its key cannot be used", hint=hint, code="tls") from error
    except BaseException:
        store.close()
        raise
    name = names[0] if len(names) == 1 else ""
    running = _Server(config, on_ready)
    running.run(sockets=[server])
    store.close()
    if sys.stderr.isatty():
        tell("Stopped.")
    else:
        log.info("stopped")
    if not running.started:
        raise SetupError("the collector could not start", code="start")
