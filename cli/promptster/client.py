"""The collector's HTTP API as calls, blocking for commands and asynchronous for the uploader.

Every refusal becomes a ``RefusedError`` that carries the problem document, every failure to get an answer an
``UnreachableError``. Nothing is retried here: who calls knows whether a second call is safe. Answers are bounded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import httpx

from promptster.config import Network, collector_url, is_object
from promptster.errors import CollectorError, NotSignedInError
from promptster.protocol.documents import encode
from promptster.protocol.encoding import b64u_decode, b64u_encode

if TYPE_CHECKING:
    from collections.abc import Mapping

_MIB = 1024 * 1024
_ANSWER_LIMIT = 8 * _MIB
_EVIDENCE_LIMIT = 128 * _MIB
_BUNDLE_LIMIT = 2048 * _MIB
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_UNAUTHORISED = 401
_HINTS: Mapping[int, str] = {
    401: "the invite or the token is not accepted; check that it was copied whole",
    410: "it has ended; nothing more is accepted",
    429: "wait a moment and try again",
    500: "try again in a moment; nothing was lost here",
    502: "try again in a moment; nothing was lost here",
    503: "try again in a moment; nothing was lost here",
}
_UNKNOWN: tuple[tuple[str, str], ...] = (
    ("/v1/invites/", "check the link; it may belong to another collector, or the invite is gone"),
    ("/v1/assessments/", "check the id; promptster assessment list shows them"),
    ("/v1/sessions/", "check the id; promptster sessions lists them"),
    ("/v1/tokens/", "check the id; promptster token list shows them"),
)
_ALLOWED: tuple[tuple[str, str], ...] = (
    ("/v1/tokens", "an owner"),
    ("/v1/assessments", "an owner or a recruiter"),
    ("/v1/sessions/", "an owner or a reviewer"),
)
_NOT_FOUND = 404
_FORBIDDEN = 403


def _hint(status: int, path: str) -> str | None:
    """What to do about a refusal that does not say so itself."""
    if status == _NOT_FOUND:
        known = (hint for prefix, hint in _UNKNOWN if path.startswith(prefix))
        return next(known, "check the address; another program may answer there")
    if status == _FORBIDDEN:
        roles = next((roles for prefix, roles in _ALLOWED if path.startswith(prefix)), "another role")
        return f"this needs the token of {roles}; ask an owner of your organisation"
    return _HINTS.get(status)


class UnreachableError(CollectorError):
    """No answer came: name resolution, connection, TLS, a timeout or a cut answer."""

    default_code = "collector_unreachable"


class RefusedError(CollectorError):
    """The collector answered with a problem document."""

    default_code: ClassVar[str] = "collector_refused"

    def __init__(
        self, *, status: int, problem: Mapping[str, Any], path: str = "", retry_after_s: float | None = None
    ) -> None:
        """Take message, hint and code from the problem document; ``path`` is the one that was called."""
        detail = str(problem.get("detail") or problem.get("title") or f"the collector answered with status {status}")
        hint = problem.get("hint")
        code = problem.get("code")
        super().__init__(
            detail[:1].lower() + detail[1:].rstrip("."),
            hint=hint if isinstance(hint, str) else _hint(status, path),
            code=code if isinstance(code, str) else None,
            status=status,
        )
        self.problem = problem
        """The whole problem document, with members such as ``expected`` or ``receipt``."""
        self.retry_after_s = retry_after_s
        """Seconds named by Retry-After, if any."""


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What the candidate is told about the task."""

    title: str
    repository: str | None
    """A path or an address that git can clone, or ``None``."""
    time_limit_minutes: int
    """0 for no limit."""


@dataclass(frozen=True, kw_only=True)
class InviteAnswer:
    """An invite as the collector hands it out; not verified here."""

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
    """Highest batch number that was opened and checked, if the collector said so."""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    status: int
    headers: httpx.Headers
    body: bytes

    def document(self) -> dict[str, Any]:
        try:
            value = json.loads(self.body)
        except ValueError:
            value = None
        if not is_object(value):
            raise CollectorError(
                "the collector's answer is not what was expected",
                hint="check the address; another program may answer there",
                code="collector_answer",
            )
        return value


@dataclass(frozen=True, kw_only=True)
class _Call:
    method: str
    path: str
    bearer: str | None = None
    content: bytes | None = None
    content_type: str = "application/json"
    extra: Mapping[str, str] = field(default_factory=dict[str, str])
    limit: int = _ANSWER_LIMIT

    def headers(self) -> dict[str, str]:
        headers = {"accept": "application/json, */*", "accept-encoding": "identity", **self.extra}
        if self.bearer is not None:
            headers["authorization"] = f"Bearer {self.bearer}"
        if self.content is not None:
            headers["content-type"] = self.content_type
        return headers


