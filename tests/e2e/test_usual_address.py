"""A provider at its usual address, through a company's proxy and its certificate authority, works as without us.

Claude Code behaves differently if it detects a gateway between it and the provider: other headers, no shared prompt
cache, another account of its own safety checks. With promptster it must not do so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.e2e.replayed import check_everything
from tests.e2e.runs import CANDIDATE, PROMPTSTER, Run, candidate_root, same_behaviour, same_requests, taken
from tests.e2e.scenarios import claude_scenarios
from tests.e2e.world import Candidate, stage_folder
from tests.helpers.corporate_proxy import CorporateProxy
from tests.helpers.provider.server import running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Participants
    from tests.helpers.provider.exchange import Exchange

pytestmark = pytest.mark.e2e

HOST = "api.anthropic.com"
SCENARIO = next(one for one in claude_scenarios(stage_folder() / CANDIDATE / "workspace") if one.name == "edits")
ONLY_WITHOUT_US = b",mid-conversation-system-clear-at-2026-08-21"
"""A beta that Claude Code requests only at Anthropic's own host name, whatever its settings say."""
TELLS_ITS_HOST = (b'"served_by_anthropic":true', b'"served_by_anthropic":false')
"""What it says of the host name in its output."""


def test_claude_code_reaches_anthropic_as_without_us(participants: Participants, tmp_path: Path) -> None:
    """The provider sees the same requests with and without promptster, except one beta's name; all is recorded."""
    with running(SCENARIO.script) as provider, CorporateProxy(tmp_path, HOST, provider.anthropic_url).running() as way:
        control = _candidate(participants, way)
        ended = control.run(str(participants.agents.claude), *SCENARIO.words()[1:])
        without = taken(control, ended, provider, 0)
    assert without.ended.code == 0
    with running(SCENARIO.script) as provider, CorporateProxy(tmp_path, HOST, provider.anthropic_url).running() as way:
        candidate = _candidate(participants, way)
        try:
            candidate.start(participants.recruiter.invite())
            before = len(provider.exchanges)
            ended = candidate.run(PROMPTSTER, "run", *SCENARIO.words())
            submitted = candidate.submit()
            recorded = taken(candidate, ended, provider, before)
        finally:
            candidate.end()
    without = _by_any_name(without)
    same_behaviour(without, recorded, ordered=SCENARIO.ordered)
    same_requests(without, recorded)
    check_everything(SCENARIO, participants.recruiter.lines(candidate.session))
    assert submitted["events"] == submitted["received"]
    assert participants.recruiter.verify(candidate.session, candidate.root)["verdict"] == "verified"


def _candidate(participants: Participants, way: CorporateProxy) -> Candidate:
    candidate = Candidate(root=candidate_root(), agents=participants.agents)
    candidate.person = replace(candidate.person, extra={**candidate.person.extra, **way.environment})
    return candidate


def _by_any_name(run: Run) -> Run:
    """That run, if the host had another name: the two differences that only the name makes."""
    assert run.ended.stdout.count(TELLS_ITS_HOST[0]) == 1
    ended = replace(run.ended, stdout=run.ended.stdout.replace(*TELLS_ITS_HOST))
    return replace(run, ended=ended, exchanges=[_without_beta(exchange) for exchange in run.exchanges])


def _without_beta(exchange: Exchange) -> Exchange:
    assert exchange.head.count(ONLY_WITHOUT_US) == (exchange.method == "POST")
    return replace(exchange, head=exchange.head.replace(ONLY_WITHOUT_US, b""))
