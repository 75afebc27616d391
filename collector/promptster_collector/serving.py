"""Serving: prepares the store, runs uvicorn, and writes the ready file when requests are answered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import uvicorn

from promptster_collector.app import build_app, build_services, prepare, system_clock
from promptster_collector.assessments.backup_terms import require_policies_kept
from promptster_collector.connection_slots import ConnectionSlots, Listener, slots_for_process
from promptster_collector.errors import OptionError, SetupError
from promptster_collector.http_connection import with_slots
from promptster_collector.listening import (
    Listening,
    base_url,
    bind,
    is_loopback,
    refuse_plain_http,
    refuse_taken_ready_file,
    refuse_unreadable_certificate,
    refuse_unusable_public_url,
    remove_ready_file,
)
from promptster_collector.store.data_folder import FolderLock, as_stated, require_data_folder, state_days
from promptster_collector.store.durable_files import Durability, write_atomically
from promptster_collector.store.restore import finish_restore
from promptster_collector.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from promptster_collector.settings import Settings

log = logging.getLogger("promptster_collector")

_SWITCH = 0.0005
"""Python's thread switch interval in seconds: the database writer must not wait for checks."""
_GRACE = 10
"""Seconds that running requests have when the collector stops."""


class WithoutContent(logging.Formatter):
    """Formats log records of libraries without messages and tracebacks."""

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        """The type of the exception."""
        kind = ei[0] if isinstance(ei, tuple) and ei and isinstance(ei[0], type) else None
        return kind.__name__ if kind is not None else "unknown"

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - logging's name
        """No stack: its lines may contain data."""
        del stack_info
        return ""


def _log_to_stderr() -> None:
    """Log lines without content: no names, addresses, tokens or bodies; nothing from uvicorn."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # Log lines of libraries may quote data; our own lines report type and place.
    quiet = logging.StreamHandler(sys.stderr)
    quiet.setFormatter(WithoutContent("%(asctime)s %(levelname)s a fault in %(name)s"))
    quiet.setLevel(logging.WARNING)
    logging.getLogger().handlers[:] = [quiet]


class Server(uvicorn.Server):
    """Uvicorn that reports when it is ready, and exits with 0 on a signal."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    def run_until_signal(self, listener: socket.socket) -> None:
        """Run, and return after a signal.

        Raises:
            SetupError: it did not start.
        """
        with contextlib.suppress(SystemExit):  # uvicorn's exit code for this has another meaning here
            self.run(sockets=[listener])
        if not self.started:
            hint = "Run it again. If it fails again, report this message."
            raise SetupError("the collector could not start", hint=hint, code="start")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and report when requests are answered."""
        await super().startup(sockets=sockets)
        if self.started and not self.should_exit:
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """End on a signal, without raising it again."""
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


def _config(
    settings: Settings, listening: Listening, store: Store, slots: ConnectionSlots
) -> tuple[uvicorn.Config, list[str]]:
    """The server's configuration, and the names of the organisations."""
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
        http=with_slots(slots),
        loop="asyncio",  # the slots depend on how it accepts connections
        ssl_certfile=listening.tls_cert,
        ssl_keyfile=listening.tls_key,
        ssl_context_factory=_modern_tls if listening.tls else None,
    )
    return config, services.organisations.names()


def ready_words(name: str, settings: Settings, listening: Listening, url: str) -> list[str]:
    """The lines for the operator when the collector is ready."""
    whose = f"{name}'s collector" if name else "The collector"
    if settings.public_url not in {"", url}:
        return [f"{whose} is ready at {settings.public_url} (listening on {url}).", "Ctrl-C stops it."]
    if not is_loopback(listening.host):
        return [f"{whose} is ready at {url}.", "Ctrl-C stops it."]
    return [
        f"{whose} is ready at {url} (this computer only).",
        "For other computers, add --host, --tls-cert, --tls-key and --public-url.",
        "Ctrl-C stops it.",
    ]


def serve(settings: Settings, listening: Listening, *, tell: Callable[[str], None]) -> None:
    """Serve until a signal; ``tell`` prints lines for the operator.

    Raises:
        SetupError: the folder, the address or the certificate cannot be used.
    """
    _log_to_stderr()
    refuse_plain_http(listening)
    refuse_unusable_public_url(settings.public_url, listening)
    refuse_unreadable_certificate(listening)
    refuse_taken_ready_file(listening.ready_file)
    os.umask(0o077)
    require_data_folder(settings)
    lock = FolderLock(settings)
    try:
        finish_restore(settings)  # what an interrupted restore left behind contains keys
        if listening.state_days:
            _restate(settings)
        settings = as_stated(settings)
        remove_ready_file(listening.ready_file)
        with bind(listening) as server:
            url = base_url(server, listening)
            settings = settings if settings.public_url else replace(settings, public_url=url)
            _run(settings, listening, server, url, tell)
    finally:
        remove_ready_file(listening.ready_file)
        lock.release()


def _restate(settings: Settings) -> None:
    """Change the stated days of key backups, unless that would break an earlier promise.

    Raises:
        OptionError: it would.
    """
    now_ms = system_clock().wall_ms()
    store = Store.open(settings)
    try:
        require_policies_kept(store, settings.key_backup_days, now_ms=now_ms)
    finally:
        store.close()
    state_days(settings, settings.key_backup_days, now_ms=now_ms)


def _run(settings: Settings, listening: Listening, server: Listener, url: str, tell: Callable[[str], None]) -> None:
    def on_ready() -> None:
        if listening.ready_file is not None:
            write_atomically(listening.ready_file, url.encode(), durability=Durability.NONE)
        if not sys.stderr.isatty():  # the lines below say it to a person
            log.info("listening on %s", url)
        for line in ready_words(name, settings, listening, url):
            tell(line)

    sys.setswitchinterval(_SWITCH)
    server.slots = slots_for_process()
    store = Store.open(settings)
    try:
        config, names = _config(settings, listening, store, server.slots)
        config.load()
    except ssl.SSLError as error:
        store.close()
        hint = "Both must be PEM files, and the key must belong to the certificate."
        raise OptionError("the certificate or its key cannot be used", hint=hint, code="tls") from error
    except BaseException:
        store.close()
        raise
    name = names[0] if len(names) == 1 else ""
    running = Server(config, on_ready)
    try:
        running.run_until_signal(server)
    finally:
        store.close()
    if sys.stderr.isatty():
        tell("Stopped.")
    else:
        log.info("stopped")
