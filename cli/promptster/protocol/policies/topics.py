"""What one line of a policy's text announces, and the layout that all texts share."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from promptster.protocol.errors import PolicyTextError


class Topic(NamedTuple):
    """One line of what is recorded, and what it covers."""

    phrase: str
    """The line as the text shows it."""
    kinds: frozenset[str]
    """The kinds of events that the line announces; the line is left out if the policy allows none of them."""
    fields: frozenset[str]
    """Names of fields that the line announces."""


def topic(phrase: str, kinds: str, fields: str) -> Topic:
    """Build a topic from names separated by spaces."""
    return Topic(phrase, frozenset(kinds.split()), frozenset(fields.split()))


def announced(topics: Collection[Topic], kinds: Collection[str]) -> list[str]:
    """Return the lines for these kinds.

    Raises:
        PolicyTextError: no line announces one of them.
    """
    silent = set(kinds).difference(*(entry.kinds for entry in topics))
    if silent:
        raise PolicyTextError(f"no line of the policy's text announces {min(silent)}")
    return [entry.phrase for entry in topics if not entry.kinds.isdisjoint(kinds)]


def paragraph(heading: str, *sentences: str) -> str:
    """Set a heading and the sentences below it; empty sentences are left out."""
    return f"{heading}\n{' '.join(sentence for sentence in sentences if sentence)}\n"


def listed(heading: str, *lines: str, closing: str = "") -> str:
    """Set a heading, a list, and a closing paragraph after it."""
    return "\n".join((heading, *(f"- {line}" for line in lines), *([closing] if closing else ()), ""))


def counted(number: int, unit: str) -> str:
    """Write a number with its unit, in the right plural."""
    return f"{number} {unit}{'' if number == 1 else 's'}"


def joined(names: Sequence[str], conjunction: str) -> str:
    """Join names as a sentence lists them: ``Codex``, ``Codex or Cursor``, ``Claude Code, Codex or Cursor``."""
    return f" {conjunction} ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)
