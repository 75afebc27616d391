"""What the scripted provider says in each scenario, and what a replay must therefore show."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tests.helpers.provider.script import Conversation, Fault, Script, ToolUse, Turn

if TYPE_CHECKING:
    from pathlib import Path

PROMPT = "Please do the scripted work of this scenario now"
SUB_PROMPT = "Count the files of this folder for me"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One script for one agent."""

    name: str
    agent: str
    """``claude`` or ``codex``."""
    script: Script
    model: str | None = None
    shown_before_cut: bytes = b""
    """Text in the agent's output once it has processed all that came before a held cut."""

    @property
    def ordered(self) -> bool:
        """Whether the agent does one thing after the other."""
        return self.name not in {"parallel", "scripted-calls"}

    def words(self) -> tuple[str, ...]:
        """The arguments after ``promptster run``, or of the agent alone in the control run."""
        if self.agent == "claude":
            form = ("--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions")
            pieces = ("--include-partial-messages",) if self.shown_before_cut else ()
            return ("claude", "-p", PROMPT, *form, *pieces)
        model = ("-m", self.model) if self.model else ()
        quiet = ("--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
        return ("codex", "exec", *quiet, *model, PROMPT)


def claude_scenarios(workspace: Path) -> list[Scenario]:
    """Every scenario for Claude Code."""
    path = str(workspace)
    plain = Turn(thinking="The candidate wants an answer.", text="All of it is done.")
    edits = (
        Turn(text="I write a file.", tools=(_write(f"{path}/new.txt", "one\ntwo — ünï\n"),)),
        Turn(text="I read it.", tools=(ToolUse(name="Read", input={"file_path": f"{path}/app.py"}),)),
        Turn(
            text="I change it.",
            tools=(
                ToolUse(
                    name="Edit",
                    input={"file_path": f"{path}/app.py", "old_string": "'hello'", "new_string": "'good day'"},
                ),
            ),
        ),
        Turn(text="I try it.", tools=(_bash("python3 -c 'import app; print(app.greet())'"),)),
        plain,
    )
    parallel = (
        Turn(
            text="Several at once.",
            tools=(*(_bash(_staggered(n)) for n in range(4)), _bash("sleep 2; echo oops >&2; exit 3")),
        ),
        plain,
    )
    subagent = (
        Turn(
            text="I ask somebody else.",
            tools=(
                ToolUse(
                    name="Agent",
                    input={
                        "description": "count files",
                        "prompt": SUB_PROMPT,
                        "subagent_type": "general-purpose",
                        "run_in_background": False,
                    },
                ),
            ),
        ),
        plain,
    )
    inner = Conversation(prompt=SUB_PROMPT, turns=(Turn(tools=(_bash("ls | wc -l"),)), Turn(text="There are three.")))
    made = {"plain": (plain,), "edits": edits, "parallel": parallel, "subagent": subagent}
    scenarios = [
        _scenario("claude", name, turns, *((inner,) if name == "subagent" else ())) for name, turns in made.items()
    ]
    return scenarios + _faults("claude", edits)


def codex_scenarios() -> list[Scenario]:
    """Every scenario for Codex: its default model runs scripts of calls, an older one makes single calls."""
    plain = Turn(thinking="The candidate wants an answer.", text="All of it is done.")
    add = "*** Begin Patch\n*** Add File: new.txt\n+one\n+two — ünï\n*** End Patch\n"
    change = (
        "*** Begin Patch\n*** Update File: app.py\n@@\n-    return 'hello'\n+    return 'good day'\n*** End Patch\n"
    )
    run = "python3 -c 'import app; print(app.greet())'"
    classic = (
        Turn(text="I write a file.", tools=(ToolUse(name="apply_patch", input={"input": add}),)),
        Turn(text="I change it.", tools=(ToolUse(name="apply_patch", input={"input": change}),)),
        Turn(text="I try it.", tools=(_exec(run),)),
        plain,
    )
    parallel = (
        Turn(
            text="Several at once.",
            tools=(*(_exec(_staggered(n)) for n in range(4)), _exec("sleep 2; echo oops >&2; exit 3")),
        ),
        plain,
    )
    script = (
        Turn(text="I write and try.", tools=(_code(f"text(await tools.apply_patch({json.dumps(change)}));"),)),
        Turn(
            text="Several at once.",
            tools=(
                _code(
                    "text(await Promise.all([0,1,2].map(n => tools.exec_command({cmd: `echo number ${n}`}))));"
                    " text(await tools.exec_command({cmd: 'exit 3'}));"
                ),
            ),
        ),
        plain,
    )
    spawn = ToolUse(name="spawn_agent", input={"message": SUB_PROMPT, "task_name": "counter", "fork_turns": "none"})
    wait = ToolUse(name="wait_agent", input={"timeout_ms": 10_000})
    subagent = (Turn(text="I ask somebody else.", tools=(spawn,)), Turn(text="I wait.", tools=(wait,)), plain)
    inner = Conversation(prompt=SUB_PROMPT, turns=(Turn(text="There are three."),))
    old = "gpt-5.5"
    return [
        _scenario("codex", "plain", (plain,)),
        _scenario("codex", "edits", classic, model=old),
        _scenario("codex", "parallel", parallel, model=old),
        _scenario("codex", "scripted-calls", script),
        _scenario("codex", "subagent", subagent, inner),
        *_faults("codex", classic, model=old),
    ]


def _faults(agent: str, turns: tuple[Turn, ...], model: str | None = None) -> list[Scenario]:
    """The same work with one fault in its second turn; the agent itself recovers from each.

    Claude Code reads a cut stream in two ways. While no block is complete it sends the call again, else it has the
    answer continued; and what it has received but not yet processed when the connection ends is lost to it. So its cuts
    are held until it shows that it is past the last event, and there is one for each way.
    """
    first, second, *rest = turns
    claude = agent == "claude"
    faulty = {
        "429": replace(second, faults=(Fault(kind="status", status=429, retry_after=1),)),
        "529": replace(second, faults=(Fault(kind="status", status=529),)),
        "cut": replace(second, chunk=4, faults=(Fault(kind="cut", after=5, held=claude),)),
        "error-event": replace(second, faults=(Fault(kind="error_event", after=5),)),
        "slow": replace(second, pace_ms=60, chunk=6),
    }
    shown: dict[str, str] = {}
    if claude:
        faulty["cut-late"] = replace(second, faults=(Fault(kind="cut", after=5, held=True),))
        shown = {
            "cut": f'"delta":{{"type":"text_delta","text":"{second.text[4:8]}"}}',
            "cut-late": f'"content":[{{"type":"text","text":"{second.text}"}}]',
        }
    made = {name: _scenario(agent, name, (first, turn, *rest), model=model) for name, turn in faulty.items()}
    return [replace(scenario, shown_before_cut=shown.get(name, "").encode()) for name, scenario in made.items()]


def _scenario(
    agent: str, name: str, turns: tuple[Turn, ...], *others: Conversation, model: str | None = None
) -> Scenario:
    main = Conversation(prompt=PROMPT, turns=turns)
    encoding: Literal["", "br"] = "br" if agent == "claude" and name in {"plain", "edits"} else ""
    script = Script(conversations=(main, *others), encoding=encoding)
    return Scenario(name=name, agent=agent, script=script, model=model)


def _write(path: str, content: str) -> ToolUse:
    return ToolUse(name="Write", input={"file_path": path, "content": content})


def _bash(command: str) -> ToolUse:
    return ToolUse(name="Bash", input={"command": command})


def _exec(command: str) -> ToolUse:
    return ToolUse(name="exec_command", input={"cmd": command})


def _code(text: str) -> ToolUse:
    return ToolUse(name="exec", input={"input": text})


def _staggered(number: int) -> str:
    """Commands that run in parallel and end one after the other, so that their results have an order."""
    return f"sleep {number * 0.4:.1f}; echo number {number}"
