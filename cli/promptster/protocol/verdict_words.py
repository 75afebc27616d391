"""What a bundle is after the checks, in one word: apart from the verdict, because a command's help loads quickly."""

from __future__ import annotations

import enum


class VerdictWord(enum.StrEnum):
    """What a bundle is after the checks."""

    VERIFIED = "verified"
    CONSISTENT = "consistent"
    """Nothing contradicts it, and nobody known signed it."""
    INCOMPLETE = "incomplete"
    ALTERED = "altered"
    UNREADABLE = "unreadable"
