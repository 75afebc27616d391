"""``SESSION_OR_FILE``: a bundle on this computer, or a session at the collector signed in to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptster.commands.names import SHORTEST, the_one
from promptster.commands.signed_in import team_client
from promptster.config import PinnedKeys
from promptster.errors import NotSignedInError, PromptsterError, UsageError
from promptster.replay.session import from_bundle

if TYPE_CHECKING:
    from promptster.client import CollectorClient
    from promptster.config import Config
    from promptster.replay.session import Replay

SourceArgument = Annotated[
    str, typer.Argument(metavar="SESSION_OR_FILE", help="A session, as sessions shows it, or a .promptster file.")
]

_SESSION = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
_BEGINNING = re.compile(rf"[A-Za-z0-9_-]{{{SHORTEST},21}}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a session is read from."""

    file: Path | None
    """A file on this computer."""
    session: str | None
    """A session's id at the collector, or the beginning of one."""


def find_source(text: str) -> Source:
    """Tell a file from a session's id; a file that is there wins.

    Raises:
        UsageError: it is neither.
    """
    path = Path(text).expanduser()
    if path.is_file():
        return Source(file=path, session=None)
    if _SESSION.fullmatch(text) or _BEGINNING.fullmatch(text):
        return Source(file=None, session=text)
    raise _nothing(text)


def _nothing(text: str) -> UsageError:
    return UsageError(
        f"no session or file named {text}", hint="To see the sessions: promptster sessions", code="no_such_source"
    )


def _whole(client: CollectorClient, text: str) -> str:
    """The id of a session that may be given by its first characters.

    Raises:
        UsageError: no session begins so, or several do.
    """
    if _SESSION.fullmatch(text):
        return text
    found = the_one(text, [str(entry["session"]) for entry in client.sessions().get("sessions", [])], what="session")
    if found is None:
        raise _nothing(text)
    return found


def read_file(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        PromptsterError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise PromptsterError(f"cannot read {path}: {error.strerror}", code="file") from error


def read_bundle_of(source: Source, config: Config, collector: str | None = None) -> bytes:
    """The bundle's bytes, from the file or from the collector.

    Raises:
        PromptsterError: the file cannot be read.
        CollectorError: the collector refuses, or has no bundle of the session.
    """
    if source.file is not None:
        return read_file(source.file)
    named = source.session or ""
    try:
        team = team_client(config, collector)
    except NotSignedInError:
        if _SESSION.fullmatch(named):
            raise
        raise _nothing(named) from None  # far more likely a file's name that is mistyped
    with team as client:
        return client.bundle(_whole(client, named))


def load_replay(text: str, config: Config, collector: str | None = None) -> Replay:
    """A replay, verified on this computer against the keys that are pinned here."""
    data = read_bundle_of(find_source(text), config, collector)
    return from_bundle(data, PinnedKeys(config.paths).fingerprints())
