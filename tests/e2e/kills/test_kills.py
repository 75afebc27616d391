"""At least a hundred ``kill -9`` of recorder and collector while real agents work, with a tenth of all answers lost."""

from __future__ import annotations

import functools
import random
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.replayed import of_kind
from tests.e2e.runs import PROMPTSTER, candidate_root
from tests.e2e.scenarios import Scenario
from tests.e2e.world import Candidate, Collector, Recruiter, collector_running, fixed_root
from tests.helpers.provider.script import Conversation, Script, ToolUse, Turn
from tests.helpers.provider.server import running
from tests.helpers.relay import Relay
from tests.helpers.waiting import wait_until

from promptster.protocol.bundle import read_bundle
from promptster.protocol.signing import Envelope

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.e2e.agents import Agents

pytestmark = pytest.mark.kills

KILLS = 100
_LOST = 0.1
_SEED = 20_261_123
_TURNS = 8
_ROUNDS = 12
_DONE = "This round is over."


@dataclass
class KillCount:
    """What was killed, and what the collector had acknowledged before."""

    recorder: int = 0
    collector: int = 0
    receipts: dict[int, bytes] = field(default_factory=dict[int, bytes])
    """The first receipt that was ever seen for each batch."""
    changed: list[int] = field(default_factory=list[int])
    """Batches for which another receipt was seen later."""

    @property
    def total(self) -> int:
        """All kills."""
        return self.recorder + self.collector

    @property
    def enough(self) -> bool:
        """Whether both ends were killed often enough; a busy machine starts the collector less often."""
        return self.total >= KILLS and min(self.recorder, self.collector) >= KILLS // 4

    def look(self, state_dir: Path) -> None:
        """Remember every receipt that the recorder holds now."""
        for path in (state_dir / "batches").glob("*.receipt"):
            data = path.read_bytes()
            if self.receipts.setdefault(int(path.stem), data) != data:
                self.changed.append(int(path.stem))


def _conversation(agent: str, number: int) -> Conversation:
    tool = "Bash" if agent == "claude" else "exec_command"
    name = "command" if agent == "claude" else "cmd"
    turns = [
        Turn(
            text=f"{agent} round {number} step {step}",
            tools=(ToolUse(name=tool, input={name: f"sleep 0.6; echo {agent}-{number}-{step}"}),),
            pace_ms=15,
            chunk=12,
        )
        for step in range(_TURNS)
    ]
    return Conversation(prompt=f"Please do round {number} for {agent}.", turns=(*turns, Turn(text=_DONE)))


def _script() -> Script:
    return Script(conversations=tuple(_conversation(a, n) for n in range(_ROUNDS) for a in ("claude", "codex")))


def test_nothing_acknowledged_is_lost_doubled_or_reordered(agents: Agents) -> None:
    """After all kills every receipt still holds, each action is shown once and in order, and every agent ended well."""
    root = fixed_root("kills")
    script = _script()
    with ExitStack() as stack:
        collector = stack.enter_context(collector_running(root))
        recruiter = Recruiter.signed_in(root, collector)
        relay = stack.enter_context(Relay(collector.url))
        relay.lose_answers(_LOST, seed=_SEED)
        provider = stack.enter_context(running(script))
        candidate = Candidate(root=candidate_root(), agents=agents)
        stack.callback(candidate.end)
        where = ("--collector", relay.url)
        candidate.start(recruiter.code(), anthropic=provider.anthropic_url, openai=provider.openai_url, more=where)
        toll, codes, rounds = _play(candidate, collector)
        submitted = candidate.submit()
        toll.look(candidate.state_dir)
        lines = recruiter.lines(candidate.session)
        verdict = recruiter.verify(candidate.session, root)
        bundle = read_bundle((root / f"{candidate.session}.promptster").read_bytes())
    assert toll.enough, toll
    assert relay.lost > 0
    assert codes == [0] * len(codes)
    assert verdict["verdict"] == "verified"
    assert submitted["received"] == submitted["events"] == verdict["events"]
    _check_receipts(toll, bundle.receipts)
    _check_story(script, rounds, lines)


def _play(candidate: Candidate, collector: Collector) -> tuple[KillCount, list[int], int]:
    """Let both agents work, round by round, until enough was killed; a round is over once its agents ended."""
    toll, codes, stop = KillCount(), list[int](), threading.Event()
    reaper = threading.Thread(target=_kill_collector, args=(collector, toll, stop), name="collector-reaper")
    reaper.start()
    dice = random.Random(_SEED)  # noqa: S311 - a fault's dice, repeatable by its seed
    number = 0
    try:
        while not toll.enough and number < _ROUNDS:
            processes = [_start(candidate, agent, number) for agent in ("claude", "codex")]
            _kill_recorder(candidate, processes, toll, dice)
            for process in processes:
                out, err = process.communicate()
                codes.append(process.returncode)
                assert _DONE.encode() in out, err
            number += 1
    finally:
        stop.set()
        reaper.join()
    return toll, codes, number


def _start(candidate: Candidate, agent: str, number: int) -> subprocess.Popen[bytes]:
    words = Scenario(name="kills", agent=agent, script=Script(conversations=()), model="gpt-5.5").words()
    prompt = f"Please do round {number} for {agent}."
    replaced = [prompt if word.startswith("Please") else word for word in words]
    return candidate.popen(PROMPTSTER, "run", *replaced)


def _kill_recorder(
    candidate: Candidate, processes: list[subprocess.Popen[bytes]], toll: KillCount, dice: random.Random
) -> None:
    while any(process.poll() is None for process in processes):
        old = candidate.kill_recorder()
        toll.recorder += 1
        wait_until(functools.partial(candidate.recorder_replaced, old), "another recorder")
        time.sleep(0.8 + dice.random() * 0.6)  # this test chooses the time between two kills
        toll.look(candidate.state_dir)


def _kill_collector(collector: Collector, toll: KillCount, stop: threading.Event) -> None:
    dice = random.Random(_SEED + 1)  # noqa: S311 - a fault's dice, repeatable by its seed
    while not stop.wait(0.1 + dice.random() * 0.3):
        collector.kill()
        toll.collector += 1
        collector.start()


def _check_receipts(toll: KillCount, final: tuple[Envelope, ...]) -> None:
    assert toll.changed == []
    kept = {envelope.encode() for envelope in final}
    assert toll.receipts
    for number, data in toll.receipts.items():
        assert data.strip() in kept or Envelope.decode(data).encode() in kept, f"the receipt of batch {number} is gone"


def _check_story(script: Script, rounds: int, lines: list[dict[str, Any]]) -> None:
    assert [line["seq"] for line in lines] == sorted({line["seq"] for line in lines})
    assert of_kind(lines, "capture_recovered", "capture_gap")
    for conversation in script.conversations[: rounds * 2]:
        prefix = "toolu_" if "claude" in conversation.prompt else "call_"
        order = [conversation.tool_id(turn, 0, prefix) for turn in range(_TURNS)]
        for kind in ("tool_call", "tool_result", "command"):
            told = [line["tool_use_id"] for line in of_kind(lines, kind) if line["tool_use_id"] in order]
            twice = [identity for identity, count in Counter(told).items() if count > 1]
            again = [line for line in lines if line.get("tool_use_id") in twice]
            assert not twice, f"{kind} told twice: {again}"
            assert told == [identity for identity in order if identity in told], f"{kind} out of order"
        prompts = [line for line in of_kind(lines, "prompt") if line["text"] == conversation.prompt]
        assert len(prompts) <= 1
