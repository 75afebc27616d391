"""The bounded queue between forwarding and observers."""

from __future__ import annotations

from dataclasses import dataclass

from tests.proxy.rig import Seen, Talk, provider, proxied, until
from typing_extensions import override

from promptster.proxy.limits import Limits, Timing
from promptster.proxy.observation import (
    DataMissed,
    ExchangeEnd,
    Observation,
    RequestData,
    RequestEnd,
    RequestInfo,
    ResponseData,
)
from promptster.proxy.observation_queue import ExchangeReporter, ObservationQueue

INFO = RequestInfo(upstream="anthropic", method="POST", target="/", headers=(), received_ms=0)


async def test_what_does_not_fit_is_counted_and_the_exchange_goes_on() -> None:
    """A body larger than the queue is forwarded whole; observed and missed bytes add up to it."""
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
        assert seen.observations.index(DataMissed) < seen.observations.index(RequestEnd)
        assert here.proxy.stats.missed_bytes == seen.missing


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
    """Raises for all data and for the end, but keeps what it received."""

    @override
    def observe(self, observation: Observation) -> None:
        super().observe(observation)
        match observation:
            case RequestData() | ResponseData() | ExchangeEnd():
                raise RuntimeError(type(observation).__name__)
            case _:
                pass


async def _answer(talk: Talk) -> None:
    while True:
        await talk.request()
        await talk.answer()


async def test_a_faulty_observer_disturbs_nothing() -> None:
    """Its exceptions are reported; the traffic and the other observations continue."""
    async with provider(_answer) as there, proxied(there.upstream(), observe=_Faulty) as here:
        agent = await here.connect()
        for _ in range(2):
            await agent.ask(body=b"x")
            assert (await agent.answer())[1] == b"ok"
            assert (await here.settled()).outcome == "complete"
        assert [str(fault) for fault in here.faults] == ["RequestData", "ResponseData", "ExchangeEnd"] * 2


async def test_an_observer_that_cannot_be_opened_disturbs_nothing() -> None:
    """The exchange is forwarded unseen, and the fault is reported once."""

    def refuse(info: RequestInfo) -> Seen:
        raise RuntimeError(info.target)

    async with provider(_answer) as there, proxied(there.upstream(), observe=refuse) as here:
        agent = await here.connect()
        await agent.ask("/x", b"x")
        assert (await agent.answer())[1] == b"ok"
        await until(lambda: not here.undelivered())
        assert [str(fault) for fault in here.faults] == ["/x"]


async def test_bytes_are_sent_before_they_are_observed() -> None:
    """When an observer receives a piece of the response, the socket has already taken it."""
    order: list[str] = []

    @dataclass
    class Late(Seen):
        @override
        def observe(self, observation: Observation) -> None:
            super().observe(observation)
            if isinstance(observation, ResponseData):
                order.append("held back" if here.buffered() else "sent")

    async with provider(_answer) as there, proxied(there.upstream(), observe=Late) as here:
        agent = await here.connect()
        await agent.ask(body=b"x")
        await agent.answer()
        await here.settled()
        assert order == ["sent"]


def _queue(room: int, faults: list[Exception]) -> ObservationQueue:
    return ObservationQueue(limits=Limits(observed_bytes=room), timing=Timing(), on_fault=faults.append)


async def test_delivering_makes_room() -> None:
    """Delivered data no longer counts: the queue takes as much again, and nothing is missed."""
    faults: list[Exception] = []
    queue, seen = _queue(2000, faults), Seen(INFO)
    reporter = ExchangeReporter(queue, lambda _info: seen, INFO)
    for _ in range(10):
        reporter.data(ResponseData(b"x" * 1000))
        queue.flush()
    assert (len(seen.response), seen.missing, queue.missed_bytes, queue.room) == (10_000, 0, 0, 2000)
    assert faults == []


async def test_missed_data_is_reported_before_the_data_after_it() -> None:
    """An observer learns of a gap at its place, not at the end."""
    faults: list[Exception] = []
    queue, seen = _queue(2000, faults), Seen(INFO)
    reporter = ExchangeReporter(queue, lambda _info: seen, INFO)
    reporter.data(ResponseData(b"x" * 1000))
    reporter.data(ResponseData(b"y" * 1000))
    queue.flush()
    reporter.data(ResponseData(b"z" * 1000))
    queue.flush()
    assert seen.observations == [ResponseData, DataMissed, ResponseData]
    assert (seen.response, seen.missing, queue.missed_bytes) == (b"x" * 1000 + b"z" * 1000, 1000, 1000)
    assert faults == []
