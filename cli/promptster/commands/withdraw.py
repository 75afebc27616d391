"""``promptster withdraw``: withdraw consent; everything is deleted, here and at the collector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptster.commands import needed
from promptster.commands.options import JsonOption

if TYPE_CHECKING or needed.work:
    from promptster.clock import SystemClock
    from promptster.commands.log_watch import watch_log
    from promptster.config import Config
    from promptster.errors import CollectorError, PromptsterError, SessionError, reason_of
    from promptster.paths import Paths, home_path
    from promptster.protocol.policy import Policy, PolicyV2
    from promptster.protocol.signing import Envelope
    from promptster.replay.formatting import counted
    from promptster.session.current import TOMBSTONE, Current, finished_bundle
    from promptster.session.joining.redeeming import POLICY, finished, unanswered
    from promptster.session.leaving.withdrawing import save_certificate, withdraw, withdraw_again, withdraw_submitted
    from promptster.session_folder.folder import SessionFolder, SessionState, sessions_here
    from promptster.session_folder.touched_files import describe
    from promptster.session_folder.wording import one_line
    from promptster.times import day, soon, utc
    from promptster.ui.labels import labelled, named, sentence_lines
    from promptster.ui.output import Output
    from promptster.ui.questions import confirm_by_word, require_person

if TYPE_CHECKING:
    from pathlib import Path

    from promptster.protocol.privacy import Tombstone
    from promptster.session.leaving.withdrawing import Withdrawn


_QUESTION = "Type withdraw to do it, anything else to keep it: "
_LABEL = 24
"""The longest organisation name that is used as a label."""
_DAY_MS = 24 * 60 * 60 * 1000


def command(
    session: Annotated[
        str | None,
        typer.Argument(metavar="SESSION", help="An earlier session; the last one by default.", show_default=False),
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonOption = False,
) -> int:
    """Withdraw your consent. The recording is deleted here, and its keys are destroyed at the collector.

    This cannot be undone. The collector's signed confirmation is saved as a file. If the session was already withdrawn,
    the collector is asked to confirm again; if it was restored from a backup, it destroys the keys again.
    """
    out = Output(json)
    config = Config.load(Paths.from_environment())
    current, invite = _find(config.paths) if session is None else (_named(session, config.paths), None)
    if _is_withdrawn(current.folder):
        return _again(current, config, out)
    submitted = current.facts.state is SessionState.CLOSED
    if not yes:
        require_person(json=json, act="withdrawing")
        _tell_before(current, out)
    confirm_by_word(_QUESTION, "withdraw", yes=yes, json=json, act="withdrawing", code="not_withdrawn")
    try:
        done = withdraw_submitted(current, config) if submitted else withdraw(current, config)
    except CollectorError as error:
        if json or current.facts.state is not SessionState.WITHDRAWN:
            raise
        for line in (*sentence_lines(f"warning: {error.message}"), *sentence_lines(error.hint or "")):
            out.note(line)  # done with a limit: everything here is deleted
        return error.exit_code
    if invite is not None:
        finished(invite, config.paths)
    certificate = _save(current, done, config.paths, out)
    _, log_warnings = watch_log(out, config, current.facts.collector_url)
    document = {**_document(current, done), "log_warnings": log_warnings}
    out.result(document if certificate is None else {**document, "certificate": str(certificate)})
    if not json:
        _tell(current, done, certificate, out)
    return 0


def _find(paths: Paths) -> tuple[Current, str | None]:
    """The session, or a consent that was never answered, which can be withdrawn too."""
    current = Current.find(paths)
    if current is None or current.facts.state.ended:
        for invite, folder in unanswered(paths).items():
            return Current(folder), invite
    return (current or Current.require(paths)), None


def _named(session: str, paths: Paths) -> Current:
    """The session of this user with this name.

    Raises:
        SessionError: there is none.
    """
    folders = sessions_here(paths)
    if session not in folders:
        hint = f"Use one of {', '.join(folders)}." if folders else "There is no session on this computer."
        raise SessionError(f"no session named {session}", hint=hint, code="no_session")
    return Current(folders[session])


def _again(current: Current, config: Config, out: Output) -> int:
    """Have the collector confirm again, without a question, because nothing is left to delete here."""
    done = withdraw_again(current, config)
    certificate = _save(current, done, config.paths, out)
    others = [name for name, folder in sessions_here(config.paths).items() if not _is_withdrawn(folder)]
    document = {**_document(current, done), "again": True, "others": others}
    out.result(document if certificate is None else {**document, "certificate": str(certificate)})
    if out.json:
        return 0
    stone = done.tombstone
    if stone is not None:
        organisation = one_line(current.facts.organisation)
        at = soon(stone.at_ms, SystemClock().wall_ms())
        lines = sentence_lines(f"Already withdrawn at {at}. {organisation} confirmed it again (signed).")
        lines += _about_backups(stone, organisation)
        if certificate is not None:
            lines += named("Certificate:", home_path(certificate))
        if others:
            lines += sentence_lines(f"To withdraw an earlier one: promptster withdraw {' or '.join(others)}")
        for line in lines:
            out.say(line)
    return 0


def _is_withdrawn(folder: SessionFolder) -> bool:
    return folder.facts().state is SessionState.WITHDRAWN and folder.has_document(TOMBSTONE)


def _document(current: Current, done: Withdrawn) -> dict[str, Any]:
    document: dict[str, Any] = {
        "session": current.facts.session,
        "state": SessionState.WITHDRAWN.value,
        "tombstone": None,
    }
    if done.tombstone is not None:
        envelope = done.envelope or Envelope.decode(current.folder.read_document(TOMBSTONE))
        until = done.tombstone.backups_until_ms
        document["tombstone"] = envelope.to_json()
        document["destroyed_at"] = utc(done.tombstone.at_ms)
        document["backups_until"] = utc(until) if until else None
        document["exports"] = done.tombstone.exports
    return document


def _tell_before(current: Current, out: Output) -> None:
    facts = current.facts
    organisation = one_line(facts.organisation)
    copy = " Your own copy stays." if finished_bundle(current) is not None else ""
    rows = [
        ("Here", f"the recording and its keys are deleted.{copy}"),
        (
            organisation if len(organisation) <= _LABEL else "There",
            "the keys are destroyed, so nobody there can read it again.",
        ),
        ("Backups", _backups_before(current, organisation)),
        ("Exports", f"exported copies are not affected: ask {organisation} to delete them."),
    ]
    first = f'This withdraws your consent to the recording of "{one_line(facts.title)}":'
    last = f"{organisation} will see that you withdrew. This cannot be undone."
    for line in (*sentence_lines(first), *labelled(rows, indent="  "), *sentence_lines(last)):
        out.note(line)


def _backups_before(current: Current, organisation: str) -> str:
    """What the policy states about backups of the keys; the certificate has the exact day."""
    try:
        policy = Policy.parse(current.folder.read_document(POLICY))
    except PromptsterError:  # withdrawing needs no policy
        policy = None
    days = policy.key_backup_days if isinstance(policy, PolicyV2) else None
    if days is None:
        return f"{organisation} has not stated any: ask them."
    if not days:
        return f"{organisation} keeps none of the keys."
    return f"the last copy of the keys is gone by {day(SystemClock().wall_ms() + days * _DAY_MS)}."


def _about_backups(stone: Tombstone, organisation: str) -> list[str]:
    """What the collector states about backups of the keys."""
    if stone.backups_until_ms:
        return sentence_lines(f"The last backup of the keys is gone by {day(stone.backups_until_ms)}.")
    return sentence_lines(f"Ask {organisation} whether it keeps backups.")


def _save(current: Current, done: Withdrawn, paths: Paths, out: Output) -> Path | None:
    """Save the certificate and return its path; if that fails, the session's folder has the same bytes."""
    if done.envelope is None:
        return None
    try:
        return save_certificate(paths, current.facts, done.envelope)
    except OSError as error:
        out.note(f"warning: the certificate could not be saved alongside your copies: {reason_of(error)}")
        return current.folder.documents / TOMBSTONE


def _tell(current: Current, done: Withdrawn, certificate: Path | None, out: Output) -> None:
    facts = current.facts
    organisation = one_line(facts.organisation)
    stone = done.tombstone
    now = SystemClock().wall_ms()
    if stone is None:
        lines = sentence_lines(f"Withdrawn at {soon(now, now)}. {organisation} holds nothing of this session.")
    else:
        lines = sentence_lines(
            f"Withdrawn at {soon(stone.at_ms, now)}. {organisation} confirmed that the keys are destroyed (signed)."
        )
        lines += _about_backups(stone, organisation)
        if stone.exports:  # nobody knows whether a fetched bundle was read or saved
            times = "once" if stone.exports == 1 else counted(stone.exports, "time")
            lines += sentence_lines(
                f"Before that it was fetched {times}, to be read or saved. Saved copies are not affected: ask "
                f"{organisation} to delete them."
            )
    lines += describe(done.restored)
    if certificate is not None:
        lines += named("Certificate:", home_path(certificate))
    if (copy := finished_bundle(current)) is not None:
        lines += named("Your own copy stays:", home_path(copy))
    for line in lines:
        out.say(line)
