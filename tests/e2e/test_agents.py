"""The real agents, recorded: they behave as without us, and the replay tells all that was served."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.e2e.replayed import check_everything
from tests.e2e.runs import CANDIDATE, control_run, recorded_run, same_behaviour, same_bytes, same_requests
from tests.e2e.scenarios import claude_scenarios, codex_scenarios

if TYPE_CHECKING:
    from tests.e2e.conftest import Stage
    from tests.e2e.runs import Recorded
    from tests.e2e.scenarios import Scenario

pytestmark = pytest.mark.e2e

WORKSPACE = Path(tempfile.gettempdir()) / f"promptster-e2e-{os.getuid()}" / CANDIDATE / "workspace"
SCENARIOS = [*claude_scenarios(WORKSPACE), *codex_scenarios()]


PAIRS = {"claude-cut": 6}
"""Behind a cut stream Claude Code sends the same call again or goes on from what came, by a race of its own that
shows between two runs without us too: of so many pairs of runs one must agree. Elsewhere the first pair must."""


def _pair(scenario: Scenario, stage: Stage) -> Recorded:
    """A recorded run that agrees with a run without us; everything recorded is checked by the caller."""
    for left in reversed(range(PAIRS.get(f"{scenario.agent}-{scenario.name}", 1))):
        control = control_run(scenario, stage.agents)
        recorded = recorded_run(scenario, stage.agents, stage.recruiter, tap=True)
        assert control.ended.code == 0
        try:
            same_behaviour(control, recorded.run, ordered=scenario.ordered)
            same_requests(control, recorded.run)
        except AssertionError:
            if not left:
                raise
        else:
            return recorded
    raise AssertionError("no pair of runs was made")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[f"{item.agent}-{item.name}" for item in SCENARIOS])
def test_a_real_agent_is_recorded_whole_and_unchanged(scenario: Scenario, stage: Stage) -> None:
    """As without us in output, files and requests; no byte changed on the way; all told once, verified."""
    recorded = _pair(scenario, stage)
    same_bytes(recorded.heard, recorded.run.exchanges)
    check_everything(scenario, recorded.lines)
    assert recorded.verdict["verdict"] == "verified"
    assert recorded.submitted["events"] == recorded.submitted["received"]
