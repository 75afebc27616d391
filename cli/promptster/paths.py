"""The places of our own files, which follow HOME and the XDG variables, on macOS too.

Nothing here creates a folder. Callers do, with mode 0700, and only after consent.
"""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from platformdirs import PlatformDirs

from promptster.private import is_our_folder

_UNSAFE = re.compile(r"[^a-z0-9]+")
_NO_LETTER = re.compile("[\ud800-\udfff]")
_LONGEST = 40
"""The most characters of a title in a file name."""
RUN_NAMED = "run.path"
"""The file in a session's folder that names its socket folder, if that is somewhere else."""
_SOCKET_PATH_LIMIT = 100
"""The longest path of a unix socket, in bytes, on every supported system (macOS: 104 with the terminator)."""


def _base(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable, "")
    return Path(value) / "promptster" if value and Path(value).is_absolute() else Path(fallback)


@dataclass(frozen=True, kw_only=True)
class Paths:
    """The three folders of a user."""

    config: Path
    """Settings, sign-in and pinned keys."""
    data: Path
    """Finished bundles, which the user keeps."""
    state: Path
    """Sessions, with journal, batches, secrets file and logs."""

    @classmethod
    def from_environment(cls) -> Paths:
        """Return the folders for this process's HOME and XDG_* variables."""
        dirs = PlatformDirs("promptster", appauthor=False)
        return cls(
            config=_base("XDG_CONFIG_HOME", dirs.user_config_dir),
            data=_base("XDG_DATA_HOME", dirs.user_data_dir),
            state=_base("XDG_STATE_HOME", dirs.user_state_dir),
        )

    @property
    def sessions(self) -> Path:
        """The folder with one folder per session."""
        return self.state / "sessions"

    @property
    def bundles(self) -> Path:
        """The folder of finished ``*.promptster`` files."""
        return self.data / "bundles"


def slug(title: str) -> str:
    """Reduce a title to lower-case ASCII letters, digits and dashes, for any file system; may become empty."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return _UNSAFE.sub("-", plain).strip("-")[:_LONGEST].rstrip("-")


def home_path(path: Path | str) -> str:
    """Return a path as people write it: ``~/limiter`` below the home folder."""
    text, home = str(path), os.path.expanduser("~").rstrip("/")  # noqa: PTH111 - a missing home must not fail
    if home and text.startswith(f"{home}/"):
        return f"~{text[len(home) :]}"
    return text


def utf8(text: str) -> bytes:
    """Encode a text with paths in it as UTF-8, in any locale; paths may hold surrogates in the place of bytes.

    Bytes that form UTF-8 are restored. Others, such as a name in another encoding or a lone surrogate in a JSON file,
    become JSON escapes, so use this for JSON only.
    """
    with contextlib.suppress(UnicodeError):
        data = text.encode("utf-8", "surrogateescape")
        data.decode()
        return data
    return _NO_LETTER.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def as_here(path: str) -> str:
    """Return a path that was stored under any locale in this process's spelling."""
    with contextlib.suppress(UnicodeError):
        return os.fsdecode(path.encode("utf-8", "surrogateescape"))
    return path


def socket_folder(session_folder: Path) -> Path:
    """Return the 0700 folder for a session's unix sockets.

    It is ``<session>/run`` unless that path is too long for a socket address. Then it is a folder in the user's runtime
    folder or the system's temporary folder, with a name derived from the session folder's. Those two depend on the
    environment, so the program that starts a recorder stores the folder that it chose, for commands that run in another
    environment. Other users can guess the folder in the temporary folder: ``promptster.private`` checks it before every
    use, and a stored folder no longer counts once it belongs to another user.
    """
    folder = session_folder / "run"
    with contextlib.suppress(OSError, ValueError):
        taken = Path((session_folder / RUN_NAMED).read_text(encoding="utf-8").rstrip("\n"))
        if taken.is_absolute() and is_our_folder(taken):
            return taken
    if len(os.fsencode(folder)) + len("/control.sock") <= _SOCKET_PATH_LIMIT:
        return folder
    import hashlib  # noqa: PLC0415 - few paths are that long
    import tempfile  # noqa: PLC0415 - likewise

    short = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and len(os.fsencode(runtime)) < _SOCKET_PATH_LIMIT - 48:
        return Path(runtime) / f"promptster-{short}"
    return Path(tempfile.gettempdir()) / f"promptster-{os.getuid()}-{short}"
