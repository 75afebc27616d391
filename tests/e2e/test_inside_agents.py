"""Real agents that call commands for people are refused whatever they try, each attempt recorded once."""

from __future__ import annotations

import json
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
from tests.helpers.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Participants
    from tests.e2e.replayed import Line

pytestmark = pytest.mark.e2e

_BARE = 'env -i PATH="$PATH" HOME="$HOME"'
_SOCKET = (
    "from promptster.paths import Paths; from promptster.session_folder.control_client import ControlClient; "
    "from promptster.session_folder.folder import SessionFolder; "
    "ControlClient(SessionFolder.active(Paths.from_environment())).stop(withdrawn=True)"
)
_SAID = "does not work inside an agent"


def _attempts(folder: Path) -> dict[str, str]:
    """By the command that is tried, a line for the agent's shell; each shows its result."""
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


def _shown(path: Path, last: str = "terminal") -> str:
    """Wait until a detached command has printed this word, and show its output."""
    return f"for i in $(seq 200); do grep -q {last} {path} && break; sleep 0.1; done; cat {path}"


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


def _at_a_sign(sign: Path, line: str) -> str:
    """Do something once a file exists, and show how it ended; the quotes are the caller's."""
    return f"until [ -e {sign} ]; do sleep 0.1; done; {line}; echo code $?"


def _detached(sign: Path, line: str, told: Path) -> str:
    """The same by a process without any environment that outlives the command that started it.

    It needs a session of its own: Codex ends the process group of a command together with it, also jobs that were
    started with ``&`` or ``nohup``.
    """
    return f"setsid -f {_BARE} sh -c {shlex.quote(_at_a_sign(sign, line))} >{told} 2>&1"


def _codex_beside(folder: Path) -> Script:
    """What Codex starts in the background, begun in one call and released in a later one.

    Two background sessions, one of them with a terminal to type into; a detached job; and a subagent, which tries at
    once and leaves a detached job.
    """
    sign, job, left = folder / "go", folder / "job.txt", folder / "left.txt"
    held = _at_a_sign(sign, f"{PROMPTSTER} login 2>&1")
    begin = (
        f"store('held', (await tools.exec_command({{cmd: {json.dumps(held)}, yield_time_ms: 250}})).session_id);",
        "store('typed', (await tools.exec_command({cmd: 'sh', tty: true, yield_time_ms: 250})).session_id);",
        _called(_detached(sign, f"{PROMPTSTER} withdraw --yes", job)),
    )
    within = (
        _called(f"{_BARE} {PROMPTSTER} resume 2>&1; echo code $?"),
        _called(_detached(sign, f"{PROMPTSTER} pause", left)),
    )
    typed = json.dumps(f"{PROMPTSTER} stop; echo code $?; exit\n")
    go_on = (
        _called(f"touch {sign}"),
        "text(await tools.write_stdin({session_id: load('held'), chars: '', yield_time_ms: 30000}));",
        f"text(await tools.write_stdin({{session_id: load('typed'), chars: {typed}, yield_time_ms: 30000}}));",
        *(_called(_shown(path, "code")) for path in (job, left)),
    )
    spawn = ToolUse(name="spawn_agent", input={"message": SUB_PROMPT, "task_name": "resume", "fork_turns": "none"})
    wait = ToolUse(name="wait_agent", input={"timeout_ms": 60_000})
    main = (_calls(*begin), spawn, wait, _calls(*go_on))
    return Script(
        conversations=(
            Conversation(prompt=PROMPT, turns=(*(Turn(tools=(tool,)) for tool in main), Turn(text="Done."))),
            Conversation(prompt=SUB_PROMPT, turns=(Turn(tools=(_calls(*within),)), Turn(text="It does not work."))),
        )
    )


def _called(command: str) -> str:
    """A line of Codex's scripts that runs a command to its end."""
    return f"text(await tools.exec_command({{cmd: {json.dumps(command)}, yield_time_ms: 30000}}));"


