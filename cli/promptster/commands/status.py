"""``promptster status``: is it recording, until when, what came last, what was received, and what to do next."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from promptster.clock import SystemClock
from promptster.commands import needed
from promptster.paths import Paths, home_path
from promptster.replay.formatting import counted
from promptster.session.current import CERTIFICATE, TOMBSTONE, WITHDRAWAL, Current, finished_bundle
from promptster.session.delivery_messages import undelivered
from promptster.session_folder.folder import SessionState
from promptster.session_folder.wording import one_line, shell_path
from promptster.times import at_or_on, soon, span, until, utc
from promptster.ui.labels import labelled, sentence_lines
from promptster.ui.output import Output

if TYPE_CHECKING or needed.signature:
    from promptster.commands.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from promptster.session_folder.control_messages import RecorderStatus
    from promptster.session_folder.folder import SessionFacts

_COLUMN = 11
_NAMES = {
    SessionState.PREPARING: "Starting",
    SessionState.RECORDING: "Recording",
    SessionState.PAUSED: "Paused",
    SessionState.CLOSING: "Submitting",
    SessionState.CLOSED: "Submitted",
    SessionState.STOPPED: "Stopped",
    SessionState.LAPSED: "Expired",
    SessionState.WITHDRAWN: "Withdrawn",
}
"""The states as people read them; ``--json`` has the states' own names."""
_OVER_NAME = "Time up"
"""Used instead once time is up and nothing was submitted."""
_DEGRADED = {
    "disk_nearly_full": ("the disk is nearly full, so long texts are left out", "Free some space."),
    "disk_failing": ("cannot write to the disk, so new events are kept in memory", "Free space now."),
}
_SOON_MS = 5 * 60 * 1000
"""With this much time left, a sentence says what happens at the end."""
_OVER = "time_limit"


def command(*, json: JsonOption = False) -> None:
    """Show whether a session is recording, how much time is left, what came last and what was received."""
    out = Output(json)
    current = Current.find(Paths.from_environment())
    if current is None:
        out.result({"state": "none"})
        if not json:
            _say(out, "No session on this computer.", [("Next", "promptster start LINK")])
        return
    facts = current.facts
    status = None if facts.state.ended else current.recorder_status()
    bundle = finished_bundle(current)
    arrived = None if status is None else current.folder.arrived_ms(status.batches.received)
    document = {**_document(facts, status, arrived, str(current.folder.path)), "confirmation_code": facts.code or None}
    out.result(document if bundle is None else {**document, "bundle": str(bundle)})
    if json:
        return
    if facts.state.ended:
        _tell_ended(current, bundle, out)
    elif status is None:
        _tell_down(facts, out)
    else:
        _tell_running(facts, status, arrived, out)
    if facts.state.ended and any(current.folder.touched.glob("*")):
        out.say("A file that was changed for the session has not been put back: promptster restore")


def _document(
    facts: SessionFacts, status: RecorderStatus | None, arrived: int | None, state_dir: str
) -> dict[str, Any]:
    now = SystemClock().wall_ms()
    document: dict[str, Any] = {
        "state": facts.state.value,
        "session": facts.session,
        "organisation": facts.organisation,
        "title": facts.title,
        "workspace": facts.workspace,
        "collector_url": facts.collector_url,
        "record_until": utc(facts.record_until),
        "time_over": facts.time_is_over(now),
        "state_dir": state_dir,
        "refused": facts.refused or None,
        "running": status is not None,
    }
    if facts.record_until and facts.state.records:
        document["left_seconds"] = max(0, facts.record_until - now) // 1000
    if status is not None:
        last = status.last
        document |= {
            "state": status.state.value,
            "events": status.events,
            "durable": status.durable,
            "received": status.received,
            "checked": status.checked,
            "last_received_at": utc(arrived) if arrived is not None else None,
            "batches": asdict(status.batches),
            "sources": dict(status.sources),
            "dropped": dict(status.dropped),
            "collector": asdict(status.collector),
            "port": status.port,
            "restarts": status.restarts,
            "supervised": status.supervised,
            "silent_hooks": list(status.silent_hooks),
            "degraded": list(status.degraded),
            "path_check": {name: check.to_json() for name, check in status.path_check.items()},
            "last": {
                "kind": last.kind,
                "at": utc(last.ms),
                "agent": last.agent,
                "subject": last.subject,
            }
            if last
            else None,
            "paused_since": utc(status.paused_ms) if _is_paused(status) else None,
        }
    return document


