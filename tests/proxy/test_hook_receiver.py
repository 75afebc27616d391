"""Hooks that arrive by HTTP."""

from __future__ import annotations

from tests.proxy.rig import Talk, provider, proxied, until

from promptster.proxy.limits import Limits

LIMIT = Limits().hook_bytes


async def _echo(talk: Talk) -> None:
    while True:
        head, body = await talk.request()
        await talk.answer(head.split(b" ")[1] + b" " + body)


async def test_hooks_are_handed_over_before_they_are_answered() -> None:
    """The receiver has the payload before the answer is sent, and one connection serves them all."""
    async with provider(_echo) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        for number in range(3):
            body = b'{"n": %d}' % number
            await agent.hook(b"Content-Length: %d\r\n" % len(body), body)
            head, answer = await agent.answer()
            assert (head.split(b"\r\n")[0], answer) == (b"HTTP/1.1 200 OK", b"")
            assert here.hooks[-1] == ("claude", body)
        assert here.proxy.stats.hooks == 3
        assert there.connections == 0


async def test_a_hook_may_come_in_chunks_and_in_pieces() -> None:
    """Any framing works, and a client that waits for 100 Continue."""
    async with provider(_echo) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.hook(b"Transfer-Encoding: chunked\r\n", b"2\r\nab\r\n")
        await agent.send(b"1\r\nc\r\n0\r\nTrailer: x\r\n\r\n")
        assert (await agent.answer())[1] == b""
        await agent.hook(b"Expect: 100-Continue\r\nContent-Length: 3\r\nConnection: close\r\n")
        assert await agent.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await agent.send(b"def")
        assert (await agent.rest()).endswith(b"Connection: close\r\n\r\n")
        assert here.hooks == [("claude", b"abc"), ("claude", b"def")]


async def test_a_hook_without_a_payload_is_answered_too() -> None:
    """The receiver does not judge its content."""
    async with provider(_echo) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.hook(b"Content-Length: 0\r\n")
        assert (await agent.answer())[1] == b""
        assert here.hooks == [("claude", b"")]


async def test_a_large_hook_is_taken_and_a_larger_one_refused() -> None:
    """16 MiB is the limit, announced or counted; a larger hook is reported with its size and first bytes."""
    async with provider(_echo) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.hook(b"Content-Length: %d\r\n" % LIMIT, b"x" * LIMIT)
        assert (await agent.answer())[1] == b""
        assert len(here.hooks[0][1]) == LIMIT
        await agent.hook(b"Content-Length: %d\r\n" % (LIMIT + 1), b"begins")
        assert await agent.refusal() == (413, "hook_too_large")
        other = await here.connect()
        size = LIMIT // 2 + 1
        chunk = b"%x\r\n%s\r\n" % (size, b"x" * size)
        await other.hook(b"Transfer-Encoding: chunked\r\n", chunk)
        await other.send(chunk)
        assert await other.refusal() == (413, "hook_too_large")
        assert len(here.hooks) == 1
        (announced, counted) = here.refused_hooks
        assert announced[:2] == ("claude", LIMIT + 1)
        assert b"begins".startswith(announced[2])
        assert counted[1] > LIMIT
        assert counted[2].startswith(b"x")


async def test_half_a_hook_is_none() -> None:
    """A payload that an agent did not finish, or with broken chunks, does not count as sent."""
    async with provider(_echo) as there, proxied(there.upstream()) as here:
        agent, other = await here.connect(), await here.connect()
        await agent.hook(b"Content-Length: 10\r\n", b"half")
        await other.hook(b"Transfer-Encoding: chunked\r\n", b"zz\r\n")
        assert await other.refusal() == (400, "bad_framing")
        agent.leave()
        await until(lambda: not here.agents_connected(authenticated=True))
        assert here.hooks == []


async def test_a_failing_receiver_does_not_fail_the_agent() -> None:
    """The hook is answered even if the receiver fails, and the fault is reported."""

    def fail(agent: str, payload: bytes) -> None:
        raise ValueError(agent, payload)

    async with provider(_echo) as there, proxied(there.upstream(), on_hook=fail) as here:
        agent = await here.connect()
        await agent.hook(b"Content-Length: 2\r\n", b"{}")
        assert (await agent.answer())[1] == b""
        assert [repr(fault) for fault in here.faults] == ["ValueError('claude', b'{}')"]
