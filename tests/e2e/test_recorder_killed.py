"""The recorder is killed during real agents' work: they continue, and nothing is recorded twice or wrongly.

What was forwarded and not yet on disk may be missing; then an event says so.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.e2e import normal
from tests.e2e.replayed import of_kind
from tests.e2e.runs import candidate_root, configuration, recorded_run
from tests.e2e.scenarios import PROMPT, claude_scenarios, codex_scenarios
from tests.e2e.test_agents import WORKSPACE
from tests.e2e.world import Candidate
from tests.helpers.waiting import wait_until

if TYPE_CHECKING:
    from tests.e2e.conftest import Participants
    from tests.e2e.scenarios import Scenario
    from tests.helpers.provider.server import Provider

pytestmark = pytest.mark.e2e

_NAMES = {"edits", "parallel", "subagent", "scripted-calls"}
_SAYS_SO = ("capture_gap", "capture_recovered")


def _paced(scenario: Scenario) -> Scenario:
    """The same with streams that take some time, so that a kill interrupts one."""
    conversations = tuple(
        replace(item, turns=tuple(replace(turn, pace_ms=40, chunk=8) for turn in item.turns))
        for item in scenario.script.conversations
    )
    return replace(scenario, script=replace(scenario.script, conversations=conversations))


SCENARIOS = [_paced(item) for item in (*claude_scenarios(WORKSPACE), *codex_scenarios()) if item.name in _NAMES]


@pytest.mark.parametrize("moment", ["streaming", "between"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=[f"{item.agent}-{item.name}" for item in SCENARIOS])
def test_an_agent_survives_the_recorders_death(scenario: Scenario, moment: str, participants: Participants) -> None:
    """It ends well with the scripted answer; every action appears at most once, in order; missing ones are reported."""

    def kill(candidate: Candidate, provider: Provider) -> None:
        before = len(provider.exchanges)
        calls = 2 if scenario.name == "edits" else 1
        wait_until(lambda: len(provider.exchanges) >= before + calls, "the agent's calls")
        if moment == "between":
            wait_until(lambda: provider.exchanges[before].outcome == "complete", "the end of an answer")
        candidate.kill_recorder()

    recorded = recorded_run(scenario, participants.agents, participants.recruiter, tap=False, meanwhile=kill)
    assert recorded.run.ended.code == 0
    assert _answer(recorded.run.ended.stdout) == scenario.script.conversations[0].turns[-1].text
    assert recorded.run.configuration == configuration(Candidate(root=candidate_root(), agents=participants.agents))
    assert recorded.verdict["verdict"] == "verified"
    assert recorded.submitted["events"] == recorded.submitted["received"]
    _check(scenario, recorded.lines)


def _answer(stdout: bytes) -> str:
    """The agent's last words."""
    texts: list[str] = []
    for line in normal.output(stdout):
        fields = cast("dict[str, Any]", line) if isinstance(line, dict) else {}
        texts.append(fields.get("result") or fields.get("item", {}).get("text") or "")
    return [text for text in texts if text][-1]


def _check(scenario: Scenario, lines: list[dict[str, Any]]) -> None:
    says_so = bool(of_kind(lines, *_SAYS_SO))
    prefix = "toolu_" if scenario.agent == "claude" else "call_"
    expected: list[str] = []
    for conversation in scenario.script.conversations:
        for turn, spoken in enumerate(conversation.turns):
            expected += [conversation.tool_id(turn, index, prefix) for index in range(len(spoken.tools))]
    for kind in ("tool_call", "tool_result"):
        found = Counter(line["tool_use_id"] for line in of_kind(lines, kind) if line["tool_use_id"] in expected)
        assert set(found.values()) <= {1}, f"{kind} told twice"
        assert says_so or set(found) == set(expected), f"{kind} missing and nothing says so"
    main = [conversation for conversation in scenario.script.conversations if conversation.prompt == PROMPT]
    order = [main[0].tool_id(t, i, prefix) for t, s in enumerate(main[0].turns) for i in range(len(s.tools))]
    told = [line["tool_use_id"] for line in of_kind(lines, "tool_call") if line["tool_use_id"] in order]
    assert told == [identity for identity in order if identity in told]
    prompts = [line["text"] for line in of_kind(lines, "prompt") if not line.get("machine")]
    assert prompts == [PROMPT] or (says_so and not prompts)
    edits = Counter((line["tool_use_id"], line["path"]) for line in of_kind(lines, "file_edit"))
    assert set(edits.values()) <= {1}
    commands = Counter(line["tool_use_id"] for line in of_kind(lines, "command"))
    assert set(commands.values()) <= {1}
    answers = Counter(
        line.get("response_id") for line in of_kind(lines, "model_response") if line["outcome"] == "complete"
    )
    assert set(answers.values()) <= {1}
