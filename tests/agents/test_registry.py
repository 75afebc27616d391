"""Where agents reach the proxy: addresses that agents share never show the token of one of them."""

from __future__ import annotations

from dataclasses import replace

from promptster.agents.registry import base_urls, plugin, plugins


def test_the_addresses_of_the_first_release_are_the_same() -> None:
    """Commands of any version find them by these names, whichever agents came later."""
    first = {
        "claude": "http://127.0.0.1:7/secret/anthropic",
        "codex": "http://127.0.0.1:7/openai",
        "chatgpt": "http://127.0.0.1:7/chatgpt",
    }
    assert base_urls(7, "secret", [plugin(agent) for agent in ("claude", "codex", "cursor")]) == first
    assert base_urls(7, "secret").items() >= first.items()


def test_a_provider_that_two_agents_share_has_an_address_without_the_token() -> None:
    """Codex puts its address into an argument, so an agent with the token in its path has one of its own."""
    other = next(each for each in plugins() if each.token_in_path)
    further = replace(other, facts=other.facts._replace(id="further", upstreams=("anthropic", "chatgpt")))
    found = base_urls(7, "secret", [*plugins(), further])
    assert found["chatgpt"] == "http://127.0.0.1:7/chatgpt"
    assert found["further/chatgpt"] == "http://127.0.0.1:7/secret/chatgpt"
    assert found["further"] == found["claude"]
