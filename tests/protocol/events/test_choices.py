"""The words that a recording has for a closed set; readers of older recordings know these."""

from __future__ import annotations

import json
from enum import StrEnum

import pytest

from promptster.protocol.events.choices import CallPurpose, ResponseOutcome
from promptster.protocol.events.kinds import ModelRequest, ModelResponse
from promptster.protocol.events.values import encode_value


@pytest.mark.parametrize(
    ("choices", "words"),
    [(CallPurpose, "work title classifier compaction other"), (ResponseOutcome, "complete cut error")],
)
def test_the_words_on_the_wire_stay(choices: type[StrEnum], words: str) -> None:
    """A word that changed its spelling would be unknown to every reader of an earlier recording."""
    assert [choice.value for choice in choices] == words.split()


def test_a_choice_is_recorded_as_its_word() -> None:
    """In a field, in JSON and in a message it is the plain word."""
    request, response = ModelRequest(purpose=CallPurpose.WORK), ModelResponse(outcome=ResponseOutcome.CUT)
    assert encode_value("text", request.purpose) == b"work"
    assert encode_value("text", response.outcome) == b"cut"
    assert json.dumps([request.purpose, response.outcome]) == '["work", "cut"]'
    assert f"{response.outcome}" == "cut"
