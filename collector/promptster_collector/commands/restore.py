"""``promptster-collector restore``: restore a backup, except what was deleted, revoked or used since."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptster_collector.commands.output import document, say
from promptster_collector.commands.prompts import confirm_by_word, require_person

if TYPE_CHECKING:
    from promptster_collector.settings import Settings


def command(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="The folder that backup created.", show_default=False)],
    *,
    data: Annotated[Path, typer.Option(metavar="DIR", help="The data folder, with master.key and backup-keys.")],
    tombstones_copy: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder with the newest tombstones: the copy that serve keeps."),
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The backup of the key store, if it is not in SRC.")
    ] = None,
    keep_keys: Annotated[bool, typer.Option("--keep-keys", help="Keep the current key store.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Replace a data folder's databases and sessions with those of a backup. Stop the collector first.

    What was received since the backup is lost. What was deleted, revoked or used since then stays that way. The log of
    receipts continues under a new name. This cannot be undone.
    """
    from promptster_collector.app import system_clock  # noqa: PLC0415 - costs start-up time
    from promptster_collector.settings import Settings  # noqa: PLC0415 - likewise
    from promptster_collector.store.backup_source import BackupSource  # noqa: PLC0415 - likewise
    from promptster_collector.store.data_folder import FolderLock  # noqa: PLC0415 - likewise
    from promptster_collector.store.restore import Restore  # noqa: PLC0415 - likewise

    os.umask(0o077)
    settings = Settings(data=data.absolute())
    found = BackupSource.find(source.absolute(), None if keys is None else keys.absolute(), keep_keys=keep_keys)
    copy = None if tombstones_copy is None else tombstones_copy.absolute()
    restore = Restore.prepare(settings, found, copy)
    if not yes:
        require_person(json=json, act="restoring")
        say(f"This replaces the databases and sessions in {data}. What was received after the backup is lost.")
        say("This cannot be undone.")
        confirm_by_word("restore", code="not_restored")
    lock = FolderLock(settings)
    try:
        restore.run(now_ms=system_clock().wall_ms(), replay=_replay)
    finally:
        lock.release()
    if json:
        document({"restored": str(settings.data)})
        return
    say(f"Restored {data}. What was deleted, revoked or used since the backup stays that way.")
    say("Serve it with the same --tombstones-copy as before.")


def _replay(settings: Settings) -> None:
    """Reapply endings to a restored folder and start a new log."""
    from promptster_collector.app import build_services, prepare, system_clock  # noqa: PLC0415 - costs start-up time
    from promptster_collector.store.store import Store  # noqa: PLC0415 - likewise

    store = Store.open(settings)
    try:
        prepare(build_services(settings, store, system_clock()), restored=True)
    finally:
        store.close()
