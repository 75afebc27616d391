"""Claude Code by itself in a prepared workspace, as in an editor, is recorded, and after a reboot shows why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.e2e.replayed import of_kind
from tests.e2e.runs import candidate_root
from tests.e2e.world import Candidate
from tests.helpers.provider.script import Conversation, Script, Turn
from tests.helpers.provider.server import running
from tests.helpers.running import kill_and_wait, pid_of

if TYPE_CHECKING:
    from tests.e2e.conftest import Participants

pytestmark = pytest.mark.e2e

_SCRIPT = Script(
    conversations=tuple(
        Conversation(prompt=f"Please do part {number}.", turns=(Turn(text=f"Part {number} is done."),))
        for number in range(4)
    )
)


def test_without_a_recorder_the_agent_says_whom_it_misses(participants: Participants) -> None:
    """Without retries the prompt is answered by Promptster's message, and both named ways restore recording."""
    candidate = Candidate(root=candidate_root(), agents=participants.agents)
    with running(_SCRIPT) as provider:
        try:
            candidate.start(participants.recruiter.invite(), anthropic=provider.anthropic_url, more=("--ide", "claude"))
            done = candidate.run("claude", "-p", "Please do part 0.")
            assert b"Part 0 is done." in done.stdout, done
            folder = candidate.state_dir
            for name in ("supervisor.pid", "recorder.pid"):
                kill_and_wait(pid_of(folder / name))
            calls = len(provider.exchanges)
            left = candidate.run("claude", "-p", "Please do part 1.")
            assert b"the recorder is not running" in left.stdout + left.stderr, left
            assert b"promptster resume" in left.stdout + left.stderr
            assert b"firewall" not in left.stdout + left.stderr
            assert len(provider.exchanges) == calls
            candidate.person.result("resume")
            assert b"Part 2 is done." in candidate.run("claude", "-p", "Please do part 2.").stdout
            for name in ("supervisor.pid", "recorder.pid"):
                kill_and_wait(pid_of(folder / name))
            candidate.person.result("restore")
            own = {"ANTHROPIC_BASE_URL": provider.anthropic_url}
            assert b"Part 3 is done." in candidate.run("claude", "-p", "Please do part 3.", environ=own).stdout
            candidate.person.result("resume")
            candidate.submit()
            prompts = [line["text"] for line in of_kind(participants.recruiter.lines(candidate.session), "prompt")]
            assert [number for number in range(4) if f"Please do part {number}." in prompts] == [0, 2]
        finally:
            candidate.end()
