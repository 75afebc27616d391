"""A candidate's own ``--settings`` for real Claude Code mean the same when recorded, and are in no file of ours."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.e2e.replayed import of_kind
from tests.e2e.runs import candidate_root, control_run, recorded_run, same_behaviour, same_requests
from tests.e2e.scenarios import PROMPT, Scenario
from tests.helpers.provider.script import Conversation, Script, ToolUse, Turn

if TYPE_CHECKING:
    from tests.e2e.conftest import Participants

pytestmark = pytest.mark.e2e

KEY = "sk-ant-own-Kq7vZx-0123456789abcdef"
GATEWAY = "gw-own-Kq7vZx-0123456789abcdef"
_SEARCH = """\
import os, pathlib, tempfile, time
time.sleep(4)  # Claude Code reports a command that takes longer than two seconds, in both runs
marks = [b"own-Kq7" + b"vZx-0123456789abcdef"]
roots = [pathlib.Path({root!r}), *pathlib.Path(tempfile.gettempdir()).glob("promptster*")]
roots += pathlib.Path(os.environ.get("XDG_RUNTIME_DIR", "/nowhere")).glob("promptster*")
files = [pathlib.Path({file!r}), *(path for root in roots for path in root.rglob("*") if path.is_file())]
for path in [*files, *pathlib.Path("/proc").glob("[0-9]*/cmdline")]:
    try:
        if any(mark in path.read_bytes() for mark in marks):
            print("FOUND", path)
    except OSError:
        pass
print("MINE is", os.environ["MINE"])
"""


@dataclass(frozen=True, kw_only=True)
class _WithOwnSettings(Scenario):
    """Claude Code with a settings file of the candidate's own."""

    file: Path

    def words(self) -> tuple[str, ...]:
        return (*super().words(), "--settings", str(self.file))


def _scenario(folder: Path, root: Path) -> _WithOwnSettings:
    """A command that looks for the keys, a file that the settings forbid to read, and an answer.

    The settings contradict the environment (the key) and the user's own settings file (``MINE``).
    """
    (folder / "secret.txt").write_text("nobody reads this")
    file, search = folder / "mine.json", folder / "search.py"
    search.write_text(_SEARCH.format(root=str(root), file=str(file)))
    env = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_CUSTOM_HEADERS": f"x-gateway: {GATEWAY}", "MINE": "own"}
    file.write_text(json.dumps({"env": env, "permissions": {"deny": ["Read(/secret.txt)"]}}))
    look = shlex.join((sys.executable, "-I", "-S", str(search)))
    turns = (
        Turn(text="I look around.", tools=(ToolUse(name="Bash", input={"command": look}),)),
        Turn(text="I read it.", tools=(ToolUse(name="Read", input={"file_path": f"{folder}/secret.txt"}),)),
        Turn(text="That is all."),
    )
    script = Script(conversations=(Conversation(prompt=PROMPT, turns=turns),))
    return _WithOwnSettings(name="own-settings", agent="claude", script=script, file=file)


def test_own_settings_mean_the_same_and_are_written_nowhere(participants: Participants, tmp_path: Path) -> None:
    """Precedence, headers and rules are as without promptster; during the run only its own file has the keys.

    The agent's command searches every file of home, workspace and our folders, and every argument list.
    """
    root = candidate_root()
    scenario = _scenario(tmp_path, root)
    control = control_run(scenario, participants.agents)
    recorded = recorded_run(scenario, participants.agents, participants.recruiter, tap=False)
    for run in (control, recorded.run):
        assert {exchange.header("x-api-key") for exchange in run.exchanges} == {KEY}
        assert {exchange.header("x-gateway") for exchange in run.exchanges} == {GATEWAY}
    same_behaviour(control, recorded.run, ordered=True)
    same_requests(control, recorded.run)
    (command,) = of_kind(recorded.lines, "command")
    assert command["output"].split("\n")[:2] == [f"FOUND {scenario.file}", "MINE is own"]
    results = {line["name"]: line for line in of_kind(recorded.lines, "tool_result") if "name" in line}
    assert results["Read"]["is_error"]
    assert "nobody reads this" not in json.dumps(recorded.lines)
    assert recorded.verdict["verdict"] == "verified"
    written = [path for place in (root, participants.collector.data) for path in place.rglob("*") if path.is_file()]
    assert not any(mark.encode() in path.read_bytes() for mark in (KEY, GATEWAY) for path in written)
