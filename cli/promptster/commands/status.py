"""``promptster status``: is it recording, and did everything arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptster.clock import SystemClock
from promptster.commands import needed
from promptster.paths import Paths
from promptster.session.current import Current, finished_bundle
from promptster.session.state import SessionState
from promptster.session.undelivered import undelivered
from promptster.session.words import one_line, utc
from promptster.ui.output import Output

if TYPE_CHECKING or needed.signature:
    from promptster.commands.options import Json

if TYPE_CHECKING:
    from promptster.session.control import RecorderStatus
    from promptster.session.state import SessionFacts


def command(*, json: Json = False) -> None:
    """Say whether a session is running, what it records, and what the collector has received."""
    out = Output(json)
    current = Current.find(Paths.from_environment())
    if current is None:
        out.result({"state": "none"})
        if not json:
            out.say("no session. promptster start LINK begins one")
        return
    facts = current.facts
    status = None if facts.state.ended else current.recorder_status()
    document = _document(facts, status, str(current.folder.path))
    bundle = finished_bundle(current)
    out.result(document if bundle is None else {**document, "bundle": str(bundle)})
    if not json:
        for line in _lines(facts, status):
            out.say(line)
        if bundle is not None:
            out.say(f"your copy: {bundle}")
        elif facts.state is SessionState.CLOSED:
            out.say("everything was received; promptster submit writes your copy and puts files back")


def _document(facts: SessionFacts, status: RecorderStatus | None, state_dir: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "state": facts.state.value,
        "session": facts.session,
        "organisation": facts.organisation,
        "title": facts.title,
        "workspace": facts.workspace,
        "collector_url": facts.collector_url,
        "record_until": utc(facts.record_until),
        "time_over": facts.time_is_over(SystemClock().wall_ms()),
        "state_dir": state_dir,
        "refused": facts.refused or None,
        "running": status is not None,
    }
    if status is not None:
        document |= {
            "state": status.state.value,
            "events": status.events,
            "durable": status.durable,
            "received": status.received,
            "checked": status.checked,
            "batches": dict(status.batches),
            "sources": dict(status.sources),
            "dropped": dict(status.dropped),
            "collector": dict(status.collector),
            "port": status.port,
            "restarts": status.restarts,
            "supervised": status.supervised,
            "silent_hooks": list(status.silent_hooks),
            "degraded": list(status.degraded),
            "path_check": dict(status.path_check),
        }
    return document


def _lines(facts: SessionFacts, status: RecorderStatus | None) -> list[str]:
    title = f"{one_line(facts.title)} for {one_line(facts.organisation)}"
    if facts.state.ended:
        return [f"{facts.state.value}: {title}", *undelivered(facts)]
    if status is None:
        goes_on = "submit" if facts.state is SessionState.CLOSING else "resume"
        return [
            f"not running: {title}",
            f"the recorder is not running; nothing recorded is lost. promptster {goes_on} starts it again",
            *undelivered(facts),
        ]
    sources = ", ".join(f"{name} {count}" for name, count in sorted(status.sources.items()))
    lines = [
        f"{status.state.value}: {title}",
        f"workspace  {facts.workspace}",
        f"recorded   {status.events} events ({sources})",
        f"received   {status.received} of {status.events} by {facts.collector_url}",
        f"until      {utc(facts.record_until)} at the latest",
    ]
    if status.state.records and facts.time_is_over(SystemClock().wall_ms()):
        lines.append("that time is over: nothing of agents is recorded any more. promptster submit hands in")
    lines += undelivered(facts)
    if status.collector.get("reachable") is False:
        lines.append("the collector cannot be reached at the moment; everything is kept and sent later")
    if not status.supervised:
        lines.append("the recorder's supervisor is gone: nothing would start the recorder again")
        lines.append("promptster resume sets that right; nothing recorded is lost")
    lines += [f"no hooks came from {agent}: see promptster inspect" for agent in status.silent_hooks]
    lines += [f"not recorded in full at the moment: {one_line(word)}" for word in status.degraded]
    return lines
