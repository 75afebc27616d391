"""The bounded queue between forwarding and observers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.proxy.rig import Seen, Talk, provider, proxied, until

from promptster.proxy.reverse_proxy import Limits

if TYPE_CHECKING:
    from promptster.proxy.reverse_proxy import Outcome, RequestInfo


async def test_what_does_not_fit_is_counted_and_the_exchange_goes_on() -> None:
    """A body larger than the queue is forwarded whole; what the observer got and what it missed add up."""
    size = 4 * 1024 * 1024

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.answer(b"y" * size)

    async with provider(script) as there, proxied(there.upstream(), limits=Limits(observed_bytes=20_000)) as here:
        agent = await here.connect()
        await agent.ask(body=b"x" * size)
        assert len((await agent.answer())[1]) == size
        seen = await here.settled()
        assert seen.missing > 0
        assert len(seen.request) + len(seen.response) + seen.missing == 2 * size
        assert seen.outcome == "complete"
        assert seen.calls.index("missed") < seen.calls.index("request_end")
        assert here.forwarder.stats.missed_bytes == seen.missing


async def test_many_tiny_pieces_are_bounded_too() -> None:
    """A queue counts what holding a piece costs, not only its bytes."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await talk.send(b"1\r\nx\r\n" * 1000 + b"0\r\n\r\n")

    async with provider(script) as there, proxied(there.upstream(), limits=Limits(observed_bytes=600)) as here:
        agent = await here.connect()
        await agent.ask(body=b"x")
        await agent.reader.readuntil(b"0\r\n\r\n")
        seen = await here.settled()
        assert len(seen.response) + len(seen.request) + seen.missing == 1001


@dataclass
class _Faulty(Seen):
    """Raises in every call but keeps count."""

    def request_body(self, data: bytes) -> None:
        super().request_body(data)
        raise RuntimeError("request_body")

    def response_body(self, data: bytes) -> None:
        super().response_body(data)
        raise RuntimeError("response_body")

    def finished(self, outcome: Outcome, detail: str) -> None:
        super().finished(outcome, detail)
        raise RuntimeError("finished")


async def _answer(talk: Talk) -> None:
    while True:
        await talk.request()
        await talk.answer()


async def test_a_faulty_observer_disturbs_nothing() -> None:
    """Its exceptions are reported, the traffic and the other calls go on."""
    async with provider(_answer) as there, proxied(there.upstream(), observe=_Faulty) as here:
        agent = await here.connect()
        for _ in range(2):
            await agent.ask(body=b"x")
            assert (await agent.answer())[1] == b"ok"
            assert (await here.settled()).outcome == "complete"
        assert [str(fault) for fault in here.faults] == ["request_body", "response_body", "finished"] * 2


async def test_an_observer_that_cannot_be_opened_disturbs_nothing() -> None:
    """The exchange is forwarded unseen, and the fault is reported once."""

    def refuse(info: RequestInfo) -> Seen:
        raise RuntimeError(info.target)

    async with provider(_answer) as there, proxied(there.upstream(), observe=refuse) as here:
        agent = await here.connect()
        await agent.ask("/x", b"x")
        assert (await agent.answer())[1] == b"ok"
        await until(lambda: not here.untold())
        assert [str(fault) for fault in here.faults] == ["/x"]


async def test_the_bytes_are_out_before_they_are_told() -> None:
    """When the observer hears of a piece of the answer, the socket has already been given it."""
    order: list[str] = []

    @dataclass
    class Late(Seen):
        def response_body(self, data: bytes) -> None:
            super().response_body(data)
            order.append("told" if not here.buffered() else "held back")

    async with provider(_answer) as there, proxied(there.upstream(), observe=Late) as here:
        agent = await here.connect()
        await agent.ask(body=b"x")
        await agent.answer()
        await here.settled()
        assert order == ["told"]
