"""``promptster submit``: hand in, wait until everything arrived, keep a verified copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from promptster.commands import needed
from promptster.commands.options import Json

if TYPE_CHECKING or needed.work:
    from promptster.config import Config
    from promptster.errors import InterruptError, PromptsterError
    from promptster.paths import Paths
    from promptster.protocol.verdict import Effect
    from promptster.session import submission
    from promptster.session.current import Current, finished_bundle
    from promptster.session.state import SessionState
    from promptster.session.touched import describe
    from promptster.session.words import one_line
    from promptster.ui.output import Output
    from promptster.ui.questions import confirm

if TYPE_CHECKING:
    from promptster.session.control import RecorderStatus
    from promptster.session.own_copy import OwnCopy
    from promptster.session.snapshot import Change
    from promptster.session.touched import Restored

_LISTED = 200
_FINDINGS = 3


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
    if finished_bundle(current) is None:  # else only the last step was interrupted, or is looked at again
        try:
            _deliver(current, out, yes=yes)
        except submission.UndeliveredError as error:
            out.progress_end()
            raise _kept(current, config, out, error) from error
    if not out.json:
        out.note("everything was received; waiting for the collector's checks")
    copy = submission.collect(current, config)
    verified = copy.settled
    restored = submission.conclude(current, verified=verified)
    if not verified and not (copy.complete and copy.verification.verdict == "incomplete"):
        _tell_restored(restored, out)
        raise _unverified(copy)
    out.result(_document(current, copy, restored))
    if not verified:
        out.note("warning: all of it was received, but not everything about it could be checked:")
        for text in _findings(copy):
            out.note(f"  {text}")
        out.note("that is for the hiring team to settle: you need do nothing, and may send them your copy")
        out.note("what was recorded stays here too; promptster submit looks again, promptster withdraw deletes it")
    for line in copy.log_is_late(one_line(current.facts.organisation)):
        out.note(line)
    if not out.json:
        _tell_end(current, copy, restored, out)


def _deliver(current: Current, out: Output, *, yes: bool) -> None:
    state = current.facts.state
    if state is SessionState.CLOSED:
        return
    submission.require_deliverable(state, None)
    current.ensure_recorder()
    if current.control.status().state.records:
        prepared = submission.prepare(current)
        _tell_changes(prepared, out)
        confirm(
            "Submit this and end the session? You cannot resume it.",
            yes=yes,
            json=out.json,
            act="submitting",
            refused="Not submitted. Nothing was changed.",
            code="not_submitted",
        )
        submission.close(current, prepared)
    submission.wait(current, _Telling(current.facts.collector_url, out))
    out.progress_end()


def _kept(current: Current, config: Config, out: Output, error: submission.UndeliveredError) -> PromptsterError:
    """The error, once the candidate has everything of theirs: a copy, and their files as they were."""
    copy, restored = submission.keep(current, config)
    _tell_restored(restored, out)
    out.note(f"{copy.received} of {copy.verification.events} events were received; the recorder has ended")
    return PromptsterError(error.message, hint=f"{error.hint}: {copy.path}", code=error.code)


def _unverified(copy: OwnCopy) -> PromptsterError:
    """The error for a session that was handed in and does not check out."""
    word = copy.verification.verdict
    return PromptsterError(
        f"handed in, {copy.received} of {copy.verification.events} events signed for, but the copy is {word}: "
        f"{'; '.join(_findings(copy))}",
        hint=f"nothing is deleted here; send your copy to the hiring team, {copy.path}; promptster submit looks again",
        code=f"bundle_{word}",
    )


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
        out.note(f"  {line}")


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


def _tell_end(current: Current, copy: OwnCopy, restored: list[Restored], out: Output) -> None:
    facts = current.facts
    verified = copy.settled
    checked = ", signed for and checked" if verified else ", signed for"
    out.say(f"handed in. {one_line(facts.organisation)} has all of it{checked}.")
    out.say()
    out.say(f"your copy: {copy.path}")
    out.say(f"check it:  promptster verify {copy.path}")
    for line in describe(restored):
        out.say(f"  {line}")
    out.say()
    out.say("what happens next: people there read the recording; the policy says who, and for how long it is kept.")
    end = "nothing is recorded any more"
    out.say(f"{end}, and this session's keys are deleted from this computer." if verified else f"{end}.")
