"""A session in a person's home folder whose recorder does not run, for commands that only read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.paths import Paths
from promptster.protocol.policy import make_policy
from promptster.protocol.providers import USUAL_ADDRESSES
from promptster.session_folder.folder import SessionFacts, SessionFolder

if TYPE_CHECKING:
    from pathlib import Path


def resting_session(home: Path, *, workspace: Path) -> SessionFolder:
    """The session that this person's commands act on."""
    paths = Paths(config=home / "c", data=home / "d", state=home / ".local" / "state" / "promptster")
    facts = SessionFacts(
        session="A" * 22,
        collector_url="https://collector.example",
        organisation="Acme",
        title="Rate limiter",
        workspace=str(workspace),
        created_ms=1_795_600_000_000,
        secrets="file",
        upstreams={},
    )
    policy = make_policy(organisation="Acme", title="Rate limiter", providers=USUAL_ADDRESSES)
    folder = SessionFolder.create(paths, facts)
    folder.write_document("policy.json", policy.payload())
    folder.activate(paths)
    return folder
