"""Migrates control database and key store to the newest schema; run by ``init`` and ``serve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from promptster_collector.errors import SetupError
from promptster_collector.store.engine import Use, control_engine, keystore_engine

if TYPE_CHECKING:
    from sqlalchemy import Engine

_HERE = Path(__file__).parent
CONTROL_SCRIPTS = _HERE / "migrations"
KEYSTORE_SCRIPTS = _HERE / "keys" / "migrations"


def newest(scripts: Path) -> str:
    """The last revision in a folder of migrations, from the numbers of its files."""
    return max(path.name[1:5] for path in (scripts / "versions").glob("v????_*.py"))


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def migrate(engine: Engine, scripts: Path) -> None:
    """Run the missing migrations of one folder in one transaction.

    Raises:
        SetupError: a newer version created the data.
    """
    current, wanted = _revision(engine), newest(scripts)
    if current == wanted:
        return  # and alembic, which an idle collector should not hold, stays out of memory
    if current is not None and current > wanted:
        raise SetupError("this data folder was created by a newer version", hint="Update promptster.", code="format")
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - likewise

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def migrate_all(*, database_url: str, keystore_url: str) -> None:
    """Migrate both databases.

    Raises:
        SetupError: a newer version created the data.
    """
    for engine, scripts in (
        (control_engine(database_url, Use.WRITE), CONTROL_SCRIPTS),
        (keystore_engine(keystore_url, Use.WRITE), KEYSTORE_SCRIPTS),
    ):
        try:
            migrate(engine, scripts)
        finally:
            engine.dispose()
