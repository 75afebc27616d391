"""Each API has its own stop reasons; whether one is an answer decides if the same words were typed again."""

from __future__ import annotations

import pytest
from tests.helpers.capturing import CLAUDE, CaptureBench, asks, exchange, messages_stream, text_block

from promptster.capture.providers import PROVIDERS, is_answered


@pytest.mark.parametrize(
    ("api", "answered", "others"),
    [
        ("anthropic", {"end_turn", "tool_use", "stop_sequence"}, {"max_tokens", "pause_turn", "refusal", "stop"}),
        ("openai", {"completed"}, {"max_output_tokens", "incomplete", "failed", "end_turn"}),
        ("openai_chat", {"stop", "tool_calls"}, {"length", "content_filter", "completed"}),
    ],
)
def test_each_api_knows_its_own_reasons(api: str, answered: set[str], others: set[str]) -> None:
    """A reason that is an answer in one API means nothing in another."""
    (provider,) = (each for each in PROVIDERS if each.name == api)
    assert provider.answered_reasons == answered
    assert not provider.answered_reasons & others
    assert all(is_answered(provider, reason) for reason in (*answered, None))


@pytest.mark.parametrize(("reason", "prompts"), [("end_turn", 2), ("max_tokens", 1), ("stop", 1)])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_the_same_words_after_an_answer_are_a_new_prompt(reason: str, prompts: int, *, is_restarted: bool) -> None:
    """After a cut answer the same words only ask again; a restarted recorder knows that too."""
    bench = CaptureBench()
    for attempt in range(2):
        exchange(bench, asks(("user", "go on")), messages_stream(text_block("some"), stop=reason), agent=CLAUDE)
        if is_restarted and not attempt:
            bench.restart()
    assert len(bench.texts("proxy")) == prompts
