"""The check whether a provider can be reached."""

from __future__ import annotations

import pytest
from tests.proxy.rig import Talk, provider

from promptster.proxy.reachability import check_reachability


async def _serve(talk: Talk) -> None:
    while True:
        await talk.request()
        await talk.answer()


@pytest.mark.parametrize("status", [b"200 OK", b"401 Unauthorized", b"404 Not Found", b"529 Overloaded"])
async def test_any_status_proves_the_path(status: bytes) -> None:
    """One unauthenticated request below the base URL is enough, whatever the provider answers."""
    asked: list[bytes] = []

    async def script(talk: Talk) -> None:
        asked.append(await talk.head())
        await talk.answer(status=status)

    async with provider(script) as there:
        check = await check_reachability(there.upstream(path="/v1"))
    assert (check.ok, check.status, check.reason) == (True, int(status[:3]), "")
    assert [head.split(b"\r\n")[0] for head in asked] == [b"GET /v1/ HTTP/1.1"]
    assert b"authorization" not in asked[0].lower()


async def test_a_path_that_is_not_there_says_why() -> None:
    """A refused, cut or silent connection is each described in words."""

    async def hang_up(talk: Talk) -> None:
        await talk.head()

    async def no_answer(talk: Talk) -> None:
        await talk.reader.read()

    async with provider(_serve) as there:
        upstream = there.upstream()
    check = await check_reachability(upstream)
    assert (check.ok, check.status) == (False, None)
    assert check.reason == "anthropic could not be reached: 127.0.0.1 refused the connection"
    async with provider(hang_up) as there:
        assert (await check_reachability(there.upstream())).reason == "the provider closed the connection"
    async with provider(no_answer) as there:
        assert "did not answer in time" in (await check_reachability(there.upstream(), timeout_s=0.1)).reason
