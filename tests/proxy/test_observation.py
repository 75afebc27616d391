"""The messages that observers receive."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import get_args

import pytest
from tests.proxy.rig import Seen, Talk, provider, proxied, until

from promptster.proxy.observation import (
    DataMissed,
    ExchangeEnd,
    NullObserver,
    Observation,
    Observer,
    RequestData,
    RequestEnd,
    RequestInfo,
    ResponseData,
    ResponseStart,
)

MESSAGES: tuple[Observation, ...] = (
    RequestData(b"a"),
    RequestEnd(),
    ResponseStart(200, ()),
    ResponseData(b"b"),
    DataMissed(7),
    ExchangeEnd("complete", ""),
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_cannot_be_changed(message: Observation) -> None:
    """Observers may keep what they receive, since it cannot be changed later."""
    name = next(iter(type(message).__slots__), "data")
    with pytest.raises((FrozenInstanceError, TypeError)):
        setattr(message, name, b"other")


def test_an_observer_takes_each_kind_of_message() -> None:
    """The union has no kind that these tests leave out, and a receiver that matches on it takes all."""
    info = RequestInfo(upstream="anthropic", method="POST", target="/", headers=(), received_ms=0)
    seen = Seen(info)
    for message in MESSAGES:
        seen.observe(message)
    assert set(seen.observations) == set(get_args(Observation))
    assert (seen.request, seen.status, seen.response, seen.missing) == (b"a", 200, b"b", 7)
    assert seen.outcome == "complete"


async def test_an_exchange_may_have_no_watcher() -> None:
    """With the null observer the exchange is forwarded as usual, and nothing is reported as a fault."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.answer()

    opened: list[str] = []

    def ignore(info: RequestInfo) -> Observer:
        opened.append(info.target)
        return NullObserver()

    async with provider(script) as there, proxied(there.upstream(), observe=ignore) as here:
        agent = await here.connect()
        await agent.ask("/x", b"x")
        assert (await agent.answer())[1] == b"ok"
        await until(lambda: not here.undelivered())
        assert (opened, here.faults) == (["/x"], [])
