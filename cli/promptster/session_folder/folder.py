"""One session's folder: the paths of its files, and the facts in ``session.json`` that need no secret to read.

The recording is in ``journal/``, which ``promptster.journal`` reads; what was sent is in ``batches/``, which
``promptster.deliver`` reads.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptster.errors import SessionError
from promptster.journal.disk import SystemFiles, write_whole
from promptster.paths import RUN_NAMED, as_here, socket_folder
from promptster.private import OWN_FOLDER_HINT, SHARED_FOLDER_HINT, require_our_folder
from promptster.session_folder.choices import Choices

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from promptster.paths import Paths
    from promptster.secret_store import StoreKind

_FILES = SystemFiles()

BRIEF = "brief.txt"
"""The document that holds the assessment's task."""


class SessionState(StrEnum):
    """The state of a session, as it was last saved."""

    PREPARING = "preparing"
    """Consent was given, but the recorder is not ready yet."""
    RECORDING = "recording"
    PAUSED = "paused"
    CLOSING = "closing"
    """The candidate submitted; batches are still on their way."""
    CLOSED = "closed"
    """Every event is acknowledged by a receipt."""
    STOPPED = "stopped"
    """Ended by the candidate without submitting."""
    LAPSED = "lapsed"
    """The time for upload is over, so the collector accepts nothing more."""
    WITHDRAWN = "withdrawn"

    @property
    def records(self) -> bool:
        """Whether new events of an agent can belong to a session in this state."""
        return self in {SessionState.PREPARING, SessionState.RECORDING, SessionState.PAUSED}

    @property
    def ended(self) -> bool:
        """Whether nothing more will be recorded or sent."""
        return self in {SessionState.CLOSED, SessionState.STOPPED, SessionState.LAPSED, SessionState.WITHDRAWN}


