"""One request and its response: the same bytes, without delay, to the same kind of end."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.proxy.rig import TOKEN, Talk, provider, proxied

from promptster.proxy.observation import ExchangeEnd, RequestData, RequestEnd, ResponseData, ResponseStart

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_a_request_reaches_the_provider_and_its_answer_the_agent_unchanged() -> None:
    """Heads and bodies are the same bytes but for Host, hop-by-hop fields and the token; the observer sees both."""

    async def script(talk: Talk) -> None:
        head, body = await talk.request()
        await talk.answer(head + body, b"X-OdD:  spaced\r\nKeep-Alive: 9\r\nSet-Cookie: secret\r\n", b"207  Well  done")

    async with provider(script) as there, proxied(there.upstream(path="/base")) as here:
        agent = await here.connect()
        await agent.ask(
            "/v1/messages?beta=true", b'{"a": 1}', b"X-Api-KEY: k\r\ncontent-type:x\r\nConnection: keep-alive\r\n"
        )
        expected = (
            b"POST /base/v1/messages?beta=true HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX-Api-KEY: k\r\ncontent-type:x\r\n"
            b'Content-Length: 8\r\n\r\n{"a": 1}' % there.port
        )
        head, body = await agent.answer()
        assert body == expected
        assert head == (
            b"HTTP/1.1 207  Well  done\r\nContent-Length: %d\r\nX-OdD:  spaced\r\nSet-Cookie: secret\r\n\r\n"
            % len(expected)
        )
        seen = await here.settled()
        assert seen.observations == [RequestData, RequestEnd, ResponseStart, ResponseData, ExchangeEnd]
        assert (seen.request, seen.response, seen.status, seen.outcome) == (b'{"a": 1}', expected, 207, "complete")
        assert (seen.info.upstream, seen.info.method, seen.info.target) == (
            "anthropic",
            "POST",
            "/v1/messages?beta=true",
        )


async def test_observers_see_no_credentials() -> None:
    """Keys, tokens and cookies, whatever their names, and the proxy's token are forwarded but not observed."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.answer(b"", b"Set-Cookie: SECRET\r\n")

    names = ["Authorization", "x-api-key", "API-KEY", "Cookie", "Proxy-Authorization", "X-Promptster-Token"]
    names += ["X-Goog-Api-Key", "x_api_key", "Helicone-Auth", "X-Gateway-Token", "cf-aig-authorization", "apikey"]
    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        fields = "".join(f"{name}: {TOKEN if 'Prompt' in name else 'SECRET'}\r\n" for name in names)
        await agent.ask(fields=fields.encode() + b"X-Other: kept\r\n")
        await agent.answer()
        seen = await here.settled()
        told = repr((seen.info, seen.headers))
        assert "SECRET" not in told
        assert TOKEN not in told
        assert (b"X-Other", b"kept") in seen.info.headers


