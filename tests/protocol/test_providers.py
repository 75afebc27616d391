"""The usual addresses of providers."""

from __future__ import annotations

from promptster.protocol.providers import at_usual_address


def test_usual_addresses_are_told_from_others() -> None:
    """A known name at another address, or an unknown name, is not usual."""
    given = {"anthropic": "https://api.anthropic.com", "openai": "http://127.0.0.1:1/v1", "own": "https://own.example"}
    assert at_usual_address(given) == ["anthropic"]
