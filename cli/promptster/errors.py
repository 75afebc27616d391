"""The base class of every error that a person may see.

``PromptsterError``
├── ``UsageError``           invalid command line (exit 2)
├── ``InterruptError``       Ctrl-C (exit 130)
├── ``ChoiceError``          the person said no, and nothing was changed (exit 3)
├── ``NotSignedInError``     a command needs ``promptster login`` first (exit 4)
├── ``ConfirmationNeededError``  a yes is needed and there is no terminal to ask at (exit 5)
├── ``InsideAgentError``     an agent ran a command that only a person may run (exit 6)
├── ``ConfigurationError``   a setting or one of our files cannot be used
├── ``CollectorError``       the collector refused a request or could not be reached
├── ``StorageError``         a folder or disk cannot be read or written
├── ``SessionError``         the session's state does not allow what was asked
│   ├── ``NotPrivateError``  a folder or socket of ours belongs, or could belong, to someone else
│   ├── ``RecorderUnreachableError``  no recorder answers
│   └── ``RecorderRunningError``      another recorder of the session runs
├── ``WorkspaceError``       the workspace cannot be used, or a file could not be put back
├── ``LaunchError``          an agent could not be started with recording on (exit 125, 126 or 127)
├── ``PlatformError``        this operating system is not supported
└── ``protocol.errors.ProtocolError`` and its subclasses

Wording: ``message`` says what happened, in lower case and without a full stop. ``hint`` says what to do next, on its
own line, in sentences or as the command to run. The message of a choice is a sentence too. ``code`` is a stable word
that scripts may test. The exit codes are listed in docs/cli.md.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import ClassVar, Final

_ROOM = "Free some space, then run the same command again. Nothing recorded is lost."
_OWN = "Take ownership of it, or set XDG_STATE_HOME, XDG_DATA_HOME and XDG_CONFIG_HOME to other folders."
_STORAGE: Final = {
    errno.ENOSPC: ("write", "disk full", _ROOM),
    errno.EDQUOT: ("write", "disk quota used up", _ROOM),
    errno.EROFS: ("write", "read-only disk", _OWN),
    errno.EACCES: ("use", "permission denied", _OWN),
    errno.EPERM: ("use", "operation not permitted", _OWN),
    errno.ENOTDIR: ("use", "there is a file where a folder should be", "Move that file away."),
    errno.ELOOP: ("use", "its links form a loop", "Replace them with a folder."),
    errno.EIO: ("use", "disk error", "Check the system log."),
}
"""For each error number: what failed, why, and what to do."""
_REASONS: Final = {
    errno.ENOENT: "no such file or folder",
    errno.ENOTDIR: "not a folder",
    errno.EISDIR: "it is a folder",
    errno.ENOSPC: "disk full",
    errno.EDQUOT: "disk quota used up",
    errno.EROFS: "read-only disk",
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "the connection was cut",
    errno.EPIPE: "the connection was cut",
    errno.ENETUNREACH: "no network",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ETIMEDOUT: "timed out",
}
"""Reasons in plainer words than the system's."""


class PromptsterError(Exception):
    """An error with a message for people and a code for scripts."""

    default_code: ClassVar[str] = "error"
    exit_code: int = 1
    is_choice: ClassVar[bool] = False
    """Whether a person chose this outcome, so that it is not reported to them as an error."""

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        """Keep the three texts; ``code`` defaults to the class's code."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code


class UsageError(PromptsterError):
    """The command line is invalid."""

    default_code = "usage"
    exit_code = 2


class InterruptError(PromptsterError):
    """The person pressed Ctrl-C; ``hint`` says what became of the work in progress."""

    default_code = "interrupted"
    exit_code = 130

    def __init__(self, *, hint: str | None = None) -> None:
        """Keep the hint."""
        super().__init__("interrupted", hint=hint)


class ChoiceError(PromptsterError):
    """The person said no to a question and nothing was changed; shown as a sentence, not as an error.

    ``interrupted`` means that the person pressed Ctrl-C, which has an exit code that every shell knows.
    """

    default_code = "declined"
    exit_code = 3
    is_choice = True

    def __init__(
        self, message: str, *, hint: str | None = None, code: str | None = None, interrupted: bool = False
    ) -> None:
        """Keep the texts, and the exit code for how the person said no."""
        super().__init__(message, hint=hint, code=code)
        if interrupted:
            self.exit_code = InterruptError.exit_code


class NotSignedInError(PromptsterError):
    """The command needs a hiring team's token."""

    default_code = "not_signed_in"
    exit_code = 4


class ConfirmationNeededError(PromptsterError):
    """The command needs a person's yes, but there is no terminal and no ``--yes``."""

    default_code = "confirmation_needed"
    exit_code = 5


class InsideAgentError(PromptsterError):
    """An agent, or a program that it started, ran a command that only a person may run."""

    default_code = "inside_agent"
    exit_code = 6


class ConfigurationError(PromptsterError):
    """A setting, an environment variable or one of our files cannot be used."""

    default_code = "configuration"


class CollectorError(PromptsterError):
    """The collector refused a call or could not be reached.

    ``status`` is the HTTP status, or ``None`` when no answer came; ``code`` is the problem document's own code.
    """

    default_code = "collector"

    def __init__(
        self, message: str, *, hint: str | None = None, code: str | None = None, status: int | None = None
    ) -> None:
        """Keep the texts and the status."""
        super().__init__(message, hint=hint, code=code)
        self.status = status


class StorageError(PromptsterError):
    """A folder or disk cannot be read or written: it is read-only, full, broken or not ours."""

    default_code = "storage"

    @classmethod
    def of(cls, error: Exception) -> StorageError | None:
        """Turn an error of a folder or a disk into one for people; returns ``None`` for any other error."""
        if not isinstance(error, OSError) or error.errno not in _STORAGE:
            return None
        act, why, hint = _STORAGE[error.errno]
        where = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else "the disk"
        return cls(f"cannot {act} {where}: {why}", hint=hint)


def reason_of(error: BaseException) -> str:
    """Return why the system refused, in words that fit into a message, such as ``permission denied``."""
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
    """Another user owns a folder, socket or process in the place of ours, so nothing was sent to it."""

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
    """Refuse every untested operating system by name, before a module is loaded that such a system lacks.

    Raises:
        PlatformError: on anything but Linux and macOS.
    """
    system = str(sys.platform)  # a plain text: type checkers would take the rest for unreachable on their own system
    if system in {"linux", "darwin"}:
        return
    hint = "Use Linux, macOS, or WSL on Windows." if system in {"win32", "cygwin"} else "Use Linux or macOS."
    raise PlatformError(f"{program} does not run on {system}", hint=hint)


class LaunchError(PromptsterError):
    """An agent could not be started with recording on.

    ``exit_code`` follows the convention of shells: 125 for our own failure, 126 not executable, 127 not found.
    """

    default_code = "launch"

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None, exit_code: int = 125) -> None:
        """Keep the texts and the exit code."""
        super().__init__(message, hint=hint, code=code)
        self.exit_code = exit_code