def put_batch_call(session: str, n: int, wire: bytes, earlier_receipt: bytes | None) -> _Call:
    """The call that stores one sealed batch, if need be with its earlier receipt."""
    extra = {} if earlier_receipt is None else {"promptster-receipt": b64u_encode(earlier_receipt)}
    path = f"/v1/sessions/{session}/batches/{n}"
    return _Call(method="PUT", path=path, content=wire, content_type="application/octet-stream", extra=extra)


def _put_answer(answer: _Answer) -> PutAnswer:
    checked = answer.headers.get("promptster-checked", "")
    return PutAnswer(receipt=answer.body, checked=int(checked) if checked.isascii() and checked.isdigit() else None)


def _refusal(answer: _Answer, path: str, *, signed_in: bool) -> CollectorError | NotSignedInError:
    try:
        problem = answer.document()
    except CollectorError:
        problem = {}
    if answer.status == _UNAUTHORISED and signed_in:
        return NotSignedInError("the collector does not accept this sign-in", hint="run promptster login again")
    after = answer.headers.get("retry-after", "")
    seconds = float(after) if after.isascii() and after.isdigit() else None
    return RefusedError(status=answer.status, problem=problem, path=path, retry_after_s=seconds)


def _unreachable(url: str, error: Exception) -> UnreachableError:
    reason = str(error) or type(error).__name__
    return UnreachableError(
        f"cannot reach the collector at {url} ({reason})",
        hint="check the network, then run the same command again; nothing is lost",
    )


def _too_long() -> CollectorError:
    return CollectorError("the collector's answer is too long", code="collector_answer")


class _Settings:
    """What both clients are made of."""

    def __init__(self, url: str, network: Network) -> None:
        self.url = collector_url(url)
        context = httpx.create_ssl_context(trust_env=False)
        context.load_default_certs()
        if network.ca_file is not None:
            context.load_verify_locations(network.ca_file)
        self.context = context
        self.proxy = network.proxy_for(self.url)


