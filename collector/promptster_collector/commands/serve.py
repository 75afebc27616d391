"""``promptster-collector serve``: the collector on one address, until SIGTERM or SIGINT."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptster_collector.commands.output import say
from promptster_collector.errors import OptionError

PORT = 8080
"""The port without ``--port``."""


def command(
    *,
    data: Annotated[Path, typer.Option(metavar="DIR", help="The data folder that init created.")],
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="Port; 0 for any free port.")] = PORT,
    ready_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File that contains the base URL while the collector is ready."),
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="Certificate chain (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its private key (PEM).")] = None,
    public_url: Annotated[str, typer.Option(metavar="URL", help="Base URL for invite links.")] = "",
    tombstones_copy: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Folder on another disk for a second record of what was deleted and revoked."
        ),
    ] = None,
    key_backup_days: Annotated[
        str | None,
        typer.Option(
            metavar="DAYS",
            help="Days that key backups stay usable, 0 to 7; new policies state them. With none, nothing is stated.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print errors as one JSON document.")] = False,  # noqa: ARG001 - read by the front door
) -> None:
    """Serve a data folder until Ctrl-C or SIGTERM.

    Plain HTTP works only on 127.0.0.1; any other address needs a certificate.
    """
    from promptster_collector.listening import Listening  # noqa: PLC0415 - costs start-up time
    from promptster_collector.serving import serve  # noqa: PLC0415 - costs start-up time
    from promptster_collector.settings import Settings  # noqa: PLC0415 - likewise

    if (tls_cert is None) != (tls_key is None):
        hint = "Add both --tls-cert and --tls-key."
        raise OptionError("--tls-cert and --tls-key go together", hint=hint, code="tls")
    settings = Settings(
        data=data.absolute(),
        public_url=public_url.rstrip("/"),
        key_backup_days=days_of(key_backup_days),
        tombstones_copy=None if tombstones_copy is None else tombstones_copy.absolute(),
    )
    listening = Listening(
        host=host,
        port=port,
        tls_cert=tls_cert,
        tls_key=tls_key,
        ready_file=ready_file,
        state_days=key_backup_days is not None,
    )
    serve(settings, listening, tell=say)


def days_of(word: str | None) -> int | None:
    """The value of ``--key-backup-days``; ``None`` for no statement.

    Raises:
        OptionError: it is neither a number from 0 to 7 nor ``none``.
    """
    if word is None or word == "none":
        return None
    if len(word) == 1 and word in "01234567":
        return int(word)
    hint = "--key-backup-days takes 0 to 7, or none."
    raise OptionError(f"not a number of days from 0 to 7: {word}", hint=hint, code="key_backup_days")
