"""Listening: binds the address, prepares the store, runs uvicorn, writes the ready file when requests are answered."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import signal
import socket
import ssl
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import uvicorn

from promptster_collector.app import build_app, build_services, prepare, system_clock
from promptster_collector.connections import Connection
from promptster_collector.errors import SetupError
from promptster_collector.store.files import Durability, write_atomically
from promptster_collector.store.store import FolderLock, Store, require_data_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from promptster_collector.settings import Settings

log = logging.getLogger("promptster_collector")

_BACKLOG = 1024
_SWITCH = 0.0005
"""Seconds after which a thread that computes lets another one go on: the writer must not wait for checks."""
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

    @property
    def tls(self) -> bool:
        """Whether a certificate was given."""
        return self.tls_cert is not None


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _refuse_plain(listening: Listening) -> None:
    if listening.tls or _is_loopback(listening.host):
        return
    raise SetupError(
        "plain HTTP is served on loopback only",
        hint="give --tls-cert and --tls-key, or --host 127.0.0.1 behind a proxy that speaks TLS",
        code="plain_http_refused",
    )


def _refuse_public(url: str) -> None:
    """Links must not send an invite's secret over plain HTTP."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname and _is_loopback(parts.hostname):
        return
    hint = "give --public-url https://HOST; plain HTTP is for loopback only"
    raise SetupError("invite links cannot name this address", hint=hint, code="public_url")


def _bind(listening: Listening) -> socket.socket:
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((listening.host, listening.port))
        server.listen(_BACKLOG)
    except OSError as error:
        server.close()
        hint = "choose another --port, or 0 for any free one"
        raise SetupError(f"cannot listen on {listening.host}:{listening.port}", hint=hint, code="address") from error
    server.setblocking(False)
    return server


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


def _config(settings: Settings, listening: Listening, store: Store) -> uvicorn.Config:
    services = build_services(settings, store, system_clock())
    prepare(services)
    return uvicorn.Config(
        build_app(services),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        ws="none",
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=75,
        http=Connection,
        ssl_certfile=listening.tls_cert,
        ssl_keyfile=listening.tls_key,
        ssl_context_factory=_modern_tls if listening.tls else None,
    )


def serve(settings: Settings, listening: Listening) -> None:
    """Serve until a signal.

    Raises:
        SetupError: the folder, the address or the certificate cannot be used.
    """
    _log_to_stderr()
    _refuse_plain(listening)
    if settings.public_url:
        _refuse_public(settings.public_url)
    os.umask(0o077)
    require_data_folder(settings)
    lock = FolderLock(settings)
    try:
        _remove(listening.ready_file)
        with _bind(listening) as server:
            url = base_url(server, listening)
            settings = settings if settings.public_url else replace(settings, public_url=url)
            _run(settings, listening, server, url)
    finally:
        _remove(listening.ready_file)
        lock.release()


def _remove(ready_file: Path | None) -> None:
    """A ready file says that somebody listens now: one of an earlier process would name a dead address."""
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)


def _run(settings: Settings, listening: Listening, server: socket.socket, url: str) -> None:
    def on_ready() -> None:
        if listening.ready_file is not None:
            write_atomically(listening.ready_file, url.encode(), durability=Durability.NONE)
        log.info("listening on %s", url)

    sys.setswitchinterval(_SWITCH)
    store = Store.open(settings)
    try:
        config = _config(settings, listening, store)
        config.load()
    except ssl.SSLError as error:
        store.close()
        raise SetupError("the certificate or its key cannot be used", code="tls") from error
    except BaseException:
        store.close()
        raise
    running = _Server(config, on_ready)
    running.run(sockets=[server])
    store.close()
    log.info("stopped")
    if not running.started:
        raise SetupError("the collector could not start", code="start")