async def test_what_a_credential_was_is_known_to_observers_alone() -> None:
    """Observers get the word itself, to keep it out of what they write, but no text about the request has it."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.answer()

    key = b"sk-ant-0123456789abcdef"
    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.ask(
            fields=b"Authorization: Bearer %s\r\nX-Api-Key: short\r\nCookie: id=%s; a=b\r\n" % (key, key[::-1])
        )
        await agent.answer()
        info = (await here.settled()).info
        assert info.credentials == {key, key[::-1], TOKEN.encode()}
        assert key.decode() not in repr(info)


async def test_streamed_chunks_arrive_one_by_one() -> None:
    """Each chunk reaches the agent before the provider sends the next one."""
    ready = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(CHUNKED)
        for number in range(20):
            await talk.send(b"9\r\ndata: %02d\n\r\n" % number)
            await ready.wait()
            ready.clear()
        await talk.send(b"0\r\n\r\n")

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.ask(body=b"{}")
        assert await agent.head() == CHUNKED
        for number in range(20):
            assert await agent.reader.readexactly(14) == b"9\r\ndata: %02d\n\r\n" % number
            ready.set()
        assert await agent.reader.readexactly(5) == b"0\r\n\r\n"
        seen = await here.settled()
        assert seen.response == b"".join(b"data: %02d\n" % number for number in range(20))


async def test_request_bytes_arrive_as_they_are_sent() -> None:
    """The provider gets each piece of a chunked request before the agent sends the next; trailers are dropped."""
    got = asyncio.Event()

    async def script(talk: Talk) -> None:
        head = await talk.head()
        assert b"transfer-encoding: CHUNKED\r\n" in head
        for _ in range(5):
            assert await talk.reader.readexactly(6) == b"1;x\r\na"
            got.set()
            await talk.reader.readexactly(2)
        assert await talk.reader.readexactly(5) == b"0\r\n\r\n"
        await talk.answer()

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.send(
            b"POST /%s/anthropic/x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\ntransfer-encoding: CHUNKED\r\n\r\n"
            % (TOKEN.encode(), here.port)
        )
        for _ in range(5):
            await agent.send(b"1;x\r\na\r\n")
            await got.wait()
            got.clear()
        await agent.send(b"0\r\nX-Trailer: t\r\n\r\n")
        assert (await agent.answer())[1] == b"ok"
        assert (await here.settled()).request == b"aaaaa"


@pytest.mark.parametrize(
    "final", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno"]
)
async def test_expect_100_continue_is_between_agent_and_provider(final: bytes) -> None:
    """Interim answers pass in order, and the body follows only when the provider asks for it."""

    async def script(talk: Talk) -> None:
        head = await talk.head()
        assert b"Expect: 100-continue\r\n" in head
        if b"200" in final:
            await talk.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert await talk.reader.readexactly(4) == b"body"
        await talk.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + final)

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.send(
            b"POST /%s/anthropic/x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
            % (TOKEN.encode(), here.port)
        )
        if b"200" in final:
            assert await agent.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
            await agent.send(b"body")
        assert await agent.head() == b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        assert (await agent.answer())[0].startswith(final[:12])
        seen = await here.settled()
        assert seen.observations.count(ResponseStart) == 1
        assert seen.outcome == "complete"


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
        (b"HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ],
)
async def test_answers_without_a_body(method: bytes, answer: bytes) -> None:
    """Their length is not waited for, and both connections stay open."""

    async def script(talk: Talk) -> None:
        for _ in range(3):
            await talk.request()
            await talk.send(answer)

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        for _ in range(3):
            await agent.ask("/api/hello", method=method)
            assert await agent.head() == answer
            await here.settled()
        assert there.connections == 1
        assert len(here.seen) == 3


async def test_a_body_ended_by_its_connection() -> None:
    """An answer without length is complete at the provider's end, and its head announces the connection's end."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(b"HTTP/1.0 200 OK\r\nX: y\r\n\r\npart one, ")
        await talk.send(b"part two")

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.ask()
        assert await agent.rest() == b"HTTP/1.1 200 OK\r\nX: y\r\nConnection: close\r\n\r\npart one, part two"
        seen = await here.settled()
        assert (seen.outcome, seen.response) == ("complete", b"part one, part two")


async def test_an_agent_that_wants_its_connection_closed_gets_that() -> None:
    """Connection: close concerns the agent's own side; the provider's connection is kept."""

    async def script(talk: Talk) -> None:
        while True:
            await talk.request()
            await talk.answer()

    async with provider(script) as there, proxied(there.upstream()) as here:
        for _ in range(3):
            agent = await here.connect()
            await agent.ask(fields=b"Connection: close\r\n")
            assert await agent.rest() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
        assert there.connections == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf",
        CHUNKED + b"9\r\ndata: 01\n\r\n",
        CHUNKED + b"9\r\ndata",
        CHUNKED + b"0\r\n",
    ],
)
@pytest.mark.parametrize("reset", [False, True])
async def test_a_cut_stream_is_cut_for_the_agent_in_the_same_way(sent: bytes, *, reset: bool) -> None:
    """The agent gets the bytes that came, no proper end, and the same kind of end; the observer gets who cut."""
    arrived = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(sent)
        if b"\r\n\r\n" in sent:
            await arrived.wait()
        if reset:
            talk.reset()
        else:
            talk.close()

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.ask(body=b"{}")
        whole = sent if b"\r\n\r\n" in sent else b""
        assert await agent.reader.readexactly(len(whole)) == whole
        arrived.set()
        if reset:
            with pytest.raises(ConnectionResetError):
                await agent.rest()
        else:
            assert await agent.rest() == b""
        seen = await here.settled()
        assert seen.outcome == "cut_by_provider"


