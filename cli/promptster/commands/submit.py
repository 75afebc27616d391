"""``promptster submit``: show what would be submitted, ask, wait until all is received, keep a verified copy."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from promptster.commands import needed
from promptster.commands.options import JsonOption
from promptster.protocol.verdict_words import VerdictWord

if TYPE_CHECKING or needed.work:
    from promptster.clock import SystemClock
    from promptster.commands.log_watch import watch_log
    from promptster.commands.summary import rows
    from promptster.config import Config
    from promptster.errors import ChoiceError, PromptsterError
    from promptster.paths import Paths, home_path
    from promptster.protocol.policy import Policy
    from promptster.protocol.verdict import Effect
    from promptster.replay.formatting import counted
    from promptster.session.current import Current, finished_bundle
    from promptster.session.joining.redeeming import POLICY
    from promptster.session.leaving import submitting
    from promptster.session.workspace.snapshot import ChangeStatus
    from promptster.session_folder.folder import SessionState
    from promptster.session_folder.touched_files import describe
    from promptster.session_folder.wording import one_line
    from promptster.times import at_or_on, date, until
    from promptster.ui.labels import labelled, sentence_lines
    from promptster.ui.output import Output
    from promptster.ui.questions import confirm

if TYPE_CHECKING:
    from promptster.session.leaving.own_copy import OwnCopy
    from promptster.session_folder.control_messages import RecorderStatus
    from promptster.session_folder.folder import SessionFacts
    from promptster.session_folder.touched_files import Restored

_UNFINISHED = "Not finished. Everything is kept. Run `promptster submit`."
_FINDINGS = 3
_DAY_MS = 24 * 60 * 60 * 1000
_JUST_NOW_MS = 60 * 1000
"""An agent that was active this recently is probably still working."""


def command(
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonOption = False,
) -> None:
    """Submit your work and end the session. Shows what is sent, asks, and waits until everything is received.

    If the collector cannot be reached, nothing is lost: run the command again later.
    """
    out = Output(json)
    config = Config.load(Paths.from_environment())
    current = Current.require(config.paths)
    submitting.require_open(current)
    try:
        _submit(current, config, out, yes=yes)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise ChoiceError(_UNFINISHED, code="interrupted", interrupted=True) from None


def _submit(current: Current, config: Config, out: Output, *, yes: bool) -> None:
    files: int | None = None
    if finished_bundle(current) is None:  # otherwise only the last step is missing or repeated
        try:
            files = _deliver(current, out, yes=yes)
        except submitting.UndeliveredError as error:
            out.progress_end()
            raise _kept(current, config, out, error) from error
    if not out.json:
        out.note("Everything was received. Waiting for the collector's checks...")
    copy = submitting.collect(current, config)
    verified = copy.settled
    restored = submitting.conclude(current, verified=verified)
    url = current.facts.collector_url
    _, log_warnings = watch_log(out, config, url, seen=[copy.verification], notes=copy.notes)
    if not verified and not (copy.complete and copy.verification.verdict is VerdictWord.INCOMPLETE):
        _tell_restored(restored, out)
        raise _unverified(copy)
    out.result({**_document(current, copy, restored), "log_warnings": log_warnings})
    if not verified:
        _warn(current.facts, copy, out)
    for line in copy.log_is_late(one_line(current.facts.organisation)):
        out.note(line)
    if not out.json:
        _tell_end(current, copy, restored, files, out)


def _deliver(current: Current, out: Output, *, yes: bool) -> int | None:
    """Close the session if the person agrees, and wait for delivery; the number of submitted files."""
    state = current.facts.state
    files: int | None = None
    if state is SessionState.CLOSED:
        return files
    submitting.require_deliverable(state, None)
    current.ensure_recorder()
    status = current.control.status()
    if status.state.records:
        prepared = submitting.prepare(current)
        if not out.json:
            _tell_summary(current, prepared, status, out)
        confirm(
            "Submit this and end the session? You cannot resume it.",
            yes=yes,
            json=out.json,
            act="submitting",
            refused=_not_submitted(current.facts, status.state),
            code="not_submitted",
        )
        submitting.close(current, prepared)
        files = sum(change.status is not ChangeStatus.IGNORED for change in prepared.changes)
    submitting.wait(current, _Telling(current.facts.collector_url, out))
    out.progress_end()
    return files


def _not_submitted(facts: SessionFacts, state: SessionState) -> str:
    now = SystemClock().wall_ms()
    if not facts.record_until or facts.time_is_over(now):
        return "Not submitted. Nothing was changed."
    doing = "Still paused; the clock keeps running" if state is SessionState.PAUSED else "Still recording"
    return f"Not submitted. {doing} {until(facts.record_until, now)}."


def _tell_summary(
    current: Current, prepared: submitting.PreparedSubmission, status: RecorderStatus, out: Output
) -> None:
    facts = current.facts
    now = SystemClock().wall_ms()
    title = f"{one_line(facts.title)}, for {one_line(facts.organisation)}. Before you submit:"
    summary = list(rows(current, prepared, status.events, now))
    for line in (*sentence_lines(title), *labelled(summary, indent="  ")):
        out.note(line)
    if not prepared.repository:
        out.note(f"warning: {home_path(current.workspace)} is no longer a git repository")
        out.note("Its files are compared with those that Promptster kept at the start.")
    if status.last and now - status.last.ms < _JUST_NOW_MS:
        agent = one_line(status.last.agent) or "an agent"
        out.note(f"warning: {agent} was active just now; what it does after this is not recorded")
    out.note()


def _kept(current: Current, config: Config, out: Output, error: submitting.UndeliveredError) -> PromptsterError:
    """The error, after the candidate has a copy and their files as they were."""
    copy, restored = submitting.keep(current, config)
    _tell_restored(restored, out)
    watch_log(out, config, current.facts.collector_url, seen=[copy.verification], notes=copy.notes)
    out.note(f"{copy.received:,} of {counted(copy.verification.events, 'event')} received; the recorder has ended.")
    return PromptsterError(error.message, hint=f"{error.hint}\nYour copy:\n{copy.path}", code=error.code)


def _unverified(copy: OwnCopy) -> PromptsterError:
    """The error for a session that was submitted and does not verify."""
    word = copy.verification.verdict
    return PromptsterError(
        f"submitted, {copy.received:,} of {counted(copy.verification.events, 'event')} received, but your copy is "
        f"{word}: {'; '.join(_findings(copy))}",
        hint="Nothing is deleted here. Send your copy to the hiring team. `promptster submit` checks again.\n"
        f"Your copy:\n{copy.path}",
        code=f"bundle_{word}",
    )


def _warn(facts: SessionFacts, copy: OwnCopy, out: Output) -> None:
    """Warn that everything was received but not all of it could be checked."""
    out.note("warning: everything was received, but not all of it could be checked")
    for text in _findings(copy):
        for line in sentence_lines(text, first="  ", later="  "):
            out.note(line)
    out.note(
        f"{one_line(facts.organisation)} has to resolve this. You need not do anything; you can send them your copy."
    )
    out.note("Your recording stays here as well. `promptster submit` checks again, `promptster withdraw` deletes it.")


def _findings(copy: OwnCopy) -> list[str]:
    found = [finding for finding in copy.verification.findings if finding.effect is not Effect.NOTE]
    return [one_line(finding.text) for finding in found[:_FINDINGS]]


def _document(current: Current, copy: OwnCopy, restored: list[Restored]) -> dict[str, object]:
    return {
        "session": current.facts.session,
        "events": copy.verification.events,
        "received": copy.received,
        "bundle": str(copy.path),
        "verdict": copy.verification.verdict,
        "findings": [{"code": finding.code, "text": finding.text} for finding in copy.verification.findings],
        "restored": [{"path": str(entry.path), "outcome": entry.outcome.value} for entry in restored],
    }


def _tell_restored(restored: list[Restored], out: Output) -> None:
    for line in describe(restored):
        out.note(line)


class _Telling:
    """Prints progress, and once that the collector cannot be reached."""

    def __init__(self, collector_url: str, out: Output) -> None:
        self._url, self._out = collector_url, out
        self._told = False

    def __call__(self, status: RecorderStatus) -> None:
        if not self._out.json:
            self._out.progress(f"{status.received:,} of {status.events:,} events received")
        if status.collector.reachable is False and not self._told:
            self._told = True
            self._out.progress_end()
            self._out.note(f"Cannot reach {self._url}; trying again.")
            self._out.note("You can leave (Ctrl-C): everything is kept. Run `promptster submit` again later.")


def _tell_end(current: Current, copy: OwnCopy, restored: list[Restored], files: int | None, out: Output) -> None:
    kept = Policy.parse(current.folder.read_document(POLICY)).retention_days
    told = told_submitted(copy, current.facts.organisation, files=files, kept_days=kept, now_ms=SystemClock().wall_ms())
    for line in (*told, *describe(restored)):
        out.say(line)


def told_submitted(copy: OwnCopy, organisation: str, *, files: int | None, kept_days: int, now_ms: int) -> list[str]:
    """Return the lines for a candidate whose session is finished.

    The session may have been closed long before its copy is made: the times count from its close, as the collector
    counts them.

    Args:
        copy: the copy that was written.
        organisation: its name, not yet fit for a terminal.
        files: how many files were submitted; ``None`` if this command did not submit them.
        kept_days: how long the organisation keeps the recording.
        now_ms: the time of this computer, in milliseconds since 1970.
    """
    organisation = one_line(organisation)
    close = copy.verification.close
    at = now_ms if close is None else close.at_ms
    what = counted(copy.received, "event")
    if files is not None:
        what = f"{counted(files, 'file')} and {what}"
    checked = "received and checked" if copy.settled else "received"
    return [
        *sentence_lines(f"Submitted {at_or_on(at, now_ms)}: {what}, {checked} by {organisation}."),
        *labelled([("Your copy", home_path(copy.path))]),
        "Read it: promptster replay FILE",
        "Check it: promptster verify FILE",
        *sentence_lines(f"{organisation} keeps it until {date(at + kept_days * _DAY_MS, now_ms)}."),
        "To have it deleted: promptster withdraw",
    ]
