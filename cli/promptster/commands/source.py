"""``SESSION_OR_FILE``: a bundle on this computer, or a session at the collector signed in to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptster.commands import needed

if TYPE_CHECKING or needed.work:
    from promptster.commands.signed_in import team_client
    from promptster.config import PinnedKeys
    from promptster.errors import PromptsterError, UsageError
    from promptster.replay.session import from_bundle

if TYPE_CHECKING:
    from promptster.config import Config
    from promptster.replay.session import Replay

SourceArgument = Annotated[
    str, typer.Argument(metavar="SESSION_OR_FILE", help="A session's id, as sessions prints it, or a .promptster file.")
]

_SESSION = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a session is read from."""

    file: Path | None
    """A file on this computer."""
    session: str | None
    """A session's id at the collector."""

    @property
    def name(self) -> str:
        """A name for files made from it."""
        return self.file.stem if self.file is not None else f"{self.session}"


def find_source(text: str) -> Source:
    """Tell a file from a session's id; a file that is there wins.

    Raises:
        UsageError: it is neither.
    """
    path = Path(text).expanduser()
    if path.is_file():
        return Source(file=path, session=None)
    if _SESSION.fullmatch(text):
        return Source(file=None, session=text)
    raise UsageError(
        f"there is no file {text!r}, and it is not a session's id",
        hint="promptster sessions lists the ids; a bundle's name ends in .promptster",
        code="no_such_source",
    )


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
    with team_client(config, collector) as client:
        return client.bundle(source.session or "")


def load_replay(text: str, config: Config, collector: str | None = None) -> Replay:
    """A replay, verified on this computer against the keys that are pinned here."""
    data = read_bundle_of(find_source(text), config, collector)
    return from_bundle(data, PinnedKeys(config.paths).fingerprints())
