"""``promptster sessions``: who started, who finished."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptster.commands import needed
from promptster.commands.options import Json, TeamCollector

if TYPE_CHECKING or needed.work:
    from promptster import times
    from promptster.commands.cells import milliseconds, now, when
    from promptster.commands.names import shortened
    from promptster.commands.signed_in import team_client
    from promptster.commands.tables import table
    from promptster.config import Config
    from promptster.paths import Paths
    from promptster.ui.output import Output

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_HEADING = ("Session", "Candidate", "Assessment", "Stage", "Started", "Used", "Events")
_ENDED = frozenset({"closing", "sealed"})
_LEGEND = {
    "started": "started: not submitted yet. The candidate may be working, or have stopped.",
    "ended": "ended: over; the collector does not say how.",
    "lapsed": "lapsed: the time to submit ended without a submission.",
    "withdrawn": "withdrawn: the candidate withdrew consent; its keys are destroyed.",
    "erased": "erased: the time to keep it ended, or it was deleted; its keys are destroyed.",
}
"""What stages mean that do not explain themselves."""


def command(*, collector: TeamCollector = None, json: Json = False) -> None:
    """List the organisation's sessions, newest first."""
    out = Output(json)
    with team_client(Config.load(Paths.from_environment()), collector) as client:
        answer = client.sessions()
    out.result(answer)
    if json:
        return
    entries: list[dict[str, Any]] = answer.get("sessions", [])
    now_ms = now()
    shown = shortened([str(entry["session"]) for entry in entries])
    rows = [
        (
            shown[str(entry["session"])],
            entry.get("name"),
            entry.get("title"),
            stage(entry),
            when(entry.get("started_at"), now_ms),
            _used(entry, now_ms),
            entry.get("events"),
        )
        for entry in entries
    ]
    for line in table(_HEADING, rows, empty="No sessions yet."):
        out.say(line)
    for line in _legend({stage(entry) for entry in entries}):
        out.say(line)


def stage(entry: Mapping[str, Any]) -> str:
    """One word for how far a session has come; the states of ``--json`` are the collector's own."""
    state = str(entry.get("state"))
    if state in _ENDED:
        return str(entry.get("outcome") or "ended")
    return "started" if state == "open" else state


def _used(entry: Mapping[str, Any], now_ms: int) -> str:
    """How long the session took, or how long ago it began."""
    began = milliseconds(entry.get("started_at"))
    ended = milliseconds(entry.get("closed_at"))
    if began is None or (ended is None and stage(entry) != "started"):
        return ""
    return times.span((now_ms if ended is None else ended) - began).replace("less than 1 min", "0 min")


def _legend(stages: Collection[str]) -> Iterator[str]:
    yield from (text for name, text in _LEGEND.items() if name in stages)
