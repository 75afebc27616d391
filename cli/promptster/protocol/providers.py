"""The providers that agents call, with their usual addresses: policies name them, the proxy forwards to them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL_ADDRESSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "anthropic": "https://api.anthropic.com",
        "openai": "https://api.openai.com/v1",
        "chatgpt": "https://chatgpt.com/backend-api/codex",
    }
)
"""Base URLs by name; ``chatgpt`` is Codex with a ChatGPT login."""


def at_usual_address(base_urls: Mapping[str, str]) -> list[str]:
    """The names of those providers, given with their base URLs, that are at their usual address."""
    return sorted(name for name, usual in USUAL_ADDRESSES.items() if base_urls.get(name) == usual)
