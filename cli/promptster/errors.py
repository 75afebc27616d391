"""The one base of every error that a person may see.

``PromptsterError``
├── ``UsageError``           the call's words are off (exit 2)
├── ``InterruptError``       Ctrl-C (exit 130)
├── ``NotSignedInError``     a command needs ``promptster login`` first (exit 4)
├── ``ConfigurationError``   a setting or a file of ours cannot be used
├── ``CollectorError``       the collector refused, or could not be reached
├── ``SessionError``         the session's state does not allow what was asked
├── ``WorkspaceError``       the workspace cannot be used, or a file could not be put back
├── ``LaunchError``          an agent could not be launched captured (exit 125, 126 or 127)
├── ``PlatformError``        this operating system is not supported
└── ``protocol.errors.ProtocolError`` and what stands below it

Wording: ``message`` is lower case, without a full stop, and says what happened; ``hint`` says what to do, on a line of
its own. ``code`` is a stable word that scripts may test.
"""

from __future__ import annotations

from typing import ClassVar


class PromptsterError(Exception):
    """An error with a text for a person and a code for a script."""

    default_code: ClassVar[str] = "error"
    exit_code: int = 1

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


class NotSignedInError(PromptsterError):
    """The command needs a token of the hiring team."""

    default_code = "not_signed_in"
    exit_code = 4


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


class SessionError(PromptsterError):
    """The session's state does not allow what was asked."""

    default_code = "session"


class WorkspaceError(PromptsterError):
    """The workspace cannot be used, or a touched file could not be put back."""

    default_code = "workspace"


class PlatformError(PromptsterError):
    """This operating system is not supported."""

    default_code = "platform"


class LaunchError(PromptsterError):
    """An agent could not be launched captured.

    ``exit_code`` follows the shells' convention: 125 our own failure, 126 not executable, 127 not found.
    """

    default_code = "launch"

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None, exit_code: int = 125) -> None:
        """Keep the exit code of this failure."""
        super().__init__(message, hint=hint, code=code)
        self.exit_code = exit_code
