"""``promptster-collector storage-map``: what is stored where, under which key, for how long."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from promptster_collector.commands.output import document, say


def command(
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Print every file, table and column with its data class, cipher, key and retention."""
    from promptster_collector.privacy.storage_map import storage_map  # noqa: PLC0415 - costs start-up time

    entries = storage_map()
    if json:
        document({"storage": [asdict(entry) for entry in entries]})
        return
    last = ""
    for entry in entries:
        if entry.file != last:
            say(f"\n{entry.file}" if last else entry.file)
            last = entry.file
        place = ".".join(part for part in (entry.table, entry.column) if part) or "(whole file)"
        key = f" under {entry.key}" if entry.key else ""
        say(f"  {place:<36} {entry.data_class:<18} {entry.cipher}{key}; {entry.retention}")
