"""The proxy as a whole: its socket and its end."""

from __future__ import annotations

import asyncio
import socket

import pytest
from tests.proxy.rig import TOKEN, Seen, Talk, provider, proxied, until

from promptster.errors import ConfigurationError
from promptster.proxy.agent_connection import AgentConnection
from promptster.proxy.reverse_proxy import ReverseProxy
from promptster.proxy.upstreams import Upstream


async def _serve(talk: Talk) -> None:
    while True:
        await talk.request()
        await talk.answer()


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.2"])  # noqa: S104 - what must be refused
async def test_only_the_literal_loopback_address_is_served(address: str) -> None:
    """A socket bound anywhere else, or not yet, is refused."""
    proxy = ReverseProxy(
        token=TOKEN,
        upstreams={"anthropic": Upstream("anthropic", "https://api.anthropic.com")},
        open_observer=Seen,
        on_hook=lambda _agent, _payload: None,
    )
    with socket.socket() as unbound, socket.socket() as elsewhere:
        with pytest.raises(ConfigurationError):
            await proxy.serve(unbound)
        elsewhere.bind((address, 0))
        with pytest.raises(ConfigurationError):
            await proxy.serve(elsewhere)
    await proxy.aclose()


async def test_the_port_cannot_be_taken_beside_us() -> None:
    """No other process can bind the port while the proxy listens, and the socket does not share its address."""
    async with provider(_serve) as there, proxied(there.upstream()) as here:
        assert not here.reuses_addresses()
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", here.port))


async def test_closing_cuts_what_is_under_way_and_tells_everything() -> None:
    """An exchange that is open is reported to its end, with its outcome."""
    begun = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        begun.set()
        await talk.reader.read()

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.ask(body=b"x")
        await begun.wait()
        await agent.reader.readuntil(b"half")
        await here.proxy.aclose()
        assert await agent.rest() == b""
        assert (here.seen[0].outcome, here.seen[0].response) == ("failed", b"half")
        assert here.seen[0].endings[0][1] == "promptster was stopped"


async def test_closing_never_ends_an_open_ended_answer_properly() -> None:
    """A response that ends with its connection is ended by a reset, even if the proxy itself stops."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\n\r\nto the en")
        await talk.reader.read()

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.ask(body=b"x")
        await agent.reader.readuntil(b"to the en")
        await here.proxy.aclose()
        with pytest.raises(ConnectionResetError):
            await agent.rest()


async def test_a_connection_accepted_at_the_last_moment_is_closed_too() -> None:
    """A connection that the system accepted before the end, and hands over afterwards, is not served."""
    async with provider(_serve) as there, proxied(there.upstream()) as here:
        await here.proxy.aclose()
        ours, theirs = socket.socketpair()
        await asyncio.get_running_loop().connect_accepted_socket(lambda: AgentConnection(here.proxy), ours)
        reader, writer = await asyncio.open_connection(sock=theirs)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        assert here.agents_connected() == 0


async def test_closing_while_connecting_ends_the_exchange() -> None:
    """No task outlives the proxy."""
    async with provider(_serve) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.ask(body=b"x")
        await until(lambda: bool(here.seen))
        await here.proxy.aclose()
        assert len(here.seen[0].endings) == 1
