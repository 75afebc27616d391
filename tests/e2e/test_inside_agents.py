"""Real agents that call what only a person may do: refused whatever they try, on record once each, session unharmed."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import pytest
from tests.e2e.replayed import of_kind
from tests.e2e.runs import PROMPTSTER, candidate_root
from tests.e2e.scenarios import PROMPT, SUB_PROMPT
from tests.e2e.world import Candidate
from tests.helpers.provider.script import Conversation, Script, ToolUse, Turn
from tests.helpers.provider.server import running
from tests.helpers.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Stage

pytestmark = pytest.mark.e2e

_BARE = 'env -i PATH="$PATH" HOME="$HOME"'
_SOCKET = (
    "from promptster.paths import Paths; from promptster.session.control import ControlClient; "
    "from promptster.session.state import SessionFolder; "
    "ControlClient(SessionFolder.active(Paths.from_environment())).stop(withdrawn=True)"
)
_SAID = "does not work inside an agent"


def _attempts(folder: Path) -> dict[str, str]:
    """By the command that is tried, a line for the agent's shell; each shows what came of it."""
    ours, nohup, setsid = shlex.quote(PROMPTSTER), folder / "nohup.txt", folder / "setsid.txt"
    return {
        "withdraw": f"{ours} withdraw --yes",
        "stop": f"{_BARE} {ours} stop --yes",
        "pause": f"sh -c '{ours} pause; echo code $?'",
        "submit": f"setsid -f {_BARE} sh -c 'sleep 1; {ours} submit --yes' >{setsid} 2>&1; {_shown(setsid)}",
        "restore": f"({_BARE} nohup sh -c 'sleep 1; {ours} restore' >{nohup} 2>&1 &); {_shown(nohup)}",
        "socket": f"{_BARE} {shlex.join((sys.executable, '-c', _SOCKET))}",
        "status": f"{ours} status",
    }


def _shown(path: Path) -> str:
    """Wait until a detached command has said something, and show it."""
    return f"for i in $(seq 200); do grep -q terminal {path} && break; sleep 0.1; done; cat {path}"


def _claude(folder: Path) -> Script:
    """Each in a call of its own, one in a subagent and one as a background task."""
    background = folder / "background.txt"
    tools = [ToolUse(name="Bash", input={"command": f"{line} 2>&1"}) for line in _attempts(folder).values()]
    ask = {"description": "resume", "prompt": SUB_PROMPT, "subagent_type": "general-purpose"}
    login = f"{_BARE} {PROMPTSTER} login >{background} 2>&1"
    tools += [
        ToolUse(name="Agent", input={**ask, "run_in_background": False}),
        ToolUse(name="Bash", input={"command": login, "run_in_background": True}),
        ToolUse(name="Bash", input={"command": _shown(background)}),
    ]
    resume = ToolUse(name="Bash", input={"command": f"{PROMPTSTER} resume 2>&1"})
    return Script(
        conversations=(
            Conversation(prompt=PROMPT, turns=(*(Turn(tools=(tool,)) for tool in tools), Turn(text="Done."))),
            Conversation(prompt=SUB_PROMPT, turns=(Turn(tools=(resume,)), Turn(text="It does not work."))),
        )
    )


def _codex(folder: Path) -> Script:
    tools = [ToolUse(name="exec_command", input={"cmd": f"{line} 2>&1"}) for line in _attempts(folder).values()]
    return Script(
        conversations=(
            Conversation(prompt=PROMPT, turns=(*(Turn(tools=(tool,)) for tool in tools), Turn(text="Done."))),
        )
    )


