"""The client of the background recorder."""

from __future__ import annotations

from typing import Any

import httpx

from promptster.client.calls import (
    EVIDENCE_LIMIT,
    TIMEOUT,
    Connection,
    HttpAnswer,
    HttpCall,
    PutAnswer,
    put_answer,
    put_batch_call,
    refusal,
    too_long,
    unreachable,
)
from promptster.network import Network


class AsyncCollectorClient:
    """The client of the background recorder; raises the same errors as ``CollectorClient``."""

    def __init__(
        self, url: str, *, token: str | None = None, network: Network | None = None, timeout: httpx.Timeout = TIMEOUT
    ) -> None:
        """Prepare the client; it connects on the first call."""
        connection = Connection(url, network or Network())
        self.url = connection.url
        self._token = token
        self._http = httpx.AsyncClient(
            verify=connection.context, proxy=connection.proxy, trust_env=False, follow_redirects=False, timeout=timeout
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _send(self, call: HttpCall) -> HttpAnswer:
        url = self.url + call.path
        try:
            async with self._http.stream(call.method, url, headers=call.headers(), content=call.content) as raw:
                body = bytearray()
                async for piece in raw.aiter_bytes():
                    body += piece
                    if len(body) > call.limit:
                        raise too_long()
                answer = HttpAnswer(status=raw.status_code, headers=raw.headers, body=bytes(body), url=self.url)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(self.url, error) from error
        if not httpx.codes.is_success(answer.status):
            raise refusal(answer, call.path, signed_in=False)
        return answer

    async def keys(self) -> bytes:
        """The key file's exact bytes."""
        return (await self._send(HttpCall(method="GET", path="/v1/keys"))).body

    async def put_batch(self, session: str, n: int, wire: bytes, *, earlier_receipt: bytes | None = None) -> PutAnswer:
        """Store one sealed batch."""
        return put_answer(await self._send(put_batch_call(session, n, wire, earlier_receipt)))

    async def head(self, session: str) -> dict[str, Any]:
        """The state and counts of a session."""
        return (
            await self._send(HttpCall(method="GET", path=f"/v1/sessions/{session}/head", bearer=self._token))
        ).document()

    async def evidence(self, session: str) -> dict[str, Any]:
        """Everything that the collector signed about a session."""
        path = f"/v1/sessions/{session}/evidence"
        call = HttpCall(method="GET", path=path, bearer=self._token, limit=EVIDENCE_LIMIT)
        return (await self._send(call)).document()
