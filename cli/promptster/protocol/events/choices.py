"""The closed sets of words that some text fields have; a recording by another version may have others."""

from __future__ import annotations

from enum import StrEnum


class CallPurpose(StrEnum):
    """Why an agent calls a model; only ``WORK`` is the candidate's."""

    WORK = "work"
    TITLE = "title"
    CLASSIFIER = "classifier"
    COMPACTION = "compaction"
    OTHER = "other"
    """A call that is no turn of a conversation, such as counting tokens."""


class ResponseOutcome(StrEnum):
    """How an attempt to get a model's answer ended."""

    COMPLETE = "complete"
    CUT = "cut"
    """The answer broke off, or the agent did not wait for it."""
    ERROR = "error"