def _is_paused(status: RecorderStatus) -> bool:
    return status.state is SessionState.PAUSED and status.paused_ms > 0


def _tell_running(facts: SessionFacts, status: RecorderStatus, arrived: int | None, out: Output) -> None:
    now = SystemClock().wall_ms()
    what = _title(facts)
    over = facts.time_is_over(now)
    if _is_paused(status) and not over:
        what += f", since {soon(status.paused_ms, now)} ({span(now - status.paused_ms)})"
    name = _OVER_NAME if over and status.state.records else _NAMES[status.state]
    rows = [(name, what)]
    if status.state.records and facts.record_until:
        rows.append(("Time", _time(facts, status.state, now)))
    if status.last:
        from promptster.session_folder.last_action import last_thing  # noqa: PLC0415 - without a recorder there is none

        rows.append(("Last", f"{soon(status.last.ms, now)}  {one_line(last_thing(status.last))}"))
    rows.append(("Received", f"{status.received:,} of {status.events:,} events"))
    if facts.code:
        rows.append(("Code", f"{facts.code}, to compare with {one_line(facts.organisation)}"))
    _say(out, None, rows)
    for text in warnings(facts, status, arrived, now):
        _say(out, text, [])
    if status.state.records and _ends_soon(facts, now):
        out.say(f"At {soon(facts.record_until, now)} recording ends. Nothing is submitted unless you submit it.")
    step = _next(facts, status, over=over or facts.record_until - now <= _SOON_MS)
    _say(out, None, [("Next", step)], column=len(name) + 2)


def _time(facts: SessionFacts, state: SessionState, now: int) -> str:
    if facts.time_is_over(now):
        ended = f"ended {at_or_on(facts.record_until, now)} ({span(now - facts.record_until)} ago)"
        return f"{ended}; agents are no longer recorded"
    if state is SessionState.PAUSED:
        return f"{until(facts.record_until, now)}; the clock keeps running"
    if _ends_soon(facts, now):  # a separate sentence says what happens then
        return until(facts.record_until, now)
    return f"{until(facts.record_until, now)}, then recording ends; nothing is submitted"


def _ends_soon(facts: SessionFacts, now: int) -> bool:
    return bool(facts.record_until) and 0 < facts.record_until - now <= _SOON_MS


def _next(facts: SessionFacts, status: RecorderStatus, *, over: bool) -> str:
    if not status.supervised:
        return "promptster resume"
    if status.state is SessionState.CLOSING or (over and facts.record_until):
        return "promptster submit"
    if status.state is SessionState.PAUSED:
        return "promptster resume"
    return f"cd {shell_path(facts.workspace)} && promptster run {(*facts.agents, 'AGENT')[0]}"


_NOT_TAKEN = {"storage_full": "its disk is full", "storage_unavailable": "its storage is not responding"}
"""Why a collector that answers may accept no batch, by its code."""


def _unreachable(facts: SessionFacts, status: RecorderStatus, arrived: int | None, now: int) -> Iterator[str]:
    """Since when nothing arrives; the last failed attempt says less, because nothing is sent while nothing happens."""
    waiting = status.events - status.received
    since = ""
    if arrived is not None:
        since = f"; nothing has arrived since {soon(arrived, now)} ({span(now - arrived)})"
    elif not status.received:
        since = "; nothing has arrived yet"
    yield f"warning: cannot reach {one_line(facts.organisation)}'s collector{since if waiting > 0 else ''}"
    if waiting <= 0:
        yield "Everything recorded so far has been received."
        return
    yield _kept(status, waiting)


def _kept(status: RecorderStatus, waiting: int) -> str:
    """What happens to events that have not arrived."""
    verb = "is" if waiting == 1 else "are"
    work = "Keep working. " if status.state.records else ""
    return f"{counted(waiting, 'event')} {verb} waiting. {work}Everything is kept here and sent later."


