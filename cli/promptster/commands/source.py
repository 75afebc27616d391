"""``SESSION_OR_FILE``: a bundle on this computer, or a session at the collector signed in to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from promptster.commands import needed
from promptster.commands.short_ids import SHORTEST, the_one
from promptster.errors import NotSignedInError, PromptsterError, UsageError, reason_of
from promptster.protocol.verdict_words import VerdictWord

if TYPE_CHECKING or needed.work:
    from promptster.config import PinnedKeys
    from promptster.protocol.archive import MAX_SIZE
    from promptster.replay.file_diagnosis import ZIP, why_unreadable
    from promptster.replay.loading import Opening, from_bundle

if TYPE_CHECKING:
    from promptster.client import CollectorClient
    from promptster.config import Config
    from promptster.protocol.verdict import Verification
    from promptster.replay.loading import Replay

SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SESSION_OR_FILE", help="A session, as promptster sessions shows it, or a .promptster file."
    ),
]

_BEGINNING_SIZE = 512 << 10
"""Enough to read any key file whole."""
_PIECE = 16 << 20
_SESSION = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
_BEGINNING = re.compile(rf"[A-Za-z0-9_-]{{{SHORTEST},21}}", re.ASCII)


class UnreadableError(PromptsterError):
    """A file is not a bundle, or is one that this version of Promptster cannot read."""

    default_code = "unreadable"
    exit_code = 12


@dataclass(frozen=True, kw_only=True)
class SessionSource:
    """Where to read a session from."""

    file: Path | None
    """A file on this computer."""
    session: str | None
    """The id of a session at the collector, or its first characters."""


def find_source(text: str) -> SessionSource:
    """Decide whether the text is a file or a session id; an existing file has priority.

    Raises:
        UsageError: it is neither.
    """
    if not text:
        raise _nothing('""')
    path = Path(text).expanduser()
    if path.exists() and not path.is_dir():  # also a pipe, such as a shell's <(...)
        return SessionSource(file=path, session=None)
    if _SESSION.fullmatch(text) or _BEGINNING.fullmatch(text):
        return SessionSource(file=None, session=text)
    if path.is_dir():
        raise UsageError(f"{text} is a folder", hint="Pass a bundle: a file that ends in .promptster.", code="folder")
    raise _nothing(text)


def _nothing(text: str) -> UsageError:
    return UsageError(
        f"no session or file named {text}", hint="To see the sessions: promptster sessions", code="no_such_source"
    )


def _whole(client: CollectorClient, text: str) -> str:
    """The full id of a session that may be given by its first characters.

    Raises:
        UsageError: no session matches, or several do.
    """
    if _SESSION.fullmatch(text):
        return text
    found = the_one(text, [str(entry["session"]) for entry in client.sessions().get("sessions", [])], what="session")
    if found is None:
        raise _nothing(text)
    return found


def read_stream(stream: IO[bytes]) -> bytes:
    """All bytes of what may be a bundle, and only the first bytes of anything else, which may never end.

    Raises:
        UnreadableError: it is larger than any bundle.
    """
    pieces = [stream.read(_BEGINNING_SIZE)]
    size = len(pieces[0])
    while pieces[0].startswith(ZIP) and (piece := stream.read(_PIECE)):
        size += len(piece)
        if size > MAX_SIZE:
            raise UnreadableError("the input is larger than any bundle")
        pieces.append(piece)
    return b"".join(pieces)


def read_file(path: Path) -> bytes:
    """The bytes of a file, as ``read_stream`` reads them.

    Raises:
        PromptsterError: it cannot be read.
        UnreadableError: it is larger than any bundle.
    """
    try:
        if path.stat().st_size > MAX_SIZE:
            raise UnreadableError(f"{path} is larger than any bundle")
        with path.open("rb") as file:
            return read_stream(file)
    except OSError as error:
        raise PromptsterError(f"cannot read {path}: {reason_of(error)}", code="file") from error


def read_bundle_of(source: SessionSource, config: Config, collector: str | None = None) -> bytes:
    """The bytes of the bundle, from the file or from the collector.

    Raises:
        PromptsterError: the file cannot be read.
        CollectorError: the collector refuses, or has no bundle for the session.
    """
    if source.file is not None:
        return read_file(source.file)
    from promptster.commands.signed_in import team_client  # noqa: PLC0415 - a file needs none of the network's library

    named = source.session or ""
    try:
        team = team_client(config, collector)
    except NotSignedInError:
        if _SESSION.fullmatch(named):
            raise
        raise _nothing(named) from None  # most likely a mistyped file name
    with team as client:
        return client.bundle(_whole(client, named))


def read_replay(source: SessionSource, config: Config, collector: str | None = None) -> Replay:
    """A replay, verified on this computer with the keys pinned here.

    Raises:
        UnreadableError: the file is not a bundle.
    """
    data = read_bundle_of(source, config, collector)
    return _readable(source, data, from_bundle(data, PinnedKeys(config.paths).fingerprints()))


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A replay whose heading can be shown while the rest is being verified."""

    source: SessionSource
    opening: Opening

    def replay(self) -> Replay:
        """Verify everything; the replay of what was verified.

        Raises:
            UnreadableError: this version cannot read it.
        """
        return _readable(self.source, self.opening.data, self.opening.replay())


def begin_replay(text: str, config: Config, collector: str | None = None) -> Begun:
    """The beginning of a replay; the rest is verified later with the keys pinned here.

    Raises:
        UnreadableError: the file is not a bundle.
    """
    source = find_source(text)
    data = read_bundle_of(source, config, collector)
    begun = Begun(source=source, opening=Opening.of(data, PinnedKeys(config.paths).fingerprints()))
    if not begun.opening.facts.session:  # nothing in it is signed by a known collector, so no heading is shown first
        begun.replay()
    return begun


def _readable(source: SessionSource, data: bytes, replay: Replay) -> Replay:
    name = "the collector's answer" if source.file is None else str(source.file)
    if replay.verification is not None:
        require_readable(name, data, replay.verification)
    return replay


def require_readable(name: str, data: bytes, verification: Verification) -> None:
    """Refuse data that is not a bundle, because nothing of a session can be shown.

    Raises:
        UnreadableError: it is not a bundle, or not one that this version can read.
    """
    if verification.verdict is VerdictWord.UNREADABLE and verification.signer is None:
        raise UnreadableError(f"{name} {why_unreadable(data, verification)}")
