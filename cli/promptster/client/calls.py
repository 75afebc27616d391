"""Calls and answers as values: what is sent, and how answers are read and checked.

No connection is opened here. The blocking and the asynchronous client send the same calls and read answers alike.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from promptster.client.reasons import why_unreachable
from promptster.client.refusals import (
    CollectorAnswerError,
    CollectorRefusedError,
    CollectorUnreachableError,
    SignInRejectedError,
)
from promptster.config import collector_url, is_object
from promptster.errors import CollectorError, NotSignedInError
from promptster.network import Network
from promptster.protocol.encoding import b64u_encode

if TYPE_CHECKING:
    from collections.abc import Mapping

_MIB = 1024 * 1024
ANSWER_LIMIT = 8 * _MIB
"""The size limit of an ordinary answer, in bytes."""
EVIDENCE_LIMIT = 128 * _MIB
BUNDLE_LIMIT = 2048 * _MIB
NOTE_LIMIT = _MIB
"""The size limit of a checkpoint or of a proof about the log, in bytes."""
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_UNAUTHORISED = 401


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What the candidate learns about the task."""

    title: str
    repository: str | None
    """A path or an address that git can clone, or ``None``."""
    time_limit_minutes: int
    """0 if there is no limit."""
    brief: str | None = None
    """The text of the task, if the assessment has one."""


@dataclass(frozen=True, kw_only=True)
class ReceivedInvite:
    """An invite as the collector sends it; not verified here."""

    invite: Mapping[str, Any]
    """The signed invite, an envelope in JSON form."""
    policy: bytes
    """The policy's exact bytes."""
    assessment: Assessment
    keyfile: bytes


@dataclass(frozen=True, kw_only=True)
class RedeemAnswer:
    """The answer to a redemption; not verified here."""

    certificate: Mapping[str, Any]
    keyfile: bytes


@dataclass(frozen=True, kw_only=True)
class PutAnswer:
    """The answer to a stored batch."""

    receipt: bytes
    """The receipt envelope's exact bytes."""
    checked: int | None
    """The highest batch number that was opened and checked, if the collector reports it."""


@dataclass(frozen=True, kw_only=True)
class HttpAnswer:
    """An answer as it arrived."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: str
    """The address of the collector, or of whatever answered in its place."""

    def document(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            CollectorError: it is not one.
        """
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):  # not JSON, or nested too deeply
            value = None
        if not is_object(value):
            raise CollectorAnswerError(f"{self.url} is not a Promptster collector", hint="Check the address.")
        return value


@dataclass(frozen=True, kw_only=True)
class HttpCall:
    """One request before it is sent."""

    method: str
    path: str
    bearer: str | None = None
    content: bytes | None = None
    content_type: str = "application/json"
    extra: Mapping[str, str] = field(default_factory=dict[str, str])
    limit: int = ANSWER_LIMIT
    """The most bytes of the answer that are read."""

    def headers(self) -> dict[str, str]:
        """The request's headers."""
        headers = {"accept": "application/json, */*", "accept-encoding": "identity", **self.extra}
        if self.bearer is not None:
            headers["authorization"] = f"Bearer {self.bearer}"
        if self.content is not None:
            headers["content-type"] = self.content_type
        return headers


def put_batch_call(session: str, n: int, wire: bytes, earlier_receipt: bytes | None) -> HttpCall:
    """The call that stores one sealed batch, with its earlier receipt if there is one."""
    extra = {} if earlier_receipt is None else {"promptster-receipt": b64u_encode(earlier_receipt)}
    path = f"/v1/sessions/{session}/batches/{n}"
    return HttpCall(method="PUT", path=path, content=wire, content_type="application/octet-stream", extra=extra)


def put_answer(answer: HttpAnswer) -> PutAnswer:
    """Read the answer to a stored batch."""
    checked = answer.headers.get("promptster-checked", "")
    return PutAnswer(receipt=answer.body, checked=int(checked) if checked.isascii() and checked.isdigit() else None)


def refusal(answer: HttpAnswer, path: str, *, signed_in: bool) -> CollectorError | NotSignedInError:
    """The error for an unsuccessful answer; ``signed_in`` if the token of a sign-in was sent."""
    try:
        problem = answer.document()
    except CollectorError:
        problem = {}
    if answer.status == _UNAUTHORISED and signed_in:
        return SignInRejectedError.from_code(problem.get("code"))
    after = answer.headers.get("retry-after", "")
    seconds = float(after) if after.isascii() and after.isdigit() else None
    return CollectorRefusedError(status=answer.status, problem=problem, path=path, retry_after_s=seconds)


def unreachable(url: str, error: Exception) -> CollectorUnreachableError:
    """The error for a call without an answer."""
    reason, hint = why_unreachable(error)
    return CollectorUnreachableError(f"cannot reach {url}: {reason}", hint=hint)


def too_long() -> CollectorAnswerError:
    """The error for an answer that exceeds its limit."""
    return CollectorAnswerError("the collector's answer is too long")


class Connection:
    """How to reach a collector: its address, the trusted certificate authorities, and the proxy, if any."""

    def __init__(self, url: str, network: Network) -> None:
        """Read the settings without connecting.

        Raises:
            ConfigurationError: the address or the CA file is invalid, or plain http goes to another computer.
        """
        self.url = collector_url(url)
        self.context = network.tls_context()
        self.proxy = network.proxy_for(self.url)


def optional_text(document: Mapping[str, Any], name: str) -> str | None:
    """A text member of an answer; ``None`` if it is missing, null or empty.

    Raises:
        CollectorError: it is not text that can be stored.
    """
    if not document.get(name):
        return None
    text: str = member(document, name, str)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CollectorAnswerError(f"the {name} in the collector's answer is not valid text") from None
    return text


def member(document: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    """A member of an answer, which must have this type.

    Raises:
        CollectorError: it is missing or has another type.
    """
    value = document.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise CollectorAnswerError(f"the collector's answer has no {name}")
    return value
