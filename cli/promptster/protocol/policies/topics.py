"""What one line of a policy's text announces, and how its paragraphs are set."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from promptster.protocol.errors import DocumentError

TEXT_DIFFERS: Final = "policy_text"
"""The code of a policy whose text is not the one that its settings have."""


class Topic(NamedTuple):
    """One line of what is recorded, and what it covers."""

    phrase: str
    """As it stands in the text."""
    kinds: frozenset[str]
    """Events that the line announces; it is left out when the policy allows none of them."""
    fields: frozenset[str]
    """Names of fields that the line announces."""


def topic(phrase: str, kinds: str, fields: str) -> Topic:
    """A topic whose names are written with spaces between them."""
    return Topic(phrase, frozenset(kinds.split()), frozenset(fields.split()))


def announced(topics: Collection[Topic], kinds: Collection[str]) -> list[str]:
    """The lines for these kinds.

    Raises:
        DocumentError: no line announces one of them.
    """
    silent = set(kinds).difference(*(entry.kinds for entry in topics))
    if silent:
        raise DocumentError(f"no line of the policy's text announces {min(silent)}", code=TEXT_DIFFERS)
    return [entry.phrase for entry in topics if not entry.kinds.isdisjoint(kinds)]


def paragraph(heading: str, *sentences: str) -> str:
    """A heading and the sentences below it."""
    return f"{heading}\n{' '.join(sentence for sentence in sentences if sentence)}\n"


def listed(heading: str, *lines: str, closing: str = "") -> str:
    """A heading, a list, and a sentence behind it."""
    return "\n".join((heading, *(f"- {line}" for line in lines), *([closing] if closing else ()), ""))