def _calls(*lines: str) -> ToolUse:
    """A script of calls, as Codex's default model writes them."""
    return ToolUse(name="exec", input={"input": "\n".join(('// @exec: {"yield_time_ms": 120000}', *lines))})


def _refused(lines: list[Line]) -> list[Line]:
    """The recorded refused attempts."""
    return [line for line in of_kind(lines, "agent_other") if line["raw_kind"] == "promptster_refused"]


_WORDS = {
    "claude": ("claude", "-p", PROMPT, "--dangerously-skip-permissions"),
    "codex": ("codex", "exec", "-m", "gpt-5.5", "--dangerously-bypass-approvals-and-sandbox", PROMPT),
}
_HINT = {"claude": "promptster run claude --resume ", "codex": "promptster run codex resume "}
_MORE = {"claude": {"resume", "login"}, "codex": set[str]()}


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_an_agent_ends_and_changes_nothing(agent: str, participants: Participants, tmp_path: Path) -> None:
    """An agent tries with and without its environment, from the background, detached, in a subagent, and on the socket.

    Afterwards the session is open, every attempt is recorded exactly once, and the same commands work in the person's
    own terminal.
    """
    candidate = Candidate(root=candidate_root(), agents=participants.agents)
    script = _claude(tmp_path) if agent == "claude" else _codex(tmp_path)
    tried = {"withdraw", "stop", "pause", "submit", "restore"} | _MORE[agent]
    try:
        with running(script) as provider:
            candidate.start(
                participants.recruiter.invite(), anthropic=provider.anthropic_url, openai=provider.openai_url
            )
            ended = candidate.run(PROMPTSTER, "run", *_WORDS[agent])
            assert ended.code == 0, ended.stderr
            assert candidate.person.result("status")["state"] == "recording"
            candidate.person.result("pause")
            assert candidate.person.result("status")["state"] == "paused"
            candidate.person.result("resume")
            candidate.submit()
        lines = participants.recruiter.lines(candidate.session)
    finally:
        candidate.end()
    told = _refused(lines)
    payloads = [line["payload"] for line in told]
    assert sorted(map(str, payloads)) == sorted([*(str({"command": name}) for name in tried), str({"request": "stop"})])
    assert {(line["agent"], *line["sources"]) for line in told} == {(agent, "launcher")}
    outputs = [str(line.get("output")) for line in of_kind(lines, "command")]
    assert sum(_SAID in output for output in outputs) == len(tried) + 1
    assert any("code 6" in output for output in outputs)
    assert sum("This attempt is recorded." in output for output in outputs) == len(tried)
    assert any("A task" in output and _SAID not in output for output in outputs)


