"""``promptster-collector backup``: the data, and apart from it a sealed copy of the key store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from promptster_collector.commands.output import document, say


def command(
    folder: Annotated[Path, typer.Argument(metavar="DEST", help="Folder to create.", show_default=False)],
    *,
    data: Annotated[Path, typer.Option(metavar="DIR", help="The collector's data folder.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Back up a data folder, even while it is being served.

    Keep keystore.backup apart from the data. It stops working after 7 days, or after the days that
    `serve --key-backup-days` states. Neither part contains master.key or the tombstones.
    """
    from promptster.times import moment, utc  # noqa: PLC0415 - costs start-up time
    from promptster_collector.app import system_clock  # noqa: PLC0415 - costs start-up time
    from promptster_collector.settings import Settings  # noqa: PLC0415 - likewise
    from promptster_collector.store.backup import make_backup  # noqa: PLC0415 - likewise
    from promptster_collector.store.backup_keys import MOST_DAYS, BackupKeys  # noqa: PLC0415 - likewise
    from promptster_collector.store.data_folder import as_stated, require_data_folder  # noqa: PLC0415 - likewise

    os.umask(0o077)
    settings = Settings(data=data.absolute())
    require_data_folder(settings)
    stated = as_stated(settings).key_backup_days
    keys, now_ms = BackupKeys(settings.backup_keys), system_clock().wall_ms()
    keys.destroy_due(now_ms)
    days = MOST_DAYS if stated is None else stated
    made = make_backup(settings, folder.absolute(), keys=keys, days=days, now_ms=now_ms)
    if json:
        until = None if made.until_ms is None else utc(made.until_ms)
        document({"data": str(made.data), "keystore": None if made.keys is None else str(made.keys), "until": until})
        return
    say(f"Backed up the data to {folder / made.data.name}.")
    if made.keys is None or made.until_ms is None:
        say("The keys were not backed up: this collector keeps key backups for 0 days.")
        return
    say(f"Backed up the keys to {folder / made.keys.name}. Keep this file apart from the data.")
    say(f"It works until {moment(made.until_ms)}, and only with this data folder.")
    say("Neither contains master.key or the tombstones.")
