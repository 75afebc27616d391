"""The real agents, recorded: they behave as without promptster, and the replay shows all that was served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.e2e.replayed import check_everything, check_shown_edit
from tests.e2e.runs import CANDIDATE, control_run, recorded_run, same_behaviour, same_bytes, same_requests
from tests.e2e.scenarios import claude_scenarios, codex_scenarios
from tests.e2e.world import stage_folder

if TYPE_CHECKING:
    from tests.e2e.conftest import Participants
    from tests.e2e.scenarios import Scenario

pytestmark = pytest.mark.e2e

WORKSPACE = stage_folder() / CANDIDATE / "workspace"
SCENARIOS = [*claude_scenarios(WORKSPACE), *codex_scenarios()]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[f"{item.agent}-{item.name}" for item in SCENARIOS])
def test_a_real_agent_is_recorded_whole_and_unchanged(scenario: Scenario, participants: Participants) -> None:
    """Output, files and requests are as without promptster; no byte changed on the way; all is shown once, verified."""
    control = control_run(scenario, participants.agents)
    assert control.ended.code == 0
    recorded = recorded_run(scenario, participants.agents, participants.recruiter, tap=True)
    same_behaviour(control, recorded.run, ordered=scenario.ordered)
    same_requests(control, recorded.run)
    same_bytes(recorded.heard, recorded.run.exchanges)
    check_everything(scenario, recorded.lines)
    if scenario.name == "edits":
        check_shown_edit(scenario, recorded.lines, recorded.page, recorded.story)
    assert recorded.verdict["verdict"] == "verified"
    assert recorded.submitted["events"] == recorded.submitted["received"]