def test_what_codex_starts_beside_itself_changes_nothing(participants: Participants, tmp_path: Path) -> None:
    """Its subagent, that one's processes, its background sessions and its detached jobs are refused and recorded once.

    One of the sessions has a terminal, at which a person would be asked and could say yes.
    """
    candidate = Candidate(root=candidate_root(), agents=participants.agents)
    words = ("codex", "exec", "--dangerously-bypass-approvals-and-sandbox", PROMPT)
    tried = {"login", "stop", "withdraw", "resume", "pause"}
    try:
        with running(_codex_beside(tmp_path)) as provider:
            candidate.start(
                participants.recruiter.invite(), anthropic=provider.anthropic_url, openai=provider.openai_url
            )
            ended = candidate.run(PROMPTSTER, "run", *words)
            assert ended.code == 0, ended.stderr
            assert candidate.person.result("status")["state"] == "recording"
            candidate.submit()
        lines = participants.recruiter.lines(candidate.session)
    finally:
        (tmp_path / "go").touch()  # no process that waits for it is left
        candidate.end()
    told = _refused(lines)
    assert sorted(line["payload"]["command"] for line in told) == sorted(tried)
    assert all(line["payload"].keys() == {"command"} for line in told)
    assert {(line["agent"], *line["sources"]) for line in told} == {("codex", "launcher")}
    commands = [line for line in of_kind(lines, "command") if _SAID in str(line["output"])]
    outputs = [str(line["output"]) for line in commands]
    for name in tried:
        assert sum(f"promptster {name} {_SAID}" in output for output in outputs) == 1, name
    for shown in (_SAID, "This attempt is recorded.", "code 6"):
        assert [output.count(shown) for output in outputs] == [1] * len(tried), shown
    (subagent,) = of_kind(lines, "subagent_started")
    (within,) = [str(line["output"]) for line in commands if line["lane"] == subagent["lane"]]
    assert f"promptster resume {_SAID}" in within


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_what_an_agent_leaves_running_changes_nothing(agent: str, participants: Participants, tmp_path: Path) -> None:
    """A job that outlives the real agent, without its environment, is still refused, and recorded once."""
    candidate = Candidate(root=candidate_root(), agents=participants.agents)
    sign, left = tmp_path / "go", tmp_path / "left.txt"
    line = _detached(sign, f"{PROMPTSTER} withdraw --yes", left)
    tool = ToolUse(name="Bash", input={"command": line})
    tool = tool if agent == "claude" else ToolUse(name="exec_command", input={"cmd": line})
    conversation = Conversation(prompt=PROMPT, turns=(Turn(tools=(tool,)), Turn(text="Done.")))
    try:
        with running(Script(conversations=(conversation,))) as provider:
            candidate.start(
                participants.recruiter.invite(), anthropic=provider.anthropic_url, openai=provider.openai_url
            )
            ended = candidate.run(PROMPTSTER, "run", *_WORDS[agent])
            assert ended.code == 0, ended.stderr
            assert left.read_text() == ""
            sign.touch()
            wait_until(lambda: "code" in left.read_text(), "what was left running")
            assert candidate.person.result("status")["state"] == "recording"
            candidate.submit()
        lines = participants.recruiter.lines(candidate.session)
    finally:
        sign.touch()  # no process that waits for it is left
        candidate.end()
    assert f"promptster withdraw {_SAID}" in left.read_text()
    assert left.read_text().endswith("Use your own terminal.\ncode 6\n")
    told = [(line["agent"], *line["sources"], line["payload"]) for line in _refused(lines)]
    assert told == [(agent, "launcher", {"command": "withdraw"})]


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_the_conversation_goes_on_as_it_is_told(agent: str, participants: Participants) -> None:
    """At a terminal, what was recorded is counted, and the command that is shown continues that very conversation."""
    candidate = Candidate(root=candidate_root(), agents=participants.agents)
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
            candidate.start(
                participants.recruiter.invite(), anthropic=provider.anthropic_url, openai=provider.openai_url
            )
            words = (PROMPTSTER, "run", *_WORDS[agent])
            with Terminal(words, environ=environ, cwd=candidate.workspace) as terminal:
                assert terminal.end() == 0, terminal.shown
            assert f"{agent} ended. Recorded: 1 prompt, 1 tool call, no edits." in terminal.shown
            told = terminal.shown.partition(_HINT[agent])[2].split()[0]
            more = {
                "claude": ("claude", "--resume", told, *_WORDS[agent][3:], "-p", "And the rest"),
                "codex": (*_WORDS[agent][:-1], "resume", told, "And the rest"),
            }
            with Terminal((PROMPTSTER, "run", *more[agent]), environ=environ, cwd=candidate.workspace) as terminal:
                assert terminal.end() == 0, terminal.shown
            assert f"{agent} ended. Recorded: 1 prompt, 0 tool calls, no edits." in terminal.shown
            assert terminal.shown.partition(_HINT[agent])[2].split()[0] == told
            candidate.submit()
        lines = participants.recruiter.lines(candidate.session)
    finally:
        candidate.end()
    prompts = of_kind(lines, "prompt")
    assert [line["text"] for line in prompts] == [PROMPT, "And the rest"]
    assert {line["agent_session"] for line in prompts} == {told}
