"""``promptster-collector keys``: the public keys with their succession, as a file for ``promptster verify --trust``."""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from promptster_collector.commands.output import document, say, write_named


def command(
    *,
    data: Annotated[Path, typer.Option(metavar="DIR", help="The collector's data folder.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="File to write; - for standard output.")
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write the collector's public keys, current and earlier ones."""
    from promptster.protocol.key_succession import parse_keyfile  # noqa: PLC0415 - costs start-up time
    from promptster_collector.settings import Settings  # noqa: PLC0415 - likewise
    from promptster_collector.store.data_folder import require_data_folder  # noqa: PLC0415 - likewise
    from promptster_collector.store.keys.identity import public_keyfile  # noqa: PLC0415 - likewise
    from promptster_collector.store.keys.keystore import read_records  # noqa: PLC0415 - likewise

    settings = Settings(data=data.absolute())
    require_data_folder(settings)
    keyfile = public_keyfile(read_records(settings.keystore_url))
    fingerprints = parse_keyfile(keyfile).fingerprints
    if str(output) == "-":
        sys.stdout.write(keyfile.decode())
        return
    write_named(output, keyfile, force=force)
    if json:
        document({"keyfile": str(output.absolute()), "fingerprints": list(fingerprints)})
        return
    say(f"Saved the public keys to {output}.")
    for fingerprint in fingerprints:
        say(f"Key fingerprint:\n  {fingerprint}")
    say(f"To check a bundle with them: promptster verify FILE --trust {quote(str(output))}")
