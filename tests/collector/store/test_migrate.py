"""Migrations: data of the first version arrives in the newest schema, and nothing newer is touched."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect, select, text
from tests.helpers.candidate import bearer, started
from tests.helpers.site import Site, copy_data, running_site

from promptster_collector.errors import SetupError
from promptster_collector.settings import Settings
from promptster_collector.store.engine import Use, control_engine
from promptster_collector.store.migrate import CONTROL_SCRIPTS, KEYSTORE_SCRIPTS, newest
from promptster_collector.store.schema import Session
from promptster_collector.store.store import Store


def downgrade(data: Path, revision: str) -> None:
    """Bring a copy's control database back to an earlier schema."""
    engine = control_engine(Settings(data=data).database_url, Use.WRITE)
    config = Config()
    config.set_main_option("script_location", str(CONTROL_SCRIPTS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
    engine.dispose()


def test_the_first_versions_data_goes_on(site: Site, tmp_path: Path) -> None:
    """A folder of the first version with a running session is served: the session can be read, continued and sealed."""
    candidate = started(site.client, site.token)
    candidate.say("written by the first version")
    candidate.put(site.client, 0)
    site.drain()
    target = tmp_path / "old"
    copy_data(site.data, target)
    downgrade(target, "0001")
    engine = create_engine(Settings(data=target).database_url)
    columns = {column["name"] for column in inspect(engine).get_columns("sessions")}
    engine.dispose()
    assert "opened_bytes" not in columns
    with running_site(target, site.token, clock=site.clock) as upgraded:
        candidate.close()
        assert candidate.put(upgraded.client, 0).status_code == 200
        assert candidate.put(upgraded.client, 1).status_code == 200
        upgraded.drain()
        row = upgraded.rows(select(Session.state, Session.opened_bytes))[0]
        assert row.state == "sealed"
        assert row.opened_bytes > 0
        page = upgraded.client.get(f"/v1/sessions/{candidate.session}/events", headers=bearer(site.token)).json()
        assert page["events"][0]["fields"] == {"text": "written by the first version"}


def test_a_newer_versions_data_is_left_alone(data: Path) -> None:
    """A schema that this version does not know is refused before anything is changed."""
    engine = create_engine(Settings(data=data).database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(SetupError, match="newer version"):
        Store.open(Settings(data=data))


@pytest.mark.parametrize("scripts", [CONTROL_SCRIPTS, KEYSTORE_SCRIPTS])
def test_the_newest_revision_is_alembics(scripts: Path) -> None:
    """The revision that the file names give is the one that alembic computes."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - this test only

    config = Config()
    config.set_main_option("script_location", str(scripts))
    assert ScriptDirectory.from_config(config).get_current_head() == newest(scripts)


def test_what_an_idle_collector_does_not_hold(data: Path) -> None:
    """Opening a folder that is up to date imports neither the migration tool nor the query engine."""
    program = (
        "import sys; from pathlib import Path; import promptster_collector.serving\n"
        "from promptster_collector.settings import Settings; from promptster_collector.store.store import Store\n"
        f"Store.open(Settings(data=Path({str(data)!r}))).close()\n"
        "print(*sorted({'alembic', 'mako', 'duckdb', 'fsspec', 'numpy', 'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == ""
    shutil.rmtree(data)