@dataclass(frozen=True, kw_only=True)
class SessionFacts:
    """The content of ``session.json``: no personal data, no secret."""

    session: str
    """The session's id, 16 bytes as base64url."""
    collector_url: str
    organisation: str
    title: str
    """The assessment's title."""
    workspace: str
    """Absolute path of the candidate's work tree."""
    created_ms: int
    secrets: StoreKind
    """Where the session's secrets are kept."""
    upstreams: Mapping[str, str]
    """Provider name to base URL, as the proxy forwards."""
    overrides: tuple[str, ...] = ()
    """Names in ``upstreams`` that the candidate's command line set."""
    choices: Choices = field(default_factory=Choices)
    """What the candidate chose at the start."""
    port: int = 0
    """The proxy's port when it last listened; asked for again after a restart."""
    record_until: int = 0
    """Wall clock in ms after which nothing new of an agent is recorded; 0 for none."""
    upload_until: int = 0
    """Wall clock in ms after which the collector accepts nothing more; 0 for none."""
    state: SessionState = SessionState.PREPARING
    code: str = ""
    """The confirmation code of the certificate's key; empty before there is one, and in a session of version 0.1."""
    agents: tuple[str, ...] = ()
    """The agents that may follow ``promptster run``, for display; what is enforced is read from the policy."""
    refused: str = ""
    """The code for why the collector accepts nothing more, such as ``session_full``; empty while delivery continues."""
    deleted: str = ""
    """``erased`` or ``expired`` if the collector deleted the session without the candidate asking; else empty."""

    def time_is_over(self, now_ms: int) -> bool:
        """Whether agents are no longer recorded because the time for that is over."""
        return bool(self.record_until) and now_ms >= self.record_until

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SessionFacts:
        """Read what ``to_json`` wrote; keys of a newer version are ignored.

        Raises:
            SessionError: a required key is missing, or a value is not known.
        """
        known = {entry.name for entry in fields(cls)}
        values = {name: value for name, value in data.items() if name in known}
        try:
            values["workspace"] = as_here(values["workspace"])
            for name in ("overrides", "agents"):
                values[name] = tuple(values.get(name, ()))
            values["secrets"] = "keyring" if values["secrets"] == "keyring" else "file"
            values["choices"] = Choices.from_json(values.get("choices", {}))
            values["state"] = SessionState(values.get("state", SessionState.PREPARING))
            return cls(**values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SessionError("the session's own file cannot be read", code="session_unreadable") from error

    def to_json(self) -> dict[str, Any]:
        """Return the facts as plain JSON values."""
        return {**asdict(self), "choices": self.choices.to_json()}


class SessionFolder:
    """The files of one session's folder."""

    def __init__(self, path: Path) -> None:
        """Name the folder; nothing is read or written."""
        self.path = path

    def __repr__(self) -> str:
        return f"SessionFolder({str(self.path)!r})"

    @classmethod
    def create(cls, paths: Paths, facts: SessionFacts) -> SessionFolder:
        """Create the folder of a new session (0700) with its subfolders and its ``session.json``."""
        folder = cls(paths.sessions / facts.session)
        parts = (folder.journal, folder.batches, folder.documents, folder.touched, folder.spool, folder.logs)
        for part in (folder.path, *parts):
            _FILES.make_folder(part)
        folder._write(facts)
        return folder

    @classmethod
    def active(cls, paths: Paths) -> SessionFolder | None:
        """Return the session that commands act on, or ``None``.

        Raises:
            NotPrivateError: the folder that holds it belongs to another user.
        """
        require_our_folder(paths.state)
        try:
            name = (paths.state / "current").read_text(encoding="ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        folder = cls(paths.sessions / name)
        return folder if name and "/" not in name and folder.facts_file.is_file() else None

    def activate(self, paths: Paths) -> None:
        """Make this the session that commands act on."""
        write_whole(_FILES, paths.state / "current", self.path.name.encode("ascii") + b"\n")

    @property
    def facts_file(self) -> Path:
        """``session.json``."""
        return self.path / "session.json"

    @property
    def lock_file(self) -> Path:
        """Locked by the supervisor and its recorder as long as either lives."""
        return self.path / "lock"

    @property
    def journal(self) -> Path:
        """Encrypted events, in files of 8 MiB."""
        return self.path / "journal"

    @property
    def batches(self) -> Path:
        """Sealed batches and their receipts."""
        return self.path / "batches"

    def arrived_ms(self, received: int) -> int | None:
        """Return when the receipt of batch number ``received`` was written, by this computer's clock.

        ``None`` if nothing was received, or the receipt no longer exists.
        """
        try:
            return int((self.batches / f"{received - 1:08d}.receipt").stat().st_mtime * 1000) if received > 0 else None
        except OSError:
            return None

    @property
    def documents(self) -> Path:
        """Invite, policy, consent, certificate, keys: the bytes that were signed."""
        return self.path / "documents"

    @property
    def touched(self) -> Path:
        """Encrypted copies of files that will be put back."""
        return self.path / "touched"

    @property
    def spool(self) -> Path:
        """Where hooks save what they could not deliver."""
        return self.path / "spool"

    @property
    def logs(self) -> Path:
        """Content-free logs of supervisor and recorder."""
        return self.path / "logs"

    @property
    def run(self) -> Path:
        """Sockets and files of the running recorder (0700); elsewhere if its path is too long for a socket."""
        return socket_folder(self.path)

    @property
    def private_hint(self) -> str:
        """The hint for when another user owns ``run``."""
        return OWN_FOLDER_HINT if self.run == self.path / "run" else SHARED_FOLDER_HINT

    def name_run(self) -> None:
        """If ``run`` is outside this folder, save its path for commands that run in another environment."""
        if self.run != self.path / "run":
            with suppress(OSError):  # without it, commands use their own environment's folder
                write_whole(_FILES, self.path / RUN_NAMED, os.fsencode(self.run) + b"\n")

    @property
    def hook_socket(self) -> Path:
        """The unix socket that hook processes write to."""
        return self.run / "hooks.sock"

    @property
    def control_socket(self) -> Path:
        """The unix socket that our own commands use."""
        return self.run / "control.sock"

    @property
    def clean_end(self) -> Path:
        """Exists only while the recorder is stopped after an orderly end."""
        return self.path / "ended"

    @property
    def secrets_file(self) -> Path:
        """The session's secrets when no keyring keeps them (0600)."""
        return self.path / "secrets.json"

    def facts(self) -> SessionFacts:
        """Read ``session.json``.

        Raises:
            SessionError: it is missing or cannot be read.
        """
        try:
            data = json.loads(self.facts_file.read_bytes())
            if isinstance(data, dict):
                return SessionFacts.from_json(data)  # pyright: ignore[reportUnknownArgumentType] -- checked field by field there
        except (OSError, ValueError, SessionError) as error:
            raise self._unreadable() from error
        raise self._unreadable()

    def _unreadable(self) -> SessionError:
        return SessionError(
            "the session's own file cannot be read",
            hint=f"Restore {self.facts_file}, or move {self.path} away to start another session.",
            code="session_unreadable",
        )

    def update(self, **changes: Any) -> SessionFacts:
        """Change some facts durably; two programs may do this at the same time."""
        with self._exclusive():
            facts = replace(self.facts(), **changes)
            self._write(facts)
        return facts

    def write_document(self, name: str, data: bytes) -> Path:
        """Write a document's exact bytes durably (0600)."""
        path = self.documents / name
        write_whole(_FILES, path, data)
        return path

    def read_document(self, name: str) -> bytes:
        """Return a document's exact bytes.

        Raises:
            SessionError: it does not exist.
        """
        try:
            return (self.documents / name).read_bytes()
        except FileNotFoundError as error:
            raise SessionError(
                f"the session's {name} is missing",
                hint=f"Restore {self.documents / name}, or move {self.path} away to start another session.",
                code="document_missing",
            ) from error

    def has_document(self, name: str) -> bool:
        """Return whether a document exists."""
        return (self.documents / name).is_file()

    def _write(self, facts: SessionFacts) -> None:
        write_whole(_FILES, self.facts_file, json.dumps(facts.to_json(), sort_keys=True).encode() + b"\n")

    @contextmanager
    def _exclusive(self) -> Generator[None]:
        handle = os.open(self.path / "session.json.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def sessions_here(paths: Paths) -> dict[str, SessionFolder]:
    """Return every session of this user, by id."""
    return {path.parent.name: SessionFolder(path.parent) for path in sorted(paths.sessions.glob("*/session.json"))}