async def test_broken_chunks_cut_the_stream() -> None:
    """What the agent could read in another way than the proxy does not reach it."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(CHUNKED + b"2\r\nab\r\n")
        await talk.send(b"zz\r\n\r\n")
        await talk.reader.read()

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.ask()
        assert (CHUNKED + b"2\r\nab\r\n").startswith(await agent.rest())
        assert (await here.settled()).outcome == "cut_by_provider"


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", "both Content-Length and Transfer-Enc"),
        (b"<html>", "it does not begin with a status line"),
        (b"HTTP/1.1  200 OK", "it does not begin with a status line"),
        (b"HTTP/1.1 20 OK", "it does not begin with a status line"),
        (b"HTTP/1.1 099 OK", "it does not begin with a status line"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x", "it switches to another protocol"),
        (b"HTTP/2.0 200 OK", "it switches to another protocol"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked", "HTTP/1.0 does not have"),
    ],
)
async def test_an_unreadable_answer_is_a_bad_gateway(sent: bytes, why: str) -> None:
    """A provider's head that is refused becomes a 502 with a readable reason."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(sent + b"\r\n\r\n")
        await talk.reader.read()

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.ask()
        answer = await agent.rest()
        assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert b"promptster: the provider's response" in answer
        assert why.encode() in answer
        assert (await here.settled()).outcome == "failed"


async def test_a_provider_that_cannot_be_reached_is_a_bad_gateway() -> None:
    """The text names promptster, the provider and the reason."""
    async with provider(Talk.request) as there:
        upstream = there.upstream()
    async with proxied(upstream) as here:
        agent = await here.connect()
        await agent.ask(body=b"{}")
        answer = await agent.rest()
        assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert b"promptster: anthropic could not be reached: 127.0.0.1 refused the connection" in answer
        assert b'"code": "upstream_refused"' in answer
        seen = await here.settled()
        assert (seen.outcome, seen.request) == ("failed", b"{}")


@pytest.mark.parametrize("when", ["before the answer", "in the request", "in the answer"])
async def test_an_agent_that_hangs_up_ends_the_providers_connection(when: str) -> None:
    """The provider notices at once that the agent has gone."""
    gone, begun = asyncio.Event(), asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.head()
        begun.set()
        if when == "in the answer":
            await talk.send(CHUNKED)
        try:
            await talk.reader.read()
        finally:
            gone.set()

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.send(
            b"POST /%s/anthropic/x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 4\r\n\r\n"
            % (TOKEN.encode(), here.port)
        )
        if when != "in the request":
            await agent.send(b"body")
        await begun.wait()
        if when == "in the answer":
            await agent.head()
        agent.leave()
        await gone.wait()
        assert (await here.settled()).outcome == "cut_by_agent"


async def test_an_agent_that_hangs_up_while_connecting() -> None:
    """A connection that comes up too late is closed again."""
    async with provider(Talk.request) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.ask(fields=b"Expect: 100-continue\r\n", body=b"x")
        agent.leave()
        assert (await here.settled()).outcome == "cut_by_agent"


async def test_an_early_answer_is_delivered_although_the_agent_still_sends() -> None:
    """A refusal in the middle of an upload reaches the agent whole; then the connection ends."""

    async def script(talk: Talk) -> None:
        await talk.head()
        await talk.answer(b"too large", status=b"413 Content Too Large")

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.send(
            b"POST /%s/anthropic/x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 900000000\r\n\r\n"
            % (TOKEN.encode(), here.port)
        )
        head, body = await agent.answer()
        assert (head[:12], body) == (b"HTTP/1.1 413", b"too large")
        await agent.send(b"x" * 100_000)
        assert await agent.rest() == b""
        assert (await here.settled()).outcome == "complete"


async def test_broken_chunks_of_the_agent_are_refused() -> None:
    """The provider's connection is closed, and the agent gets a refusal."""
    async with provider(Talk.request) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.send(
            b"POST /%s/anthropic/x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"
            % (TOKEN.encode(), here.port)
        )
        assert (await agent.rest()).startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert (await here.settled()).outcome == "cut_by_agent"


async def test_redirects_are_the_agents_business() -> None:
    """A redirect is passed on like any answer, and no other host is asked."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.answer(b"", b"Location: https://evil.example/\r\n", b"307 Temporary Redirect")

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.ask()
        assert b"Location: https://evil.example/\r\n" in (await agent.answer())[0]
        assert there.connections == 1


BIG = 48 * 1024 * 1024
HELD = 1024 * 1024


async def test_a_slow_agent_slows_the_provider_down() -> None:
    """While an agent reads 48 MiB little by little, the proxy never holds more than a socket's buffer of it."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        for _ in range(BIG // 65536):
            await talk.send(b"x" * 65536)

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.ask()
        await agent.head()
        got, most = 0, 0
        while got < BIG:
            got += len(await agent.reader.read(65536))
            most = max(most, here.buffered())
        assert got == BIG
        assert most <= HELD
        seen = await here.settled()
        assert len(seen.response) + seen.missing == BIG


