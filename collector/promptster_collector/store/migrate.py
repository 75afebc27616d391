"""Brings control database and key store to the newest schema; run by ``init`` and by every ``serve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from promptster_collector.store.engine import Use, control_engine, keystore_engine

if TYPE_CHECKING:
    from sqlalchemy import Engine

_HERE = Path(__file__).parent
CONTROL_SCRIPTS = _HERE / "migrations"
KEYSTORE_SCRIPTS = _HERE / "keys" / "migrations"


def migrate(engine: Engine, scripts: Path) -> None:
    """Run what is missing of one folder of migrations, in one transaction."""
    # alembic is felt at start-up and needed only here.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def migrate_all(*, database_url: str, keystore_url: str) -> None:
    """Bring both databases up to date."""
    for engine, scripts in (
        (control_engine(database_url, Use.WRITE), CONTROL_SCRIPTS),
        (keystore_engine(keystore_url, Use.WRITE), KEYSTORE_SCRIPTS),
    ):
        try:
            migrate(engine, scripts)
        finally:
            engine.dispose()
