"""The table of providers."""

from __future__ import annotations

import pytest

from promptster.errors import ConfigurationError
from promptster.protocol.providers import USUAL_ADDRESSES
from promptster.proxy.upstreams import Upstream


def test_the_usual_addresses_are_upstreams() -> None:
    """Each provider has TLS and its own name; those of the first release stay."""
    assert (
        USUAL_ADDRESSES.items()
        >= {
            "anthropic": "https://api.anthropic.com",
            "openai": "https://api.openai.com/v1",
            "chatgpt": "https://chatgpt.com/backend-api/codex",
        }.items()
    )
    assert all(Upstream(name, url).tls for name, url in USUAL_ADDRESSES.items())


@pytest.mark.parametrize(
    ("url", "host", "port", "header", "path"),
    [
        ("https://h.example", "h.example", 443, b"h.example", ""),
        ("https://h.example:443/", "h.example", 443, b"h.example", ""),
        ("https://H.example:8443/a/b/", "h.example", 8443, b"h.example:8443", "/a/b"),
        ("http://127.0.0.1:9", "127.0.0.1", 9, b"127.0.0.1:9", ""),
        ("http://[::1]:9/v1", "::1", 9, b"[::1]:9", "/v1"),
        ("http://[::1]", "::1", 80, b"[::1]", ""),
    ],
)
def test_a_base_url_is_taken_apart(url: str, host: str, port: int, header: bytes, path: str) -> None:
    """Host, port, Host field and path prefix follow from the URL."""
    upstream = Upstream("x", url)
    assert (upstream.host, upstream.port, upstream.host_header, upstream.path) == (host, port, header, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h.example",
        "ftp://h.example",
        "https://",
        "https://:443",
        "https://h.example:0",
        "https://h.example:99999",
        "https://user:pass@h.example",
        "https://h.example/?a=b",
        "https://h.example/#a",
        "https://h.example/a b",
        "https://h.example/a\r\nX: y",
        "https://h\u00e9.example",
        "https://[::1",
    ],
)
def test_an_unusable_base_url_is_refused(url: str) -> None:
    """It is refused before anything is forwarded there."""
    with pytest.raises(ConfigurationError):
        Upstream("x", url)


@pytest.mark.parametrize("name", ["", "hooks", "A", "a/b", "a b", "-a", "a" * 33, "\u00e9"])
def test_an_unusable_name_is_refused(name: str) -> None:
    """A name is one path segment, and not that of the hooks."""
    with pytest.raises(ConfigurationError):
        Upstream(name, "https://h.example")
