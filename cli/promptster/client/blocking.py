"""The client of commands: each call returns when its answer has arrived."""

from __future__ import annotations

import json
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx

from promptster.client.calls import (
    ANSWER_LIMIT,
    BUNDLE_LIMIT,
    EVIDENCE_LIMIT,
    NOTE_LIMIT,
    TIMEOUT,
    Assessment,
    Connection,
    HttpAnswer,
    HttpCall,
    PutAnswer,
    ReceivedInvite,
    RedeemAnswer,
    member,
    optional_text,
    put_answer,
    put_batch_call,
    refusal,
    too_long,
    unreachable,
)
from promptster.client.refusals import CollectorAnswerError, CollectorRefusedError
from promptster.errors import NotSignedInError
from promptster.network import Network
from promptster.protocol.documents import encode
from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.errors import ProtocolError
from promptster.protocol.policy import NEWEST, POLICY_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

READY_WITHIN_S = 60.0
"""The longest time in seconds to wait while the collector prepares a session for reading."""
_SHORTEST_PAUSE_S = 0.1
_NOT_READY = "reading_failed"
"""The collector's code for a session that it is still preparing; its answer says when to ask again."""


class CollectorClient:
    """One collector as commands call it; ``token`` is an access token of the hiring team or the candidate."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        network: Network | None = None,
        timeout: httpx.Timeout = TIMEOUT,
        evidence_limit: int = EVIDENCE_LIMIT,
        preparing: Callable[[], None] | None = None,
    ) -> None:
        """Prepare the client; it connects on the first call. ``preparing`` is called if a session is not ready yet.

        Evidence and events of more than ``evidence_limit`` bytes are refused.

        Raises:
            ConfigurationError: the address is invalid, or uses plain http for another computer.
        """
        self._evidence_limit = evidence_limit
        connection = Connection(url, network or Network())
        self.url = connection.url
        self._token = token
        self._preparing = preparing
        self._http = httpx.Client(
            verify=connection.context, proxy=connection.proxy, trust_env=False, follow_redirects=False, timeout=timeout
        )

    def __enter__(self) -> Self:
        """Enter a context that closes the client at its end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(self, call: HttpCall) -> HttpAnswer:
        try:
            with self._http.stream(
                call.method, self.url + call.path, headers=call.headers(), content=call.content
            ) as raw:
                body = bytearray()
                for piece in raw.iter_bytes():
                    body += piece
                    if len(body) > call.limit:
                        raise too_long()
                answer = HttpAnswer(status=raw.status_code, headers=raw.headers, body=bytes(body), url=self.url)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(self.url, error) from error
        if not httpx.codes.is_success(answer.status):
            raise refusal(answer, call.path, signed_in=call.bearer is not None and call.bearer == self._token)
        return answer

    def _read(self, call: HttpCall) -> HttpAnswer:
        """Send a call that reads a session, and wait while the collector prepares it.

        Raises:
            CollectorRefusedError: the call was refused, or the session is not ready after ``READY_WITHIN_S``.
        """
        until, told = time.monotonic() + READY_WITHIN_S, False
        while True:
            try:
                return self._send(call)
            except CollectorRefusedError as error:
                pause = max(error.retry_after_s or 0.0, _SHORTEST_PAUSE_S)
                if error.code != _NOT_READY or error.retry_after_s is None or time.monotonic() + pause > until:
                    raise
            if self._preparing is not None and not told:
                self._preparing()
                told = True
            time.sleep(pause)

    def _team(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> dict[str, Any]:
        content = None if document is None else json.dumps(document).encode()
        answer = self._send(HttpCall(method=method, path=path, bearer=self._signed_in(), content=content))
        return answer.document() if answer.body else {}

    def keys(self) -> bytes:
        """The key file's exact bytes."""
        return self._send(HttpCall(method="GET", path="/v1/keys")).body

    def log_checkpoint(self) -> str:
        """The newest checkpoint of the collector's log, a signed note; not verified here.

        Raises:
            CollectorError: the answer is not text.
        """
        body = self._send(HttpCall(method="GET", path="/v1/log/checkpoint", limit=NOTE_LIMIT)).body
        try:
            return body.decode()
        except UnicodeDecodeError:
            raise CollectorAnswerError("the collector's checkpoint is not text") from None

    def hand_in_checkpoint(self, note: str) -> None:
        """Send the collector a checkpoint that it signed and no longer seems to know."""
        content = json.dumps({"note": note}).encode()
        self._send(HttpCall(method="POST", path="/v1/log/checkpoint", content=content))

    def log_consistency(self, old: int, new: int) -> tuple[str, list[bytes]]:
        """The log's name, and the hashes that prove that its first ``new`` entries begin with its first ``old``.

        Raises:
            CollectorError: the answer is malformed.
        """
        call = HttpCall(method="GET", path=f"/v1/log/consistency?from={old}&to={new}", limit=NOTE_LIMIT)
        document = self._send(call).document()
        origin, listed = member(document, "origin", str), member(document, "proof", list)
        try:
            return origin, [b64u_decode(item) for item in listed]
        except (ProtocolError, TypeError, AttributeError):
            raise CollectorAnswerError("the collector's proof is not a list of hashes") from None

    def get_invite(self, invite_id: str, secret: bytes) -> ReceivedInvite:
        """The invite, its policy and the keys that signed it."""
        extra = {POLICY_HEADER: str(NEWEST)}
        call = HttpCall(method="GET", path=f"/v1/invites/{invite_id}", bearer=b64u_encode(secret), extra=extra)
        document = self._send(call).document()
        assessment = member(document, "assessment", dict)
        return ReceivedInvite(
            invite=member(document, "invite", dict),
            policy=b64u_decode(member(document, "policy", str)),
            assessment=Assessment(
                title=member(assessment, "title", str),
                repository=optional_text(assessment, "repository"),
                time_limit_minutes=member(assessment, "time_limit_minutes", int),
                brief=optional_text(assessment, "brief"),
            ),
            keyfile=encode(member(document, "keys", dict)),
        )

    def redeem(self, invite_id: str, secret: bytes, request: bytes) -> RedeemAnswer:
        """Exchange the invite for a certificate; ``request`` is sent unchanged, so that it can be sent again."""
        path = f"/v1/invites/{invite_id}/redeem"
        document = self._send(
            HttpCall(method="POST", path=path, bearer=b64u_encode(secret), content=request)
        ).document()
        return RedeemAnswer(
            certificate=member(document, "certificate", dict), keyfile=encode(member(document, "keys", dict))
        )

    def put_batch(self, session: str, n: int, wire: bytes, *, earlier_receipt: bytes | None = None) -> PutAnswer:
        """Store one sealed batch."""
        return put_answer(self._send(put_batch_call(session, n, wire, earlier_receipt)))

    def head(self, session: str) -> dict[str, Any]:
        """The state and counts of a session."""
        return self._send(self._session_call(session, "head")).document()

    def evidence(self, session: str) -> dict[str, Any]:
        """Everything that the collector signed about a session."""
        return self._send(self._session_call(session, "evidence", limit=self._evidence_limit)).document()

    def bundle(self, session: str) -> bytes:
        """The session's signed bundle."""
        return self._read(self._session_call(session, "bundle", limit=BUNDLE_LIMIT)).body

    def export(self, session: str, form: str) -> bytes:
        """One of the collector's exports: ``bundle``, ``html`` or ``jsonl``."""
        return self._read(self._session_call(session, f"export?format={form}", limit=BUNDLE_LIMIT)).body

    def events(self, session: str, *, after: int, limit: int) -> dict[str, Any]:
        """Events after number ``after`` of a session that may still be running."""
        what = f"events?after={after}&limit={limit}"
        return self._read(self._session_call(session, what, limit=self._evidence_limit)).document()

    def withdraw(self, session: str, withdrawal: Mapping[str, Any]) -> dict[str, Any]:
        """Send a signed withdrawal; the answer has the tombstone."""
        content = json.dumps(withdrawal).encode()
        return self._send(HttpCall(method="POST", path=f"/v1/sessions/{session}/withdraw", content=content)).document()

    def delete_session(self, session: str) -> dict[str, Any]:
        """Have a session erased, if the token allows it; the answer has the tombstone."""
        return self._team("DELETE", f"/v1/sessions/{session}")

    def _session_call(self, session: str, what: str, *, limit: int = ANSWER_LIMIT) -> HttpCall:
        return HttpCall(method="GET", path=f"/v1/sessions/{session}/{what}", bearer=self._signed_in(), limit=limit)

    def _signed_in(self) -> str:
        if self._token is None:
            raise NotSignedInError("you are not signed in", hint="Sign in first: promptster login --collector URL")
        return self._token

    def me(self) -> dict[str, Any]:
        """The organisation and role of the token."""
        return self._team("GET", "/v1/me")

    def create_assessment(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Create an assessment, and with it the policy that its candidates are shown."""
        return self._team("POST", "/v1/assessments", document)

    def assessments(self) -> dict[str, Any]:
        """The organisation's assessments."""
        return self._team("GET", "/v1/assessments")

    def create_invite(self, assessment: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Invite one person; the answer has the code and the link, which are never sent again."""
        return self._team("POST", f"/v1/assessments/{assessment}/invites", document)

    def sessions(self) -> dict[str, Any]:
        """The organisation's sessions."""
        return self._team("GET", "/v1/sessions")

    def tokens(self) -> dict[str, Any]:
        """The organisation's tokens, without their secrets."""
        return self._team("GET", "/v1/tokens")

    def create_token(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Create a token; only this answer has it."""
        return self._team("POST", "/v1/tokens", document)

    def revoke_token(self, token_id: str) -> dict[str, Any]:
        """End a token's access at once."""
        return self._team("DELETE", f"/v1/tokens/{token_id}")
