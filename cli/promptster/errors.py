"""The one base of every error that a person may see.

``PromptsterError``
├── ``UsageError``           the call's words are off (exit 2)
├── ``InterruptError``       Ctrl-C (exit 130)
├── ``ChoiceError``          the person said no, and nothing was changed (exit 3)
├── ``NotSignedInError``     a command needs ``promptster login`` first (exit 4)
├── ``ConfirmationNeededError``  a yes is needed and nobody can be asked (exit 5)
├── ``InsideAgentError``     an agent asked for what only the person may do (exit 6)
├── ``ConfigurationError``   a setting or a file of ours cannot be used
├── ``CollectorError``       the collector refused, or could not be reached
├── ``StorageError``         a folder or a disk refused
├── ``SessionError``         the session's state does not allow what was asked
│   ├── ``NotPrivateError``  a folder or socket of ours belongs, or could belong, to someone else
│   ├── ``RecorderUnreachableError``  no recorder answers
│   └── ``RecorderRunningError``      another recorder of the session runs
├── ``WorkspaceError``       the workspace cannot be used, or a file could not be put back
├── ``LaunchError``          an agent could not be launched captured (exit 125, 126 or 127)
├── ``PlatformError``        this operating system is not supported
└── ``protocol.errors.ProtocolError`` and what stands below it

Wording: ``message`` is lower case, without a full stop, and says what happened; ``hint`` says what to do next, on a
line of its own, in sentences or as the command to run; a choice's message is a sentence too. ``code`` is a stable word
that scripts may test.
The exit codes are listed in docs/cli.md.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import ClassVar, Final

_ROOM = "Free some space, then run the same command again. Nothing recorded is lost."
_OWN = "Make it yours and writable, or name other folders with XDG_STATE_HOME, XDG_DATA_HOME and XDG_CONFIG_HOME."
_STORAGE: Final = {
    errno.ENOSPC: ("write", "disk full", _ROOM),
    errno.EDQUOT: ("write", "disk quota used up", _ROOM),
    errno.EROFS: ("write", "read-only disk", _OWN),
    errno.EACCES: ("use", "permission denied", _OWN),
    errno.EPERM: ("use", "operation not permitted", _OWN),
    errno.ENOTDIR: ("use", "a file stands where a folder should be", "Move that file away."),
    errno.ELOOP: ("use", "its links lead in a circle", "Put a folder in their place."),
    errno.EIO: ("use", "the disk fails", "Look at the system's log."),
}
"""By the system's number: what failed, why, and what to do."""
_REASONS: Final = {
    errno.ENOENT: "no such file or folder",
    errno.ENOTDIR: "not a folder",
    errno.EISDIR: "it is a folder",
    errno.ENOSPC: "disk full",
    errno.EDQUOT: "your disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "the connection was cut",
    errno.EPIPE: "the connection was cut",
    errno.ENETUNREACH: "no network",
    errno.EHOSTUNREACH: "no way to that host",
    errno.ETIMEDOUT: "timed out",
}
"""Where our words are plainer than the system's."""


class PromptsterError(Exception):
    """An error with a text for a person and a code for a script."""

    default_code: ClassVar[str] = "error"
    exit_code: int = 1
    is_choice: ClassVar[bool] = False
    """Whether a person chose this, so that nobody calls it an error to them."""

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        """Keep the three texts; ``code`` falls back to the class's own."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code


class UsageError(PromptsterError):
    """The command was called in a way that it does not understand."""

    default_code = "usage"
    exit_code = 2


class InterruptError(PromptsterError):
    """The person pressed Ctrl-C; ``hint`` says what that means for what was under way."""

    default_code = "interrupted"
    exit_code = 130

    def __init__(self, *, hint: str | None = None) -> None:
        """Keep the hint."""
        super().__init__("interrupted", hint=hint)


class ChoiceError(PromptsterError):
    """The person said no to a question, so nothing was changed; shown as a plain sentence, not as an error.

    ``interrupted`` says that the no was Ctrl-C, whose exit code every shell knows.
    """

    default_code = "declined"
    exit_code = 3
    is_choice = True

    def __init__(
        self, message: str, *, hint: str | None = None, code: str | None = None, interrupted: bool = False
    ) -> None:
        """Keep the texts; the exit code tells how the person said no."""
        super().__init__(message, hint=hint, code=code)
        if interrupted:
            self.exit_code = InterruptError.exit_code


class NotSignedInError(PromptsterError):
    """The command needs a token of the hiring team."""

    default_code = "not_signed_in"
    exit_code = 4


class ConfirmationNeededError(PromptsterError):
    """Something that needs a person's yes was asked for where nobody can be asked, and without ``--yes``."""

    default_code = "confirmation_needed"
    exit_code = 5