async def test_a_slow_provider_slows_the_agent_down() -> None:
    """Of a large request the proxy does not collect what the provider has not read."""

    async def script(talk: Talk) -> None:
        await talk.head()
        got = 0
        while got < BIG:
            got += len(await talk.reader.read(65536))
            most.append(here.buffered())
        await talk.answer(b"%d" % got)

    most: list[int] = []
    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.send(
            b"POST /%s/anthropic/x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: %d\r\n\r\n"
            % (TOKEN.encode(), here.port, BIG)
        )
        for _ in range(BIG // 65536):
            await agent.send(b"x" * 65536)
        assert (await agent.answer())[1] == b"%d" % BIG
        assert max(most) <= HELD
        seen = await here.settled()
        assert len(seen.request) + seen.missing == BIG


BODIES = st.binary(max_size=5000)
FIELDS = st.lists(
    st.tuples(st.from_regex(r"X-[A-Za-z0-9-]{1,12}", fullmatch=True), st.from_regex(r"[!-~]{1,20}", fullmatch=True)),
    max_size=6,
)


def _pieces(data: bytes, seed: int) -> list[bytes]:
    rng = random.Random(seed)  # noqa: S311 - a test's repeatable choice
    edges = [0, *sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(6))), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def _framed(body: bytes, *, chunked: bool, seed: int) -> tuple[bytes, bytes]:
    if not chunked:
        return b"Content-Length: %d\r\n" % len(body), body
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in _pieces(body, seed) if piece)
    return b"Transfer-Encoding: chunked\r\n", chunks + b"0\r\n\r\n"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    request_body=BODIES,
    response_body=BODIES,
    request_fields=FIELDS,
    response_fields=FIELDS,
    chunked=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 2**32),
)
def test_any_exchange_is_byte_identical(
    *,
    request_body: bytes,
    response_body: bytes,
    request_fields: list[tuple[str, str]],
    response_fields: list[tuple[str, str]],
    chunked: tuple[bool, bool],
    seed: int,
) -> None:
    """For any heads, bodies, framings and cuts, each end gets the bytes that the other sent, three times in a row."""
    request_framing, request_wire = _framed(request_body, chunked=chunked[0], seed=seed)
    response_framing, response_wire = _framed(response_body, chunked=chunked[1], seed=seed + 1)
    request_head = b"".join(f"{name}: {value}\r\n".encode() for name, value in request_fields) + request_framing
    response_head = b"".join(f"{name}: {value}\r\n".encode() for name, value in response_fields) + response_framing
    response = b"HTTP/1.1 200 OK\r\n" + response_head + b"\r\n" + response_wire

    async def exchange() -> None:
        async def script(talk: Talk) -> None:
            expected = b"POST /x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s\r\n%s" % (there.port, request_head, request_wire)
            for _ in range(3):
                assert await talk.reader.readexactly(len(expected)) == expected
                for piece in _pieces(response, seed + 2):
                    await talk.send(piece)
                    await asyncio.sleep(0)

        async with provider(script) as there, proxied(there.upstream()) as here:
            agent = await here.connect()
            line = b"POST /%s/anthropic/x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % (TOKEN.encode(), here.port)
            for _ in range(3):
                for piece in _pieces(line + request_head + b"\r\n" + request_wire, seed + 3):
                    await agent.send(piece)
                    await asyncio.sleep(0)
                assert await agent.reader.readexactly(len(response)) == response
                seen = await here.settled()
                assert (seen.request, seen.response, seen.outcome) == (request_body, response_body, "complete")
            assert len(here.seen) == 3
            assert there.connections == 1

    asyncio.run(exchange())


async def test_a_provider_that_hangs_up_on_connecting() -> None:
    """A connection that is closed before it could be used is reported, and the next request is served."""

    async def script(talk: Talk) -> None:
        if there.connections == 1:
            talk.reset()
            return
        await talk.request()
        await talk.answer()

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.ask(body=b"x")
        try:
            refused = await agent.rest()
        except ConnectionResetError:
            refused = b""
        assert refused[:12] in {b"", b"HTTP/1.1 502"}
        assert (await here.settled()).outcome in {"failed", "cut_by_provider"}
        again = await here.connect()
        await again.ask(body=b"x")
        assert (await again.answer())[1] == b"ok"


async def test_a_large_request_waits_for_its_provider() -> None:
    """While the connection to the provider is made, only a limited part of the request is read from the agent."""
    async with provider(Talk.request) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.send(
            b"POST /%s/anthropic/x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 5000000\r\n\r\n%s"
            % (TOKEN.encode(), here.port, b"x" * 5_000_000)
        )
        seen = await here.settled()
        assert len(seen.request) == 5_000_000
