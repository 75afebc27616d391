"""The errors for a refusal and for a missing answer, with a message for people and a code for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from promptster.errors import CollectorError, NotSignedInError

if TYPE_CHECKING:
    from collections.abc import Mapping

_AGAIN = "Nothing is lost. Try again in a moment."
_HINTS: Mapping[int, str] = {
    401: "Copy the whole invite link or token.",
    410: "It has ended and accepts nothing more.",
    429: "Wait a moment, then try again.",
    500: _AGAIN,
    502: _AGAIN,
    503: _AGAIN,
}
_UNKNOWN: tuple[tuple[str, str], ...] = (
    ("/v1/invites/", "Check the link. It may belong to another collector, or the invite may have been deleted."),
    ("/v1/assessments/", "To see them: promptster assessment list"),
    ("/v1/sessions/", "To see them: promptster sessions"),
    ("/v1/tokens/", "To see them: promptster token list"),
)
_ALLOWED: tuple[tuple[str, str], ...] = (
    ("/v1/tokens", "an owner"),
    ("/v1/assessments", "an owner or a recruiter"),
    ("/v1/sessions/", "an owner or a reviewer"),
)
_NOT_FOUND = 404
_FORBIDDEN = 403


def _one_line(text: object) -> str:
    """A collector's text without line breaks, so that it cannot imitate a line of ours; empty if it is not text."""
    return " ".join(text.split()) if isinstance(text, str) else ""


class CollectorUnreachableError(CollectorError):
    """No answer came: name resolution, connection, TLS, a timeout or a cut answer."""

    default_code = "collector_unreachable"


_NOT_OURS = "Check the address: it may not be a Promptster collector."


class CollectorAnswerError(CollectorError):
    """The collector's answer cannot be read: another program may have given it."""

    default_code = "collector_answer"

    def __init__(self, message: str, *, hint: str = _NOT_OURS) -> None:
        """Take what cannot be read."""
        super().__init__(message, hint=hint)


class SignInRejectedError(NotSignedInError):
    """The collector does not accept the token of this sign-in."""

    text: ClassVar[str] = "the collector does not know your sign-in"

    def __init__(self) -> None:
        """Say why, and who can give another token."""
        super().__init__(self.text, hint="Ask an owner for a new token.")

    @staticmethod
    def from_code(code: object) -> SignInRejectedError:
        """Return the error for a collector's code."""
        return _SIGN_INS.get(code, SignInRejectedError)() if isinstance(code, str) else SignInRejectedError()


class TokenExpiredError(SignInRejectedError):
    """The token's time is over."""

    text = "your sign-in has expired"


class TokenRevokedError(SignInRejectedError):
    """An owner revoked the token."""

    text = "your sign-in was revoked"


_SIGN_INS: Mapping[str, type[SignInRejectedError]] = {
    "token_expired": TokenExpiredError,
    "token_revoked": TokenRevokedError,
}


class CollectorRefusedError(CollectorError):
    """The collector answered with a problem document."""

    default_code: ClassVar[str] = "collector_refused"

    def __init__(
        self, *, status: int, problem: Mapping[str, Any], path: str = "", retry_after_s: float | None = None
    ) -> None:
        """Take message, hint and code from the problem document; ``path`` is the one that was called."""
        detail = _one_line(problem.get("detail")) or _one_line(problem.get("title"))
        detail = detail or f"the collector answered with status {status}"
        code = problem.get("code")
        super().__init__(
            detail[:1].lower() + detail[1:].rstrip("."),
            hint=_one_line(problem.get("hint")) or _hint(status, path),
            code=code if isinstance(code, str) else None,
            status=status,
        )
        self.problem = problem
        """The whole problem document, with members such as ``expected`` or ``receipt``."""
        self.retry_after_s = retry_after_s
        """Seconds in the Retry-After header, if there is one."""

    @property
    def reasoned(self) -> bool:
        """Whether the collector gave a reason; without one, another program in between may have answered."""
        return isinstance(self.problem.get("code"), str)


def _hint(status: int, path: str) -> str | None:
    """What to do about a refusal that has no hint of its own."""
    if status == _NOT_FOUND:
        known = (hint for prefix, hint in _UNKNOWN if path.startswith(prefix))
        return next(known, "Check the address. Another program may be answering there.")
    if status == _FORBIDDEN:
        roles = next((roles for prefix, roles in _ALLOWED if path.startswith(prefix)), "an owner")
        return f"Ask {roles}."
    return _HINTS.get(status)
