"""What the collector refuses, in one family; ``app`` turns each into an HTTP problem document.

``PromptsterError``
├── ``SetupError``      the data folder or a key file of the collector cannot be used
│   └── ``OptionError``   a value on its command line cannot be used (exit 2)
└── ``Refusal``         a request is answered with a problem document; ``status`` and ``code`` are part of the contract
    ├── ``NotFoundError``      404, also for everything that belongs to someone else
    ├── ``UnauthorizedError``  401
    ├── ``ForbiddenError``     403, a role that may not do this on objects it may see
    ├── ``ConflictError``      409
    ├── ``GoneError``          410
    ├── ``InvalidError``       422
    ├── ``UpgradeRequiredError``  426, a program that is too old for what it asks for
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
    """An option's value cannot be used, whatever the data folder is like."""

    exit_code = 2


_ROOM = "Free some space."
_OWN = "Make it yours and writable, or name another place."
_FILE_HINTS: Final = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EACCES: _OWN,
    errno.EPERM: _OWN,
    errno.EROFS: _OWN,
    errno.ENOENT: "Check the path.",
    errno.ENOTDIR: "Check the path.",
}
"""What to do, by the system's number."""


def file_refused(error: OSError) -> SetupError:
    """What it means for an operator that the system refused a file, a folder or a disk."""
    named = f"cannot use {os.fsdecode(error.filename)}" if isinstance(error.filename, (str, bytes)) else "disk error"
    hint = _FILE_HINTS.get(error.errno or 0)
    return SetupError(f"{named}: {reason_of(error)}", hint=hint, code="file")


def database_refused(error: Exception) -> SetupError | None:
    """What it means for an operator that a database cannot be used; ``None`` for every other error."""
    if not any(kind.__module__.startswith(("sqlalchemy.", "sqlite3")) for kind in type(error).__mro__):
        return None
    reason = str(getattr(error, "orig", None) or (error if isinstance(error, sqlite3.Error) else type(error).__name__))
    hint = "Check that its files are yours and whole, or restore the data folder."
    return SetupError(f"cannot use a database of the data folder: {reason}", hint=hint, code="database")


class Refusal(PromptsterError):  # noqa: N818 - what the contract calls it
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
        """Keep the texts, and what the answer carries beside them."""
        super().__init__(message, hint=hint, code=code)
        self.status = status or self.default_status
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})


class NotFoundError(Refusal):
    """There is no such object, or it is not the caller's to know of."""

    default_code = "not_found"
    default_status = 404


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
    """The object has ended for good."""

    default_code = "gone"
    default_status = 410


class InvalidError(Refusal):
    """The request is well-formed HTTP, and its content is not acceptable."""

    default_code = "invalid"
    default_status = 422


class UpgradeRequiredError(Refusal):
    """The caller's program is too old for what it asks for."""

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
        """Say in whole seconds when to try again."""
        super().__init__(message, code=code, hint=hint, status=status, headers={"retry-after": str(retry_after)})
