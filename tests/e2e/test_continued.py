"""A conversation that is continued resends everything that was said; the replay shows it once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.e2e.replayed import of_kind
from tests.e2e.runs import PROMPTSTER, candidate_root
from tests.e2e.world import Candidate
from tests.helpers.provider.script import Conversation, Script, ToolUse, Turn
from tests.helpers.provider.server import running

if TYPE_CHECKING:
    from tests.e2e.conftest import Participants

pytestmark = pytest.mark.e2e

_FIRST, _SECOND = "Please do the first half", "Please do the second half"
_WORDS = {
    "claude": (
        ("claude", "-p", _FIRST, "--dangerously-skip-permissions"),
        ("claude", "-p", "--continue", _SECOND, "--dangerously-skip-permissions"),
    ),
    "codex": (
        ("codex", "exec", "-m", "gpt-5.5", "--dangerously-bypass-approvals-and-sandbox", _FIRST),
        ("codex", "exec", "-m", "gpt-5.5", "--dangerously-bypass-approvals-and-sandbox", "resume", "--last", _SECOND),
    ),
}


def _script(agent: str) -> Script:
    name, field = ("Bash", "command") if agent == "claude" else ("exec_command", "cmd")
    return Script(
        conversations=tuple(
            Conversation(
                prompt=prompt,
                turns=(
                    Turn(text=f"Working on: {prompt}", tools=(ToolUse(name=name, input={field: f"echo {number}"}),)),
                    Turn(text=f"Done with: {prompt}"),
                ),
            )
            for number, prompt in enumerate((_FIRST, _SECOND))
        )
    )


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_a_continued_conversation_is_told_once(agent: str, participants: Participants) -> None:
    """Both prompts, all answers and both commands appear once, in order, in one lane, seen by proxy and hooks."""
    candidate = Candidate(root=candidate_root(), agents=participants.agents)
    script = _script(agent)
    try:
        with running(script) as provider:
            candidate.start(
                participants.recruiter.invite(), anthropic=provider.anthropic_url, openai=provider.openai_url
            )
            for words, prompt in zip(_WORDS[agent], (_FIRST, _SECOND), strict=True):
                ended = candidate.run(PROMPTSTER, "run", *words)
                assert ended.code == 0, ended.stderr
                assert f"Done with: {prompt}".encode() in ended.stdout
            candidate.submit()
        lines = participants.recruiter.lines(candidate.session)
    finally:
        candidate.end()
    prefix = "toolu_" if agent == "claude" else "call_"
    prompts = of_kind(lines, "prompt")
    assert [line["text"] for line in prompts] == [_FIRST, _SECOND]
    assert [set(line["sources"]) for line in prompts] == [{"proxy", "hook"}] * 2
    answers = [line["text"] for line in of_kind(lines, "model_response") if line.get("text")]
    assert answers == [turn.text for item in script.conversations for turn in item.turns]
    expected = [item.tool_id(0, 0, prefix) for item in script.conversations]
    for kind in ("tool_call", "tool_result", "command"):
        told = of_kind(lines, kind)
        assert [line["tool_use_id"] for line in told] == expected
        assert {frozenset(line["sources"]) for line in told} == {frozenset({"proxy", "hook"})}
    assert len(Counter(line["lane"] for line in prompts)) == 1
