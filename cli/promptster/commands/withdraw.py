"""``promptster withdraw``: take consent back; everything is deleted, here and at the collector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptster.commands import needed
from promptster.commands.options import Json

if TYPE_CHECKING or needed.work:
    from promptster.config import Config
    from promptster.errors import SessionError
    from promptster.paths import Paths
    from promptster.session.attempt import finished, unanswered
    from promptster.session.current import Current, finished_bundle
    from promptster.session.ending import TOMBSTONE, withdraw, withdraw_submitted
    from promptster.session.state import SessionFolder, SessionState, sessions_here
    from promptster.session.touched import describe
    from promptster.session.words import utc
    from promptster.ui.output import Output, json_document
    from promptster.ui.questions import confirm_by_word

if TYPE_CHECKING:
    from promptster.session.ending import Withdrawn


_QUESTION = 'This deletes the whole session for good. Type "withdraw" to do it: '


def command(
    session: Annotated[
        str | None, typer.Argument(help="An earlier session of yours; the last one without it.", show_default=False)
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """End at once: deletes what is recorded here, and has its keys destroyed at the collector. Cannot be undone.

    Standard output is the collector's signed tombstone, one line of JSON; words go to standard error.
    """
    out = Output(json)
    config = Config.load(Paths.from_environment())
    current, invite = _find(config.paths) if session is None else (_named(session, config.paths), None)
    _check(current, config.paths)
    submitted = current.facts.state is SessionState.CLOSED
    confirm_by_word(_QUESTION, "withdraw", yes=yes, json=json, act="withdrawing", code="not_withdrawn")
    done = withdraw_submitted(current, config) if submitted else withdraw(current, config)
    if invite is not None:
        finished(invite, config.paths)
    out.result(_document(current, done))
    if not json:
        _tell(done, out)
        if (copy := finished_bundle(current)) is not None:
            out.note(f"your own copy stays: {copy}")
        if done.envelope is not None:
            out.note("the collector's signed word, the tombstone:")
            out.say(json_document(done.envelope.to_json()))


def _find(paths: Paths) -> tuple[Current, str | None]:
    """The session, or a consent whose answer never came: that can be taken back too."""
    current = Current.find(paths)
    if current is None or current.facts.state.ended:
        for invite, folder in unanswered(paths).items():
            return Current(folder), invite
    return (current or Current.require(paths)), None


def _named(session: str, paths: Paths) -> Current:
    """A session of this user by its name.

    Raises:
        SessionError: there is none of this name here.
    """
    folders = sessions_here(paths)
    if session not in folders:
        known = ", ".join(folders) or "none"
        raise SessionError("there is no such session here", hint=f"known are: {known}", code="no_session")
    return Current(folders[session])


def _check(current: Current, paths: Paths) -> None:
    if not _is_withdrawn(current.folder):
        return
    others = [name for name, folder in sessions_here(paths).items() if not _is_withdrawn(folder)]
    hint = "there is nothing left to delete"
    if others:
        hint = f"earlier ones are not: promptster withdraw {' or '.join(others)}"
    raise SessionError("the session is withdrawn already", hint=hint, code="session_over")


def _is_withdrawn(folder: SessionFolder) -> bool:
    return folder.facts().state is SessionState.WITHDRAWN and folder.has_document(TOMBSTONE)


def _document(current: Current, done: Withdrawn) -> dict[str, Any]:
    document: dict[str, Any] = {
        "session": current.facts.session,
        "state": SessionState.WITHDRAWN.value,
        "tombstone": None,
    }
    if done.tombstone is not None and done.envelope is not None:
        document["tombstone"] = done.envelope.to_json()
        document["destroyed_at"] = utc(done.tombstone.at_ms)
        document["backups_until"] = utc(done.tombstone.backups_until_ms)
        document["exports"] = done.tombstone.exports
    return document


def _tell(done: Withdrawn, out: Output) -> None:
    out.note("withdrawn: nothing is recorded any more, and what was recorded is deleted from this computer.")
    for line in describe(done.restored):
        out.note(f"  {line}")
    stone = done.tombstone
    if stone is None:
        out.note("the collector holds nothing of this session.")
        return
    out.note(f"the collector destroyed this session's keys at {utc(stone.at_ms)}; its signature was checked.")
    out.note(f"the last backup of those keys is gone by {utc(stone.backups_until_ms)}.")
    if stone.exports:
        out.note(f"{stone.exports} exports had been made before; those copies cannot be reached. Ask the hiring team.")
