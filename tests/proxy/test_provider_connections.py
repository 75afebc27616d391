"""The pool of connections to providers."""

from __future__ import annotations

import asyncio

import pytest
from tests.proxy.rig import TOKEN, Talk, provider, proxied, until

from promptster.proxy.limits import Limits, Timing


async def _serve(talk: Talk) -> None:
    while True:
        await talk.request()
        await talk.answer()


async def test_one_connection_serves_agents_one_after_the_other() -> None:
    """Agents that open a connection for every call share the provider's connection."""
    async with provider(_serve) as there, proxied(there.upstream()) as here:
        for _ in range(5):
            agent = await here.connect()
            await agent.ask(body=b"x")
            assert (await agent.answer())[1] == b"ok"
            agent.leave()
        assert there.connections == 1
        assert here.proxy.stats.connected == 1


async def test_parallel_requests_have_connections_of_their_own_and_few_stay() -> None:
    """There are as many connections as parallel requests, and afterwards no more than the limit."""
    all_here = asyncio.Barrier(6)

    async def script(talk: Talk) -> None:
        await talk.request()
        await all_here.wait()
        await talk.answer()
        await talk.reader.read()

    async with provider(script) as there, proxied(there.upstream(), limits=Limits(idle_connections=2)) as here:
        agents = [await here.connect() for _ in range(6)]
        for agent in agents:
            await agent.ask()
        for agent in agents:
            await agent.answer()
        assert there.connections == 6
        await until(lambda: here.providers_connected() == 2)


async def test_upstreams_do_not_share_connections() -> None:
    """A connection is used for its own upstream only."""
    async with (
        provider(_serve) as one,
        provider(_serve) as two,
        proxied(one.upstream("anthropic"), two.upstream("openai")) as here,
    ):
        agent = await here.connect()
        await agent.ask("/x")
        await agent.answer()
        other = await here.connect()
        await other.send(
            b"GET /openai/x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nx-promptster-token: %s\r\n\r\n"
            % (here.port, TOKEN.encode())
        )
        await other.answer()
        assert (one.connections, two.connections) == (1, 1)


@pytest.mark.parametrize("how", ["closed", "reset", "spoken"])
async def test_a_stale_connection_is_not_used(how: str) -> None:
    """A connection that the provider closed, reset or sent data on while it was idle is given no request."""
    stale = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.answer()
        if how == "closed":
            talk.close()
        elif how == "reset":
            talk.reset()
        else:
            await talk.send(b"HTTP/1.1 408 Too Slow\r\nContent-Length: 0\r\n\r\n")
            await talk.reader.read()
        stale.set()

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        for number in range(1, 4):
            await agent.ask(body=b"x")
            assert (await agent.answer())[1] == b"ok"
            await stale.wait()
            stale.clear()
            assert there.connections == number
        assert here.proxy.stats.complete == 3


async def test_a_provider_that_says_close_is_not_asked_again_on_the_same_connection() -> None:
    """Connection: close of the provider ends its connection, not the agent's."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.answer(fields=b"Connection: close\r\n")
        await talk.reader.read()

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        for number in range(1, 4):
            await agent.ask()
            head, _ = await agent.answer()
            assert b"close" not in head
            assert there.connections == number


async def test_extra_bytes_after_an_answer_end_the_connection() -> None:
    """A provider that sends more than was asked for cannot answer the next request in advance."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        )
        await talk.reader.read()

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        for number in range(1, 3):
            await agent.ask()
            assert (await agent.answer())[1] == b"ok"
            assert there.connections == number


@pytest.mark.parametrize(("method", "body", "outcome"), [(b"GET", b"", "complete"), (b"POST", b"x", "cut_by_provider")])
async def test_a_lost_race_is_repeated_only_where_that_is_harmless(method: bytes, body: bytes, outcome: str) -> None:
    """If a reused connection fails during a request, GET is sent once more, and POST is left to the agent."""
    closed: list[bytes] = []

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.answer()
        closed.append((await talk.head())[:4])
        talk.close()

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.ask()
        await agent.answer()
        await agent.ask(method=method, body=body)
        if outcome == "complete":
            assert (await agent.answer())[1] == b"ok"
        else:
            assert await agent.rest() == b""
        seen = await here.settled()
        assert (seen.outcome, len(closed)) == (outcome, 1)
        assert there.connections == (2 if outcome == "complete" else 1)


async def test_idle_connections_are_closed() -> None:
    """A connection that is not used ends by itself."""
    over = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.answer()
        await talk.reader.read()
        over.set()

    async with provider(script) as there, proxied(there.upstream(), timing=Timing(idle_s=0.02)) as here:
        agent = await here.connect()
        await agent.ask()
        await agent.answer()
        await over.wait()
        await until(lambda: not here.providers_connected())
