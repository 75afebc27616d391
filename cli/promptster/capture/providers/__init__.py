"""One module per provider API: its requests and responses, read into the nouns of ``interface``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.capture.providers.anthropic import AnthropicMessages
from promptster.capture.providers.openai import OpenAIResponses
from promptster.capture.providers.openai_chat import OpenAIChat

if TYPE_CHECKING:
    from promptster.capture.providers.interface import Provider

PROVIDERS: tuple[Provider, ...] = (AnthropicMessages(), OpenAIResponses(), OpenAIChat())
"""Every API whose calls are understood."""
ANSWERED_REASONS = frozenset[str]().union(*(provider.answered_reasons for provider in PROVIDERS))
"""The reasons of all of them, for a recorded answer whose API is not recorded."""


def provider_of(method: str, path: str) -> Provider | None:
    """The API that a request belongs to, or ``None`` when it is not a call of a model.

    Args:
        method: the request's method.
        path: the request's path without its query.
    """
    return next((provider for provider in PROVIDERS if provider.is_call(method, path)), None)