class InsideAgentError(PromptsterError):
    """An agent, or a program that it started, asked for what only the person may do."""

    default_code = "inside_agent"
    exit_code = 6


class ConfigurationError(PromptsterError):
    """A setting, an environment variable or a file of ours cannot be used."""

    default_code = "configuration"


class CollectorError(PromptsterError):
    """The collector refused a call or could not be reached.

    ``status`` is the HTTP status, or ``None`` when no answer came; ``code`` is the problem document's own code.
    """

    default_code = "collector"

    def __init__(
        self, message: str, *, hint: str | None = None, code: str | None = None, status: int | None = None
    ) -> None:
        """Keep the status beside the texts."""
        super().__init__(message, hint=hint, code=code)
        self.status = status


class StorageError(PromptsterError):
    """A folder or a disk takes or gives nothing: read-only, full, not ours, or broken."""

    default_code = "storage"

    @classmethod
    def of(cls, error: Exception) -> StorageError | None:
        """The error for a person, if this one comes from a folder or a disk; ``None`` for every other one."""
        if not isinstance(error, OSError) or error.errno not in _STORAGE:
            return None
        act, why, hint = _STORAGE[error.errno]
        where = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else "the disk"
        return cls(f"cannot {act} {where}: {why}", hint=hint)


def reason_of(error: BaseException) -> str:
    """Why the system refused, in words without numbers, such as ``permission denied``; fits into a message."""
    if isinstance(error, PromptsterError):
        return error.message
    number = error.errno if isinstance(error, OSError) else None
    if number is None:
        return "the system gave no reason"
    text = _REASONS.get(number) or os.strerror(number)
    return text[:1].lower() + text[1:]


class SessionError(PromptsterError):
    """The session's state does not allow what was asked."""

    default_code = "session"


class NotPrivateError(SessionError):
    """A folder, a socket or a process in the place of one of ours is somebody else's, so nothing was told to it."""

    default_code = "not_private"


class RecorderUnreachableError(SessionError):
    """No recorder of the session answers."""

    default_code = "recorder_unreachable"

    def __init__(self) -> None:
        """Say so, and how to continue."""
        super().__init__(
            "the recorder is not responding",
            hint="Run `promptster resume` to start it again. Nothing that was recorded is lost.",
        )


class RecorderRunningError(SessionError):
    """A recorder of the session runs, so no other can start."""

    default_code = "recorder_running"


class WorkspaceError(PromptsterError):
    """The workspace cannot be used, or a touched file could not be put back."""

    default_code = "workspace"


class PlatformError(PromptsterError):
    """This operating system is not supported."""

    default_code = "platform"


def require_supported_platform(program: str) -> None:
    """Refuse, by name, every system that nobody tested; called before anything is loaded that such a system lacks.

    Raises:
        PlatformError: on anything but Linux and macOS.
    """
    system = str(sys.platform)  # a plain text: type checkers would take the rest for unreachable on their own system
    if system in {"linux", "darwin"}:
        return
    hint = "Use Linux, macOS, or WSL on Windows." if system in {"win32", "cygwin"} else "Use Linux or macOS."
    raise PlatformError(f"{program} does not run on {system}", hint=hint)


class LaunchError(PromptsterError):
    """An agent could not be launched captured.

    ``exit_code`` follows the shells' convention: 125 our own failure, 126 not executable, 127 not found.
    """

    default_code = "launch"

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None, exit_code: int = 125) -> None:
        """Keep the exit code of this failure."""
        super().__init__(message, hint=hint, code=code)
        self.exit_code = exit_code
