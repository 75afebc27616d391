"""Where our own files stand: HOME and the XDG variables are honoured, on macOS too.

Nothing here creates a folder; callers do, with mode 0700, and only after consent.
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
"""Characters of a title in a file's name."""
RUN_NAMED = "run.path"
"""File in a session's folder that names the folder of its sockets, where that is elsewhere."""
_SOCKET_PATH_LIMIT = 100
"""Bytes of a unix socket's path that every supported system accepts (macOS: 104 with the terminator)."""


def _base(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable, "")
    return Path(value) / "promptster" if value and Path(value).is_absolute() else Path(fallback)


@dataclass(frozen=True, kw_only=True)
class Paths:
    """The three folders of one user."""

    config: Path
    """Settings, sign-in and pinned keys."""
    data: Path
    """What the user keeps: finished bundles."""
    state: Path
    """Sessions: journal, batches, secrets file, logs."""

    @classmethod
    def from_environment(cls) -> Paths:
        """The folders for this process's HOME and XDG_* variables."""
        dirs = PlatformDirs("promptster", appauthor=False)
        return cls(
            config=_base("XDG_CONFIG_HOME", dirs.user_config_dir),
            data=_base("XDG_DATA_HOME", dirs.user_data_dir),
            state=_base("XDG_STATE_HOME", dirs.user_state_dir),
        )

    @property
    def sessions(self) -> Path:
        """One folder per session."""
        return self.state / "sessions"

    @property
    def bundles(self) -> Path:
        """Finished ``*.promptster`` files."""
        return self.data / "bundles"


def slug(title: str) -> str:
    """A title in small ASCII letters, digits and dashes, which every file system takes; empty if none are left."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return _UNSAFE.sub("-", plain).strip("-")[:_LONGEST].rstrip("-")


def home_path(path: Path | str) -> str:
    """A path as people write it: ``~/limiter`` below the home folder."""
    text, home = str(path), os.path.expanduser("~").rstrip("/")  # noqa: PTH111 - a missing home must not fail
    if home and text.startswith(f"{home}/"):
        return f"~{text[len(home) :]}"
    return text


def utf8(text: str) -> bytes:
    """A text with paths in it as UTF-8, also where the locale is another and paths hold stand-ins for bytes.

    What is UTF-8 nevertheless comes out as that. What is not, such as a name in another encoding or half a letter in
    somebody's JSON, comes out as JSON's code for it, so this is for JSON only.
    """
    with contextlib.suppress(UnicodeError):
        data = text.encode("utf-8", "surrogateescape")
        data.decode()
        return data
    return _NO_LETTER.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def as_here(path: str) -> str:
    """A path that was written down under any locale, as this process spells it."""
    with contextlib.suppress(UnicodeError):
        return os.fsdecode(path.encode("utf-8", "surrogateescape"))
    return path


def socket_folder(session_folder: Path) -> Path:
    """The 0700 folder for a session's unix sockets.

    It is ``<session>/run`` unless that path is too long for a socket address; then it is a folder below the user's
    runtime folder or the system's temporary folder, its name derived from the session folder's. Those two depend on the
    environment, so whoever starts a recorder writes down the folder it took, for commands called in another one. Other
    users can guess the last of them: ``promptster.private`` looks at it before anything of ours uses it, and what was
    written down no longer counts once somebody else's folder stands there.
    """
    folder = session_folder / "run"
    with contextlib.suppress(OSError, ValueError):
        taken = Path((session_folder / RUN_NAMED).read_text(encoding="utf-8").rstrip("\n"))
        if taken.is_absolute() and is_our_folder(taken):
            return taken
    if len(os.fsencode(folder)) + len("/control.sock") <= _SOCKET_PATH_LIMIT:
        return folder
    import hashlib  # noqa: PLC0415 - hardly any path is that long
    import tempfile  # noqa: PLC0415 - likewise

    short = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and len(os.fsencode(runtime)) < _SOCKET_PATH_LIMIT - 48:
        return Path(runtime) / f"promptster-{short}"
    return Path(tempfile.gettempdir()) / f"promptster-{os.getuid()}-{short}"
