"""``promptster-collector serve``: the collector on one address, until SIGTERM or SIGINT."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptster_collector.commands.output import say
from promptster_collector.errors import OptionError

PORT = 8080
"""Where a collector listens that was told no port, with a certificate or without."""


def command(
    *,
    data: Annotated[Path, typer.Option(metavar="DIR", help="The data folder that init made.")],
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="Port; 0 for any free one.")] = PORT,
    ready_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Holds the base URL while requests are answered; an earlier one is replaced."
        ),
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="Certificate chain (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its private key (PEM).")] = None,
    public_url: Annotated[str, typer.Option(metavar="URL", help="The base URL that invite links name.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print errors as one JSON document.")] = False,  # noqa: ARG001 - read by the front door
) -> None:
    """Serve a data folder until Ctrl-C or SIGTERM.

    Plain HTTP is for 127.0.0.1 only; every other address needs a certificate.
    """
    from promptster_collector.serving import Listening, serve  # noqa: PLC0415 - costs start-up time
    from promptster_collector.settings import Settings  # noqa: PLC0415 - likewise

    if (tls_cert is None) != (tls_key is None):
        hint = "Add both --tls-cert and --tls-key."
        raise OptionError("a certificate and its key go together", hint=hint, code="tls")
    listening = Listening(host=host, port=port, tls_cert=tls_cert, tls_key=tls_key, ready_file=ready_file)
    serve(Settings(data=data.absolute(), public_url=public_url.rstrip("/")), listening, tell=say)
