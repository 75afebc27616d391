"""The collector's errors; ``problems`` turns each refusal into an HTTP problem document.

``PromptsterError``
├── ``SetupError``      the data folder or a key file of the collector cannot be used
│   └── ``OptionError``   a value on its command line cannot be used (exit 2)
└── ``Refusal``         a request is answered with a problem document; ``status`` and ``code`` never change
    ├── ``NotFoundError``      404, also for objects of another organisation
    │   └── ``UnknownSessionError``
    ├── ``UnauthorizedError``  401
    ├── ``ForbiddenError``     403, the caller's role does not allow this
    ├── ``ConflictError``      409
    ├── ``GoneError``          410
    ├── ``InvalidError``       422
    ├── ``UpgradeRequiredError``  426, the client is too old
    └── ``BusyError``          429 or 503, with Retry-After
"""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import TYPE_CHECKING, Any, ClassVar, Final

from promptster.errors import PromptsterError, reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping


PROBLEM_TYPE: Final = "application/problem+json"
"""The media type of every refusal (RFC 9457)."""


class SetupError(PromptsterError):
    """The collector cannot be set up or started as asked."""

    default_code = "setup"


class OptionError(SetupError):
    """An option's value cannot be used."""

    exit_code = 2


_ROOM = "Free some space."
_OWN = "Make it writable for your user, or choose another path."
_FILE_HINTS: Final = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EACCES: _OWN,
    errno.EPERM: _OWN,
    errno.EROFS: _OWN,
    errno.ENOENT: "Check the path.",
    errno.ENOTDIR: "Check the path.",
}
"""What to do, by ``errno``."""


def file_refused(error: OSError) -> SetupError:
    """The operator's error for a file, a folder or a disk that the system refused."""
    named = f"cannot use {os.fsdecode(error.filename)}" if isinstance(error.filename, (str, bytes)) else "disk error"
    hint = _FILE_HINTS.get(error.errno or 0)
    return SetupError(f"{named}: {reason_of(error)}", hint=hint, code="file")


def not_permitted(path: os.PathLike[str], error: PermissionError) -> SetupError:
    """The operator's error for a file or folder of the collector that the current user cannot read."""
    hint = "Run this as the user that owns it."
    return SetupError(f"cannot read {os.fspath(path)}: {reason_of(error)}", hint=hint, code="file")


def database_refused(error: Exception) -> SetupError | None:
    """The operator's error for a database that cannot be used; ``None`` for any other error."""
    if not any(kind.__module__.startswith(("sqlalchemy.", "sqlite3")) for kind in type(error).__mro__):
        return None
    reason = str(getattr(error, "orig", None) or (error if isinstance(error, sqlite3.Error) else type(error).__name__))
    hint = "Check that its files are complete and belong to your user, or restore the data folder."
    return SetupError(f"cannot use a database of the data folder: {reason}", hint=hint, code="database")


class Refusal(PromptsterError):  # noqa: N818 - the protocol's name for it
    """A request that is answered with a problem document.

    ``extra`` holds further members of that document, ``headers`` further headers of the answer.
    """

    default_code = "refused"
    default_status: ClassVar[int] = 400

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        status: int | None = None,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.status = status or self.default_status
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})


class NotFoundError(Refusal):
    """There is no such object, or it belongs to someone else."""

    default_code = "not_found"
    default_status = 404


class UnknownSessionError(NotFoundError):
    """There is no such session, or it belongs to someone else."""

    default_code = "unknown_session"

    def __init__(self) -> None:
        super().__init__("there is no such session")


class UnauthorizedError(Refusal):
    """The request carries no usable credential."""

    default_code = "unauthorized"
    default_status = 401


class ForbiddenError(Refusal):
    """The caller is known, and its role does not allow this."""

    default_code = "forbidden"
    default_status = 403


class ConflictError(Refusal):
    """The object's state does not allow this."""

    default_code = "conflict"
    default_status = 409


class GoneError(Refusal):
    """The object no longer exists."""

    default_code = "gone"
    default_status = 410


class InvalidError(Refusal):
    """The request's content is not acceptable."""

    default_code = "invalid"
    default_status = 422


class UpgradeRequiredError(Refusal):
    """The client is too old."""

    default_code = "newer_version"
    default_status = 426


class BusyError(Refusal):
    """Try again later."""

    default_code = "rate_limited"
    default_status = 429

    def __init__(
        self,
        message: str,
        *,
        retry_after: int = 1,
        code: str | None = None,
        hint: str | None = None,
        status: int | None = None,
    ) -> None:
        """Set the seconds after which to try again."""
        super().__init__(message, code=code, hint=hint, status=status, headers={"retry-after": str(retry_after)})
