"""Every rule of RFC 9112's sections 2 to 8, with bytes that keep it and bytes that break it, through the real proxy.

The rows are in ``wire``, next to what the RFC asks, sentence by sentence. A refusal is counted at the provider's
socket, an acceptance by equal bytes there; what a provider sends is judged at the agent's socket in the same way.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h11
import pytest
from tests.proxy.rig import TOKEN, Agent, Provider, Proxied, Talk, provider, proxied, until
from tests.proxy.wire import answers, bodies, chunks, fields, heads
from tests.proxy.wire.requirements import REQUIREMENTS
from tests.proxy.wire.rules import Accepted, AnswerRule, Passed, Refused, RequestRule, Rule, Stopped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

ROWS: tuple[Rule, ...] = (*heads.ROWS, *fields.ROWS, *bodies.ROWS, *chunks.ROWS, *answers.ROWS)

SECTIONS = (
    *("2", "2.1", "2.2", "2.3", "3", "3.1", "3.2", "3.2.1", "3.2.2", "3.2.3", "3.2.4", "3.3", "4", "5", "5.1", "5.2"),
    *("6", "6.1", "6.2", "6.3", "7", "7.1", "7.1.1", "7.1.2", "7.1.3", "7.2", "7.3", "7.4", "8"),
)
"""The sections of the RFC that are about the form of a message."""

_PATIENCE_S = 30
_OVER = b"HTTP/1.1 204 No Content\r\n\r\n"
_AT_ONCE = 16 * 1024
"""Requests up to this size reach the proxy in one read."""


def test_every_section_has_rows_or_a_reason() -> None:
    """Each section's requirements have rows that show them, or a reason why they do not concern the proxy."""
    assert {one.section for one in REQUIREMENTS} == set(SECTIONS)
    assert all(one.rows or one.why.endswith(".") for one in REQUIREMENTS)
    assert all(one.asks.endswith(".") for one in REQUIREMENTS)
    assert len({(one.section, one.asks) for one in REQUIREMENTS}) == len(REQUIREMENTS)


def test_the_table_holds_every_rule() -> None:
    """Each row that a requirement names exists once, and each row shows a requirement of its own section."""
    held = Counter(row.name for row in ROWS)
    assert set(held.values()) == {1}
    assert set(held) == {name for one in REQUIREMENTS for name in one.rows}
    asked = {(one.section, name) for one in REQUIREMENTS for name in one.rows}
    assert {(row.section, row.name) for row in ROWS} <= asked


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.section} {row.name}")
def test_every_row_can_fail_both_ways(row: Rule) -> None:
    """A row names its rule in a sentence and holds at least one input that is accepted and two that are refused."""
    assert row.rule.endswith(".")
    assert len({one.raw for one in row.accepted}) >= 1
    assert len({one.raw for one in row.refused} - {one.raw for one in row.accepted}) >= 2
    assert not {one.raw for one in row.refused} & {one.raw for one in row.accepted}


def _cases(kind: type[Rule], sort: str) -> list[object]:
    return [
        pytest.param(row, case, id=f"{row.section} {row.name}: {number}")
        for row in ROWS
        if isinstance(row, kind)
        for number, case in enumerate(getattr(row, sort))
    ]


@dataclass
class Landings:
    """Connections that reached the provider, each with its bytes; complete requests are answered."""

    awaited: Sequence[bytes] = ()
    received: list[bytearray] = field(default_factory=list[bytearray])
    ended: int = 0

    @property
    def all(self) -> bytes:
        """Everything that arrived."""
        return b"".join(self.received)

    async def script(self, talk: Talk) -> None:
        """Keep what arrives."""
        mine = bytearray()
        self.received.append(mine)
        try:
            while data := await talk.reader.read(65536):
                before = len(self.all)
                mine += data
                for number in range(1, len(self.awaited) + 1):
                    if before < len(b"".join(self.awaited[:number])) <= len(self.all):
                        await talk.send(_OVER)
        except ConnectionError:
            pass
        finally:
            self.ended += 1

    async def over(self) -> None:
        """Wait until all of them have ended."""
        await until(lambda: self.ended == len(self.received))


