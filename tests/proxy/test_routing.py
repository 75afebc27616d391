"""Which requests are accepted, and where they go."""

from __future__ import annotations

import pytest

from promptster.proxy.http1 import MessageRefusedError, read_request
from promptster.proxy.routing import HookRoute, Router, UpstreamRoute

TOKEN = "tT0-_k" * 7
HOST = b"Host: 127.0.0.1:4321\r\n"


def _router() -> Router:
    return Router(token=TOKEN, port=4321, upstreams=("anthropic", "openai"), hook_agents=("claude",))


def _route(
    target: bytes, fields: bytes = b"", *, method: bytes = b"POST", host: bytes = HOST
) -> UpstreamRoute | HookRoute:
    return _router().route(read_request(method + b" " + target + b" HTTP/1.1\r\n" + host + fields + b"\r\n"))


SHOWN = b"X-Promptster-Token: " + TOKEN.encode() + b"\r\n"


@pytest.mark.parametrize(
    ("target", "fields", "upstream", "rest"),
    [
        (f"/{TOKEN}/anthropic/v1/messages?beta=true", b"", "anthropic", b"/v1/messages?beta=true"),
        ("/openai/responses", SHOWN, "openai", b"/responses"),
        ("/anthropic/v1/messages", SHOWN, "anthropic", b"/v1/messages"),
        (f"/{TOKEN}/openai/a", SHOWN, "openai", b"/a"),
        (f"/{TOKEN}/openai", b"", "openai", b""),
        (f"/{TOKEN}/openai?q=1", b"", "openai", b"?q=1"),
        (f"/{TOKEN}/openai//evil.example/x", b"", "openai", b"//evil.example/x"),
        (f"/{TOKEN}/openai/a?b=/c?d", b"", "openai", b"/a?b=/c?d"),
    ],
)
def test_the_path_prefix_chooses_the_destination(target: str, fields: bytes, upstream: str, rest: bytes) -> None:
    """The token is in the path or a field, then comes the upstream's name; the rest is the target, byte for byte."""
    assert _route(target.encode(), fields) == UpstreamRoute(upstream, rest)


@pytest.mark.parametrize(
    ("target", "fields", "status"),
    [
        ("/anthropic/v1/messages", b"", 403),
        ("/", b"", 403),
        (f"/{TOKEN[:-1]}/anthropic/v1/messages", b"", 403),
        (f"/{TOKEN}x/anthropic/v1/messages", b"", 403),
        (f"//{TOKEN}/anthropic/v1/messages", b"", 403),
        (f"/anthropic/{TOKEN}/v1", b"", 403),
        ("/anthropic/v1", b"X-Promptster-Token: \r\n", 403),
        ("/anthropic/v1", b"X-Promptster-Token: x\r\n", 403),
        ("/anthropic/v1", SHOWN + SHOWN, 403),
        ("/anthropic/v1", SHOWN + b"x-promptster-token: x\r\n", 403),
        (f"/{TOKEN}/anthropic/v1", b"X-Promptster-Token: x\r\n", 403),
        (f"/anthropic/v1?token={TOKEN}", b"", 403),
        (f"/{TOKEN}/unknown/v1", b"", 404),
        (f"/{TOKEN}/Anthropic/v1", b"", 404),
        (f"/{TOKEN}/", b"", 404),
        (f"/{TOKEN}", b"", 404),
        (f"/{TOKEN}/hooks/claude", b"", 404),
        ("/hooks/cursor", SHOWN, 404),
        ("/hooks/", SHOWN, 404),
        ("/hooks", SHOWN, 404),
        ("/hooks/claude/more", SHOWN, 404),
        ("/hooks/claude", b"", 403),
        (f"/{TOKEN}/anthropic/v1", b"Origin: https://evil.example\r\n", 403),
        (f"/{TOKEN}/anthropic/v1", b"oRiGiN: null\r\n", 403),
        (f"/{TOKEN}/anthropic/v1", b"Origin:\r\n", 403),
        (f"/{TOKEN}/anthropic/v1", b"Upgrade: websocket\r\nConnection: Upgrade\r\n", 426),
        (f"/{TOKEN}/anthropic/v1", b"Upgrade: h2c\r\n", 426),
    ],
)
def test_other_requests_are_refused(target: str, fields: bytes, status: int) -> None:
    """A wrong or missing token, a web page, another protocol, an unknown path: each is refused with its status."""
    with pytest.raises(MessageRefusedError) as caught:
        _route(target.encode(), fields)
    assert caught.value.status == status


@pytest.mark.parametrize(
    "host",
    [
        b"localhost:4321",
        b"127.0.0.1",
        b"127.0.0.1:4322",
        b"127.1:4321",
        b"evil.example",
        b"127.0.0.1:04321",
        b"[::1]:4321",
    ],
)
def test_only_the_literal_address_is_a_host(host: bytes) -> None:
    """A name that could be resolved to this machine is refused."""
    with pytest.raises(MessageRefusedError) as caught:
        _route(f"/{TOKEN}/anthropic/v1".encode(), host=b"Host: " + host + b"\r\n")
    assert (caught.value.status, caught.value.code) == (421, "wrong_host")


def test_a_hook_is_posted() -> None:
    """POST to the agent's path is routed to the hook receiver; GET has no effect anywhere."""
    assert _route(b"/hooks/claude", SHOWN) == HookRoute("claude")
    with pytest.raises(MessageRefusedError) as caught:
        _route(b"/hooks/claude", SHOWN, method=b"GET")
    assert caught.value.status == 405
