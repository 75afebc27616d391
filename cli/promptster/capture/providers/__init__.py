"""One module for each provider API, which reads its requests and responses into the types of ``interface``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.capture.providers.anthropic import AnthropicMessages
from promptster.capture.providers.openai import OpenAIResponses
from promptster.capture.providers.openai_chat import OpenAIChat

if TYPE_CHECKING:
    from promptster.capture.providers.interface import Provider

PROVIDERS: tuple[Provider, ...] = (AnthropicMessages(), OpenAIResponses(), OpenAIChat())
"""Every API whose calls are understood."""


def provider_of(method: str, path: str) -> Provider | None:
    """The API that a request belongs to, or ``None`` if it is not a model call.

    Args:
        method: the request's method.
        path: the request's path without its query.
    """
    return next((provider for provider in PROVIDERS if provider.is_call(method, path)), None)


def is_answered(provider: Provider | None, stop_reason: str | None) -> bool:
    """Whether a model that stopped for this reason said all that it wanted to say; so without a reason, or an API."""
    return stop_reason is None or provider is None or stop_reason in provider.answered_reasons
