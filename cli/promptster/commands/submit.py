"""``promptster submit``: hand in, wait until everything arrived, keep a verified copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from promptster.commands.options import Json
from promptster.config import Config
from promptster.errors import InterruptError, PromptsterError, UsageError
from promptster.paths import Paths
from promptster.session import submission
from promptster.session.current import Current, finished_bundle
from promptster.session.touched import describe
from promptster.session.words import one_line
from promptster.ui.output import Output
from promptster.ui.reading import ask_yes, is_terminal

if TYPE_CHECKING:
    from promptster.session.control import RecorderStatus
    from promptster.session.snapshot import Change

_LISTED = 200


def command(
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Hand in your work: shows the files that changed, asks, and waits until everything has arrived.

    If the collector cannot be reached, nothing is lost: run it again later.
    """
    out = Output(json)
    config = Config.load(Paths.from_environment())
    current = Current.require(config.paths)
    submission.require_open(current)
    try:
        _hand_in(current, config, out, yes=yes)
    except KeyboardInterrupt:
        raise InterruptError(hint="nothing is lost; promptster submit goes on") from None


def _hand_in(current: Current, config: Config, out: Output, *, yes: bool) -> None:
    if finished_bundle(current) is None:  # else only the last step was interrupted
        _deliver(current, out, yes=yes)
    collected = submission.collect(current, config)
    restored = submission.conclude(current)
    out.result(
        {
            "session": current.facts.session,
            "events": collected.verification.events,
            "received": collected.received,
            "bundle": str(collected.path),
            "verdict": collected.verification.verdict,
            "restored": [{"path": str(entry.path), "outcome": entry.outcome.value} for entry in restored],
        }
    )
    if not out.json:
        _tell_end(current, collected, describe(restored), out)


def _deliver(current: Current, out: Output, *, yes: bool) -> None:
    current.ensure_recorder()
    if current.control.status().state.records:
        prepared = submission.prepare(current)
        _tell_changes(prepared, out)
        _ask(yes=yes, json=out.json)
        submission.close(current, prepared)
    submission.wait(current, _Telling(current.facts.collector_url, out))
    out.progress_end()


def _tell_changes(prepared: submission.Prepared, out: Output) -> None:
    out.note(_count(len(prepared.changes)))
    for change in prepared.changes[:_LISTED]:
        out.note(f"  {change.status:<9} {one_line(change.shown_path)}{_beside(change)}")
    if len(prepared.changes) > _LISTED:
        out.note(f"  ... and {len(prepared.changes) - _LISTED} more")


def _beside(change: Change) -> str:
    """What is handed in of a file whose content is not."""
    if change.hidden is None:
        return ""
    kept = change.after or change.before
    if kept is not None and kept.count:
        return f"  ({kept.count} files by their number and size only: {change.hidden.value})"
    what = "hash" if kept is not None and kept.sha256 else "size"
    return f"  (by its {what} only: {change.hidden.value})"


def _count(number: int) -> str:
    if number == 0:
        return "no file changed since the start"
    return "1 file changed since the start:" if number == 1 else f"{number} files changed since the start:"


def _ask(*, yes: bool, json: bool) -> None:
    if yes:
        return
    if json or not is_terminal():
        raise UsageError("submitting needs a yes", hint="pass --yes")
    if not ask_yes("Hand in these changes and everything recorded, and end the session?"):
        raise PromptsterError("nothing was handed in; the session goes on", code="not_submitted")


class _Telling:
    """Says how far it is, and once that the collector cannot be reached."""

    def __init__(self, collector_url: str, out: Output) -> None:
        self._url, self._out = collector_url, out
        self._told = False

    def __call__(self, status: RecorderStatus) -> None:
        if not self._out.json:
            self._out.progress(f"{status.received} of {status.events} events received")
        if status.collector.get("reachable") is False and not self._told:
            self._told = True
            self._out.progress_end()
            self._out.note(f"the collector at {self._url} cannot be reached; still trying")
            self._out.note("everything is kept here: you may leave now and run promptster submit again later")


def _tell_end(current: Current, collected: submission.Collected, restored: list[str], out: Output) -> None:
    facts = current.facts
    out.say(f"handed in. {one_line(facts.organisation)} has all of it, signed for and checked.")
    out.say()
    out.say(f"your copy: {collected.path}")
    out.say(f"check it:  promptster verify {collected.path}")
    for line in restored:
        out.say(f"  {line}")
    out.say()
    out.say("what happens next: people there read the recording; the policy says who, and for how long it is kept.")
    out.say("nothing is recorded any more, and this session's keys are deleted from this computer.")
