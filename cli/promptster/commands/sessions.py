"""``promptster sessions``: who started, who finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.commands import needed
from promptster.commands.options import Collector, Json

if TYPE_CHECKING or needed.work:
    from promptster.commands.signed_in import team_client
    from promptster.commands.tables import table
    from promptster.config import Config
    from promptster.paths import Paths
    from promptster.ui.output import Output


def command(*, collector: Collector = None, json: Json = False) -> None:
    """List the organisation's sessions, newest first."""
    out = Output(json)
    with team_client(Config.load(Paths.from_environment()), collector) as client:
        answer = client.sessions()
    out.result(answer)
    if not json:
        for line in table(
            ("session", "state", "name", "assessment", "started", "ended", "events"),
            [
                (
                    entry["session"],
                    entry.get("state"),
                    entry.get("name"),
                    entry.get("title"),
                    entry.get("started_at"),
                    entry.get("closed_at"),
                    entry.get("events"),
                )
                for entry in answer.get("sessions", [])
            ],
            empty="no sessions yet",
        ):
            out.say(line)