_WORDS = {
    "claude": ("claude", "-p", PROMPT, "--dangerously-skip-permissions"),
    "codex": ("codex", "exec", "-m", "gpt-5.5", "--dangerously-bypass-approvals-and-sandbox", PROMPT),
}
_HINT = {"claude": "promptster run claude --resume ", "codex": "promptster run codex resume "}
_MORE = {"claude": {"resume", "login"}, "codex": set[str]()}


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_an_agent_ends_and_changes_nothing(agent: str, stage: Stage, tmp_path: Path) -> None:
    """With and without its environment, from the background, detached, in a subagent, and straight at the socket.

    Afterwards the session is open, every attempt stands in the record exactly once, and the same commands work in the
    person's terminal beside it.
    """
    candidate = Candidate(root=candidate_root(), agents=stage.agents)
    script = _claude(tmp_path) if agent == "claude" else _codex(tmp_path)
    tried = {"withdraw", "stop", "pause", "submit", "restore"} | _MORE[agent]
    try:
        with running(script) as provider:
            candidate.start(stage.recruiter.invite(), anthropic=provider.anthropic_url, openai=provider.openai_url)
            ended = candidate.run(PROMPTSTER, "run", *_WORDS[agent])
            assert ended.code == 0, ended.stderr
            assert candidate.person.result("status")["state"] == "recording"
            candidate.person.result("pause")
            assert candidate.person.result("status")["state"] == "paused"
            candidate.person.result("resume")
            candidate.submit()
        lines = stage.recruiter.lines(candidate.session)
    finally:
        candidate.end()
    told = [line for line in of_kind(lines, "agent_other") if line["raw_kind"] == "promptster_refused"]
    payloads = [line["payload"] for line in told]
    assert sorted(map(str, payloads)) == sorted([*(str({"command": name}) for name in tried), str({"request": "stop"})])
    assert {(line["agent"], *line["sources"]) for line in told} == {(agent, "launcher")}
    outputs = [str(line.get("output")) for line in of_kind(lines, "command")]
    assert sum(_SAID in output for output in outputs) == len(tried) + 1
    assert any("code 6" in output for output in outputs)
    assert sum("This attempt is recorded." in output for output in outputs) == len(tried)
    assert any("A task" in output and _SAID not in output for output in outputs)


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_the_conversation_goes_on_as_it_is_told(agent: str, stage: Stage) -> None:
    """At a terminal, what was recorded is counted, and the command that is shown continues that very conversation."""
    candidate = Candidate(root=candidate_root(), agents=stage.agents)
    shell = ToolUse(name="Bash", input={"command": "echo 1"})
    shell = shell if agent == "claude" else ToolUse(name="exec_command", input={"cmd": "echo 1"})
    script = Script(
        conversations=(
            Conversation(prompt=PROMPT, turns=(Turn(tools=(shell,)), Turn(text="Done."))),
            Conversation(prompt="And the rest", turns=(Turn(text="Done as well."),)),
        )
    )
    environ = candidate.person.environment()
    try:
        with running(script) as provider:
            candidate.start(stage.recruiter.invite(), anthropic=provider.anthropic_url, openai=provider.openai_url)
            words = (PROMPTSTER, "run", *_WORDS[agent])
            with Terminal(words, environ=environ, cwd=candidate.workspace) as terminal:
                assert terminal.end() == 0, terminal.shown
            assert f"{agent} ended. Recorded: 1 prompt, 1 tool call, edits to 0 files." in terminal.shown
            told = terminal.shown.partition(_HINT[agent])[2].split()[0]
            more = {
                "claude": ("claude", "--resume", told, *_WORDS[agent][3:], "-p", "And the rest"),
                "codex": (*_WORDS[agent][:-1], "resume", told, "And the rest"),
            }
            with Terminal((PROMPTSTER, "run", *more[agent]), environ=environ, cwd=candidate.workspace) as terminal:
                assert terminal.end() == 0, terminal.shown
            assert f"{agent} ended. Recorded: 1 prompt, 0 tool calls, edits to 0 files." in terminal.shown
            assert terminal.shown.partition(_HINT[agent])[2].split()[0] == told
            candidate.submit()
        lines = stage.recruiter.lines(candidate.session)
    finally:
        candidate.end()
    prompts = of_kind(lines, "prompt")
    assert [line["text"] for line in prompts] == [PROMPT, "And the rest"]
    assert {line["agent_session"] for line in prompts} == {told}