class CollectorClient:
    """One collector, called by commands; ``token`` is the hiring team's or the candidate's access token."""

    def __init__(
        self, url: str, *, token: str | None = None, network: Network | None = None, timeout: httpx.Timeout = _TIMEOUT
    ) -> None:
        """Prepare; the first call connects.

        Raises:
            ConfigurationError: the address is not one, or is plain http beyond loopback.
        """
        settings = _Settings(url, network or Network())
        self.url = settings.url
        self._token = token
        self._http = httpx.Client(
            verify=settings.context, proxy=settings.proxy, trust_env=False, follow_redirects=False, timeout=timeout
        )

    def __enter__(self) -> Self:
        """Use as a context: closed at its end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(self, call: _Call) -> _Answer:
        try:
            with self._http.stream(
                call.method, self.url + call.path, headers=call.headers(), content=call.content
            ) as raw:
                body = bytearray()
                for piece in raw.iter_bytes():
                    body += piece
                    if len(body) > call.limit:
                        raise _too_long()
                answer = _Answer(status=raw.status_code, headers=raw.headers, body=bytes(body))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(self.url, error) from error
        if not httpx.codes.is_success(answer.status):
            raise _refusal(answer, call.path, signed_in=call.bearer is not None and call.bearer == self._token)
        return answer

    def _team(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> dict[str, Any]:
        content = None if document is None else json.dumps(document).encode()
        answer = self._send(_Call(method=method, path=path, bearer=self._signed_in(), content=content))
        return answer.document() if answer.body else {}

    def keys(self) -> bytes:
        """The key file's exact bytes."""
        return self._send(_Call(method="GET", path="/v1/keys")).body

    def get_invite(self, invite_id: str, secret: bytes) -> InviteAnswer:
        """The invite, its policy and the keys it is signed with."""
        call = _Call(method="GET", path=f"/v1/invites/{invite_id}", bearer=b64u_encode(secret))
        document = self._send(call).document()
        assessment = _member(document, "assessment", dict)
        repository = assessment.get("repository")
        return InviteAnswer(
            invite=_member(document, "invite", dict),
            policy=b64u_decode(_member(document, "policy", str)),
            assessment=Assessment(
                title=_member(assessment, "title", str),
                repository=repository if isinstance(repository, str) and repository else None,
                time_limit_minutes=_member(assessment, "time_limit_minutes", int),
            ),
            keyfile=encode(_member(document, "keys", dict)),
        )

    def redeem(self, invite_id: str, secret: bytes, request: bytes) -> RedeemAnswer:
        """Exchange the invite for a certificate; ``request`` is sent as it is, so that it can be sent again."""
        path = f"/v1/invites/{invite_id}/redeem"
        document = self._send(_Call(method="POST", path=path, bearer=b64u_encode(secret), content=request)).document()
        return RedeemAnswer(
            certificate=_member(document, "certificate", dict), keyfile=encode(_member(document, "keys", dict))
        )

    def put_batch(self, session: str, n: int, wire: bytes, *, earlier_receipt: bytes | None = None) -> PutAnswer:
        """Store one sealed batch."""
        return _put_answer(self._send(put_batch_call(session, n, wire, earlier_receipt)))

    def head(self, session: str) -> dict[str, Any]:
        """State and counts of a session."""
        return self._send(self._session_call(session, "head")).document()

    def evidence(self, session: str) -> dict[str, Any]:
        """Everything that the collector signed about a session."""
        return self._send(self._session_call(session, "evidence", limit=_EVIDENCE_LIMIT)).document()

    def bundle(self, session: str) -> bytes:
        """The session's signed bundle."""
        return self._send(self._session_call(session, "bundle", limit=_BUNDLE_LIMIT)).body

    def export(self, session: str, form: str) -> bytes:
        """One of the collector's exports: ``bundle``, ``html`` or ``jsonl``."""
        return self._send(self._session_call(session, f"export?format={form}", limit=_BUNDLE_LIMIT)).body

    def events(self, session: str, *, after: int, limit: int) -> dict[str, Any]:
        """Events behind ``after`` of a session that may still be running."""
        what = f"events?after={after}&limit={limit}"
        return self._send(self._session_call(session, what, limit=_EVIDENCE_LIMIT)).document()

    def withdraw(self, session: str, withdrawal: Mapping[str, Any]) -> dict[str, Any]:
        """Hand in a signed withdrawal; the answer holds the tombstone."""
        content = json.dumps(withdrawal).encode()
        return self._send(_Call(method="POST", path=f"/v1/sessions/{session}/withdraw", content=content)).document()

    def delete_session(self, session: str) -> dict[str, Any]:
        """Have a session erased with the token's right; the answer holds the tombstone."""
        return self._team("DELETE", f"/v1/sessions/{session}")

    def _session_call(self, session: str, what: str, *, limit: int = _ANSWER_LIMIT) -> _Call:
        return _Call(method="GET", path=f"/v1/sessions/{session}/{what}", bearer=self._signed_in(), limit=limit)

    def _signed_in(self) -> str:
        if self._token is None:
            raise NotSignedInError("you are not signed in", hint="run promptster login --collector URL first")
        return self._token

    def me(self) -> dict[str, Any]:
        """Organisation and role behind the token."""
        return self._team("GET", "/v1/me")

    def create_assessment(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Set up an assessment."""
        return self._team("POST", "/v1/assessments", document)

    def assessments(self) -> dict[str, Any]:
        """The organisation's assessments."""
        return self._team("GET", "/v1/assessments")

    def create_invite(self, assessment: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Invite one person; the answer holds code and link, never shown again."""
        return self._team("POST", f"/v1/assessments/{assessment}/invites", document)

    def sessions(self) -> dict[str, Any]:
        """The organisation's sessions."""
        return self._team("GET", "/v1/sessions")

    def tokens(self) -> dict[str, Any]:
        """The organisation's tokens, without their secrets."""
        return self._team("GET", "/v1/tokens")

    def create_token(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Make a token; the answer holds it once."""
        return self._team("POST", "/v1/tokens", document)

    def revoke_token(self, token_id: str) -> dict[str, Any]:
        """End a token."""
        return self._team("DELETE", f"/v1/tokens/{token_id}")


class AsyncCollectorClient:
    """The calls of the background recorder; same errors as ``CollectorClient``."""

    def __init__(
        self, url: str, *, token: str | None = None, network: Network | None = None, timeout: httpx.Timeout = _TIMEOUT
    ) -> None:
        """Prepare; the first call connects."""
        settings = _Settings(url, network or Network())
        self.url = settings.url
        self._token = token
        self._http = httpx.AsyncClient(
            verify=settings.context, proxy=settings.proxy, trust_env=False, follow_redirects=False, timeout=timeout
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _send(self, call: _Call) -> _Answer:
        url = self.url + call.path
        try:
            async with self._http.stream(call.method, url, headers=call.headers(), content=call.content) as raw:
                body = bytearray()
                async for piece in raw.aiter_bytes():
                    body += piece
                    if len(body) > call.limit:
                        raise _too_long()
                answer = _Answer(status=raw.status_code, headers=raw.headers, body=bytes(body))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(self.url, error) from error
        if not httpx.codes.is_success(answer.status):
            raise _refusal(answer, call.path, signed_in=False)
        return answer

    async def put_batch(self, session: str, n: int, wire: bytes, *, earlier_receipt: bytes | None = None) -> PutAnswer:
        """Store one sealed batch."""
        return _put_answer(await self._send(put_batch_call(session, n, wire, earlier_receipt)))

    async def head(self, session: str) -> dict[str, Any]:
        """State and counts of a session."""
        return (
            await self._send(_Call(method="GET", path=f"/v1/sessions/{session}/head", bearer=self._token))
        ).document()

    async def evidence(self, session: str) -> dict[str, Any]:
        """Everything that the collector signed about a session."""
        path = f"/v1/sessions/{session}/evidence"
        call = _Call(method="GET", path=path, bearer=self._token, limit=_EVIDENCE_LIMIT)
        return (await self._send(call)).document()


def _member(document: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    value = document.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise CollectorError(
            f"the collector's answer has no {name}", hint="is this a promptster collector?", code="collector_answer"
        )
    return value