def _sent(raw: bytes, here: Proxied) -> bytes:
    return raw.replace(b"{path}", b"/%s/anthropic" % TOKEN.encode()).replace(b"{host}", b"127.0.0.1:%d" % here.port)


def _forwarded(raw: bytes, there: Provider) -> bytes:
    return raw.replace(b"{path}", b"").replace(b"{host}", b"127.0.0.1:%d" % there.port)


def _complete(data: bytes, role: type[h11.CLIENT | h11.SERVER], method: bytes = b"GET") -> bool:
    """Whether an independent reader finds a whole message at the beginning of these bytes."""
    reader = h11.Connection(role)
    if role is h11.CLIENT:
        reader.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        reader.send(h11.EndOfMessage())
    reader.receive_data(data)
    with contextlib.suppress(h11.RemoteProtocolError):
        while (event := reader.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.EndOfMessage):
                return True
            if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return False
    return False


def _content(data: bytes) -> bytes:
    """The content of the first request in these bytes; its reader accepts no space before extensions."""
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(data.replace(b"2 ; a = b", b"2"))
    content = b""
    while not isinstance(event := reader.next_event(), h11.EndOfMessage):
        content += bytes(event.data) if isinstance(event, h11.Data) else b""
    return content


@pytest.mark.parametrize(("row", "case"), _cases(RequestRule, "accepted"))
async def test_what_keeps_the_rule_arrives(row: RequestRule, case: Accepted) -> None:
    """The provider gets the bytes of the row, no more, and the observer the content in them."""
    landings = Landings()
    async with asyncio.timeout(_PATIENCE_S), provider(landings.script) as there:
        expected = [_forwarded(one, there) for one in case.arrives or (case.raw,)]
        landings.awaited = expected if case.whole else ()
        async with proxied(there.upstream()) as here:
            agent = await here.connect()
            await agent.send(_sent(case.raw, here))
            if case.whole:
                for _ in expected:
                    assert await agent.head() == _OVER, row.rule
                await here.settled()
                assert here.seen[0].request == _content(expected[0])
            else:
                await until(lambda: landings.all == expected[0])
            agent.leave()
        await landings.over()
    assert landings.all == b"".join(expected)


async def _last_word(agent: Agent) -> bytes:
    with contextlib.suppress(ConnectionResetError):
        return await agent.rest()
    return b""


async def _check_refusal(row: RequestRule, case: Refused, *, late: bool) -> None:
    landings = Landings()
    async with asyncio.timeout(_PATIENCE_S), provider(landings.script) as there:
        landings.awaited = [_forwarded(one, there) for one in case.arrives]
        async with proxied(there.upstream()) as here:
            agent = await here.connect()
            raw = _sent(case.raw, here)
            head = raw.index(b"\r\n\r\n") + 4 if late else 0
            await agent.send(raw[:head])
            await until(lambda: not late or b"\r\n\r\n" in landings.all)
            with contextlib.suppress(ConnectionError):
                await agent.send(raw[head:])
            if not case.status:
                agent.writer.write_eof()
            shown = await _last_word(agent)
            if case.status:
                last = shown[max(match.start() for match in re.finditer(rb"HTTP/1\.1 [0-9]{3} ", shown)) :]
                assert last.startswith(b"HTTP/1.1 %d " % case.status), (row.rule, shown)
                assert b"\r\nConnection: close\r\n" in last
                fields, _, body = last.partition(b"\r\n\r\n")
                bodiless = case.raw[len(b"".join(case.arrives)) :].startswith(b"HEAD ")
                length = re.search(rb"\r\nContent-Length: ([0-9]+)\r\n", fields)
                assert length is not None
                assert len(body) == (0 if bodiless else int(length[1]))
                assert bodiless or b'"promptster: ' in body
        await landings.over()
    if row.late:
        assert not _complete(landings.all, h11.SERVER), (row.rule, landings.all)
        assert len(landings.received) == 1 if late else case.status == 0 or not landings.received
    else:
        assert landings.all == b"".join(landings.awaited), row.rule
        assert len(landings.received) <= len(landings.awaited)


