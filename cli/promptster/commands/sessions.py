"""``promptster sessions``: see who started and who finished."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptster.commands import needed
from promptster.commands.options import JsonOption, TeamCollector

if TYPE_CHECKING or needed.work:
    from promptster import times
    from promptster.commands.cells import now, when
    from promptster.commands.short_ids import shortened
    from promptster.commands.signed_in import team_client
    from promptster.commands.tables import table
    from promptster.config import Config
    from promptster.paths import Paths
    from promptster.times import milliseconds
    from promptster.ui.escape import escape_line
    from promptster.ui.output import Output
    from promptster.ui.wrapping import columns, fold

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_HEADING = ("Session", "Candidate", "Assessment", "Stage", "Started", "Used", "Events")
_ENDED = frozenset({"closing", "sealed"})
_OPEN = frozenset({"started", "working", "silent", "over"})
_LEGEND = {
    "started": "started: not submitted yet. To read what arrived: promptster replay SESSION",
    "working": "working: recording or paused. To follow it: promptster replay SESSION",
    "silent": "silent: nothing is arriving. Stopped, offline or asleep: ask the candidate.",
    "over": "over: time is up, and nothing has been submitted. Remind the candidate.",
    "submitted": "submitted: finished by the candidate. To read it: promptster replay SESSION",
    "ended": "ended: the collector does not say how. To read it: promptster replay SESSION",
    "lapsed": "lapsed: not submitted in time. To read what arrived: promptster replay SESSION",
    "withdrawn": "withdrawn: the candidate withdrew consent. It can no longer be read.",
    "erased": "erased: its retention ended, or it was deleted. It can no longer be read.",
}
"""What each stage means and what to do next, in at most 80 columns."""


def command(*, collector: TeamCollector = None, json: JsonOption = False) -> None:
    """List your organisation's sessions, newest first: who started, who finished, and what to do next."""
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
    for line in legend({stage(entry) for entry in entries}):
        out.say(line)
    for line in codes([(shown[str(entry["session"])], entry) for entry in entries], now_ms):
        out.say(line)


def stage(entry: Mapping[str, Any]) -> str:
    """One word for the stage of a session; ``--json`` has the collector's own states."""
    state = str(entry.get("state"))
    if state in _ENDED:
        return str(entry.get("outcome") or "ended")
    if state != "open":
        return state
    activity = str(entry.get("activity"))  # not sent by collectors of version 0.1
    return activity if activity in _OPEN else "started"


def _heard(entry: Mapping[str, Any]) -> int | None:
    """When the last part of a session arrived; the start if nothing else has."""
    received = milliseconds(entry.get("last_received_at"))
    return milliseconds(entry.get("started_at")) if received is None else received


def _used(entry: Mapping[str, Any], now_ms: int) -> str:
    """How long the session took or has taken so far; up to the last arrival if nothing arrives any longer."""
    began = milliseconds(entry.get("started_at"))
    ended = milliseconds(entry.get("closed_at"))
    word = stage(entry)
    if began is None or (ended is None and word not in _OPEN):
        return ""
    if ended is None:
        ended = _heard(entry) if word in {"silent", "over"} else None
    return times.span((now_ms if ended is None else ended) - began).replace("less than 1 min", "0 min")


def codes(entries: Sequence[tuple[str, Mapping[str, Any]]], now_ms: int) -> Iterator[str]:
    """The confirmation code of each session that has one, and when its invite was opened."""
    coded = [(name, entry) for name, entry in entries if entry.get("confirmation_code")]
    if coded:
        yield "Compare codes with the candidate. If they differ, someone else used the invite."
    for name, entry in coded:
        text = f"  {name}  {escape_line(str(entry['confirmation_code']))}"
        opened, *later = [when(at, now_ms).strip() for at in (entry.get("opened_at"), *_again(entry))]
        if opened:
            unnamed = int(entry.get("openings", 0)) - 1 - len(later)
            if unnamed > 0:  # the last time is always listed
                later.insert(-1, f"{unnamed} more")
            text += f"  opened {opened}" + (f", again {', '.join(later)}" if later else "")
        yield from fold(text, columns(), len(name) + 13)


def _again(entry: Mapping[str, Any]) -> list[object]:
    later: list[object] | None = entry.get("opened_again_at")  # not sent by collectors of version 0.1
    return later or []


def legend(stages: Collection[str]) -> Iterator[str]:
    """One line for each of these stages: what it means and what to do next."""
    yield from (text for name, text in _LEGEND.items() if name in stages)
