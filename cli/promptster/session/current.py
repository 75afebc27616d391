"""The session that commands act on, with its secrets, recorder, work tree and touched files.

Heavy modules are imported on first use, because ``promptster status`` needs only the folder and the recorder.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from promptster.errors import RecorderRunningError, RecorderUnreachableError, SessionError
from promptster.session_folder.folder import SessionFolder

if TYPE_CHECKING:
    from promptster.paths import Paths
    from promptster.secret_store import SecretStore, SessionSecrets
    from promptster.session.workspace.worktree import WorkTree
    from promptster.session_folder.control_client import ControlClient
    from promptster.session_folder.control_messages import RecorderStatus
    from promptster.session_folder.folder import SessionFacts
    from promptster.session_folder.touched_files import TouchedFiles
    from promptster.session_folder.vault import Vault

BUNDLE = "bundle.txt"
"""Document that holds the path of the candidate's own bundle, once it is written."""
VAULT = "vault"
"""Folder of the session's small sealed files; it is deleted last when a session is concluded."""

CERTIFICATE = "certificate.json"
TOMBSTONE = "tombstone.json"
WITHDRAWAL = "withdrawal.json"


class Current:
    """One session; secrets and the recorder are looked up on first use."""

    def __init__(self, folder: SessionFolder) -> None:
        """Use this session's folder."""
        self.folder = folder

    @classmethod
    def find(cls, paths: Paths) -> Current | None:
        """Return the active session, or ``None``."""
        folder = SessionFolder.active(paths)
        return None if folder is None else cls(folder)

    @classmethod
    def require(cls, paths: Paths) -> Current:
        """Return the active session.

        Raises:
            SessionError: there is none.
        """
        current = cls.find(paths)
        if current is None:
            raise SessionError(
                "there is no session on this computer", hint="Start one: promptster start LINK", code="no_session"
            )
        return current

    @property
    def facts(self) -> SessionFacts:
        """The content of ``session.json``, read again each time."""
        return self.folder.facts()

    @cached_property
    def store(self) -> SecretStore:
        """The store that holds the session's secrets."""
        from promptster.secret_store import open_store  # noqa: PLC0415 - not every command needs it

        return open_store(self.facts.secrets, self.folder.secrets_file)

    @cached_property
    def secrets(self) -> SessionSecrets:
        """The session's secrets.

        Raises:
            SessionError: they were deleted.
        """
        from promptster.secret_store import load_secrets  # noqa: PLC0415 - not every command needs it

        return load_secrets(self.store, self.facts.session)

    @property
    def access_token(self) -> str | None:
        """The candidate's access token, which is kept when the keys are deleted."""
        from promptster.secret_store import load_access_token  # noqa: PLC0415 - not every command needs it

        return load_access_token(self.store, self.facts.session)

    @property
    def workspace(self) -> Path:
        """The candidate's work tree."""
        return Path(self.facts.workspace)

    @cached_property
    def vault(self) -> Vault:
        """The session's small sealed files."""
        from promptster.session_folder.vault import Vault  # noqa: PLC0415 - not every command needs it

        return Vault(self.folder.path / VAULT, self.secrets.content_key, self.facts.session)

    @cached_property
    def touched(self) -> TouchedFiles:
        """Files of other programs that were changed for the session."""
        from promptster.session_folder.touched_files import TouchedFiles  # noqa: PLC0415 - not every command needs it
        from promptster.session_folder.vault import Vault  # noqa: PLC0415 - not every command needs it

        vault = Vault(self.folder.touched, self.secrets.content_key, self.facts.session)
        return TouchedFiles(self.workspace, vault)

    @cached_property
    def tree(self) -> WorkTree:
        """The candidate's work tree, with the private repository that keeps its contents."""
        from promptster.session.workspace.worktree import WorkTree  # noqa: PLC0415 - not every command needs it

        return WorkTree(self.workspace, self.folder.path / "worktree")

    @property
    def control(self) -> ControlClient:
        """The connection to the recorder."""
        from promptster.session_folder.control_client import ControlClient  # noqa: PLC0415 - needs a session

        return ControlClient(self.folder)

    def recorder_status(self) -> RecorderStatus | None:
        """Return the recorder's status; ``None`` if no recorder runs."""
        try:
            return self.control.status()
        except RecorderUnreachableError:
            return None

    def ensure_recorder(self) -> int:
        """Start the recorder unless it already runs; returns the proxy's port.

        Raises:
            SessionError: it cannot be started.
        """
        status = self.recorder_status()
        if status is not None:
            return status.port
        from promptster.recorder.spawning import spawn_recorder  # noqa: PLC0415 - not every command needs it

        with suppress(RecorderRunningError):
            return spawn_recorder(self.folder, self.secrets)
        return self.control.status().port

    def replace_recorder(self) -> int:
        """Stop the recorder and start another one, with a supervisor; running agents keep their port and token.

        Raises:
            SessionError: the recorder does not end, or the other one cannot be started.
        """
        from promptster.recorder.spawning import spawn_recorder  # noqa: PLC0415 - not every command needs it

        secrets, token = self.secrets, self.control.launch().token
        self.control.stop(for_another=True)
        return spawn_recorder(self.folder, secrets, token=token)


def finished_bundle(current: Current) -> Path | None:
    """Return the path of the bundle of a submitted session; ``None`` if it was not submitted."""
    if not current.folder.has_document(BUNDLE):
        return None
    return Path(os.fsdecode(current.folder.read_document(BUNDLE)))