@pytest.mark.parametrize(("row", "case"), _cases(RequestRule, "refused"))
async def test_what_breaks_the_rule_does_not_arrive(row: RequestRule, case: Refused) -> None:
    """A broken request is refused with its status and closed, before connecting to the provider if it is complete."""
    if not row.late or len(case.raw) <= _AT_ONCE:
        await _check_refusal(row, case, late=False)
    if row.late:
        await _check_refusal(row, case, late=True)


def _answering(raw: bytes, *, reset: bool = False) -> Callable[[Talk], Awaitable[None]]:
    """A provider that sends these bytes over its first connection, and plain answers over others."""
    connections = 0

    async def script(talk: Talk) -> None:
        nonlocal connections
        connections += 1
        first = connections == 1
        await talk.head()
        await talk.send(raw if first else _OVER)
        if first and reset:
            talk.reset()
        elif first and b"evil" not in raw:
            talk.close()
        await talk.reader.read()

    return script


async def _ask(agent: Agent, method: bytes) -> None:
    await agent.send(
        b"%s /%s/anthropic/x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (method, TOKEN.encode(), agent.port)
    )


@pytest.mark.parametrize(("row", "case"), _cases(AnswerRule, "accepted"))
async def test_an_answer_that_keeps_the_rule_arrives(row: AnswerRule, case: Passed) -> None:
    """The agent gets the bytes of the row and no more, and they are a whole answer."""
    expected = case.arrives or case.raw
    async with (
        asyncio.timeout(_PATIENCE_S),
        provider(_answering(case.raw)) as there,
        proxied(there.upstream()) as here,
    ):
        agent = await here.connect()
        await _ask(agent, row.method)
        assert await agent.reader.readexactly(len(expected)) == expected, row.rule
        assert (await here.settled()).outcome == "complete"
        agent.writer.write_eof()
        assert await _last_word(agent) == b""
    ended = b"Connection: close" in expected
    assert ended or _complete(expected, h11.CLIENT, row.method)


@pytest.mark.parametrize(("row", "case"), _cases(AnswerRule, "refused"))
async def test_an_answer_that_breaks_the_rule_does_not_arrive(row: AnswerRule, case: Stopped) -> None:
    """The agent gets our 502, or a cut answer if the head had passed, and never what the provider sent after it.

    The connection to the provider carries no other request.
    """
    async with (
        asyncio.timeout(_PATIENCE_S),
        provider(_answering(case.raw, reset=case.reset)) as there,
        proxied(there.upstream()) as here,
    ):
        agent = await here.connect()
        await _ask(agent, row.method)
        if case.arrives:
            assert await agent.reader.readexactly(len(case.arrives)) == case.arrives, row.rule
            await here.settled()
            await _ask(agent, b"GET")
            assert await agent.head() == _OVER
            assert there.connections == 2
            return
        if case.reset:
            with pytest.raises(ConnectionResetError):
                await agent.rest()
            assert (await here.settled()).outcome == "cut_by_provider"
            return
        shown = await _last_word(agent)
        seen = await here.settled()
        await until(lambda: here.providers_connected() == 0)
    if row.late:
        assert not _complete(shown, h11.CLIENT, row.method), (row.rule, shown)
        assert seen.outcome == "cut_by_provider"
    else:
        head, _, body = shown.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 502 "), (row.rule, shown)
        assert body.startswith(b"{") == (row.method != b"HEAD") == (b'"promptster: ' in body)
        assert seen.outcome == "failed"