def warnings(facts: SessionFacts, status: RecorderStatus, arrived: int | None, now: int) -> Iterator[str]:
    """What is wrong with a running session, and what to do about it.

    Args:
        facts: the session.
        status: what its recorder says.
        arrived: when something last arrived at the collector, if known.
        now: the clock.
    """
    yield from undelivered(facts)
    if status.collector.reachable is False and not facts.refused:
        yield from _unreachable(facts, status, arrived, now)
    reason, waiting = _NOT_TAKEN.get(status.collector.last_error or ""), status.events - status.received
    if reason is not None and waiting > 0 and not facts.refused:
        yield f"warning: the collector cannot accept anything right now: {reason}"
        yield _kept(status, waiting)
    if not status.supervised:
        yield "warning: the recorder's supervisor has stopped, so the recorder would not restart by itself"
        yield "Run `promptster resume` to fix this. Nothing that was recorded is lost."
    for agent in status.silent_hooks:
        yield f"warning: {one_line(agent)} has reported nothing through its hooks, so it may not be recorded in full"
        yield "To see what is recorded: promptster inspect"
    for word in status.degraded:
        if word == _OVER:
            continue  # the row about time says it
        told, hint = _DEGRADED.get(word, (f"not recorded in full at the moment ({one_line(word)})", ""))
        yield f"warning: {told}"
        if hint:
            yield hint


def _tell_down(facts: SessionFacts, out: Output) -> None:
    """Show that the recorder has stopped although the session has not ended."""
    if facts.state is SessionState.CLOSING:
        out.say("Not sending: the recorder has stopped. What it recorded is kept.")
        again = "promptster submit"
    else:
        out.say("Not recording: the recorder has stopped. What it recorded is kept.")
        out.say("Open agents cannot reach their model until it runs again.")
        again = "promptster resume"
    for text in undelivered(facts):
        _say(out, text, [])
    rows = [("Session", _title(facts))]
    now = SystemClock().wall_ms()
    if facts.state.records and facts.record_until:
        rows.append(("Time", _time(facts, SessionState.PAUSED, now)))
    _say(out, None, [*rows, ("Next", again)])


def _half_deleted(current: Current) -> str:
    """Where the session was deleted, and where not; empty if no signed confirmation of the collector is awaited."""
    facts, folder = current.facts, current.folder
    awaited = folder.has_document(CERTIFICATE) and not folder.has_document(TOMBSTONE)
    if facts.state is not SessionState.WITHDRAWN or not awaited:
        return ""
    organisation = one_line(facts.organisation)
    if not facts.deleted:
        return f"warning: deleted here, but not yet at {organisation}"
    if folder.has_document(WITHDRAWAL):
        return f"{organisation} deleted it too, but has not confirmed your withdrawal yet."
    why = "The time for keeping it is over: " if facts.deleted == "expired" else ""
    return f"{why}{organisation} deleted this session. What was recorded is still on this computer."


def _tell_ended(current: Current, bundle: Path | None, out: Output) -> None:
    facts = current.facts
    half_deleted = _half_deleted(current)
    kept_here = bool(facts.deleted) and not current.folder.has_document(WITHDRAWAL)
    rows = [("Deleted" if half_deleted and kept_here else _NAMES[facts.state], _title(facts))]
    if bundle is not None:
        rows.append(("Your copy", home_path(bundle)))
    if facts.state is SessionState.CLOSED:
        rows.append(("Next", "promptster replay FILE" if bundle else "promptster submit"))
    elif facts.state is SessionState.LAPSED:
        rows.append(("Next", "promptster submit"))
    elif facts.state is SessionState.STOPPED:
        rows.append(("Next", "promptster withdraw (deletes what was received)"))
    elif half_deleted:
        rows.append(("Next", f"promptster withdraw{' (deletes it here too)' * kept_here}"))
    _say(out, None, rows[:-1] if rows[-1][0] == "Next" else rows)
    for text in undelivered(facts):
        _say(out, text, [])
    if facts.state is SessionState.CLOSED and bundle is None:
        out.say("Everything was received. `promptster submit` writes your copy and restores your files.")
    if half_deleted:
        _say(out, half_deleted, [])
    if rows[-1][0] == "Next":
        _say(out, None, rows[-1:])


def _title(facts: SessionFacts) -> str:
    return f"{one_line(facts.title)}, for {one_line(facts.organisation)}"


def _say(out: Output, text: str | None, rows: list[tuple[str, str]], *, column: int = 0) -> None:
    for line in sentence_lines(text) if text is not None else ():
        out.say(line)
    for line in labelled(rows, column=max(column, _COLUMN)):
        out.say(line)
