"""A candidate's own ``--settings`` for real Claude Code: they mean what they mean without us, in no file of ours."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.replayed import of_kind
from tests.e2e.runs import control_run, recorded_run, same_behaviour, same_requests
from tests.e2e.scenarios import PROMPT, Scenario
from tests.e2e.world import wait_until
from tests.helpers.provider.script import Conversation, Script, ToolUse, Turn

from promptster.session.state import SessionFolder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.e2e.conftest import Stage
    from tests.e2e.world import Candidate
    from tests.helpers.provider.server import Provider

pytestmark = pytest.mark.e2e

KEY = "sk-ant-own-Kq7vZx-0123456789abcdef"
GATEWAY = "gw-own-Kq7vZx-0123456789abcdef"


@dataclass(frozen=True, kw_only=True)
class _WithOwnSettings(Scenario):
    """Claude Code with a settings file of the candidate's own."""

    file: Path

    def words(self) -> tuple[str, ...]:
        return (*super().words(), "--settings", str(self.file))


def _scenario(folder: Path) -> _WithOwnSettings:
    """A command that says it runs and waits, a file that the settings forbid to read, and an answer.

    The settings stand against the environment (the key) and against the user's own settings file (``MINE``).
    """
    (folder / "secret.txt").write_text("nobody reads this")
    file = folder / "mine.json"
    env = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_CUSTOM_HEADERS": f"x-gateway: {GATEWAY}", "MINE": "own"}
    file.write_text(json.dumps({"env": env, "permissions": {"deny": ["Read(/secret.txt)"]}}))
    waiting = f"touch {folder}/runs; until [ -e {folder}/go ]; do sleep 0.1; done; echo MINE=$MINE"
    turns = (
        Turn(text="I look around.", tools=(ToolUse(name="Bash", input={"command": waiting}),)),
        Turn(text="I read it.", tools=(ToolUse(name="Read", input={"file_path": f"{folder}/secret.txt"}),)),
        Turn(text="That is all."),
    )
    script = Script(conversations=(Conversation(prompt=PROMPT, turns=turns),))
    return _WithOwnSettings(name="own-settings", agent="claude", script=script, file=file)


def test_own_settings_mean_the_same_and_are_written_nowhere(stage: Stage, tmp_path: Path) -> None:
    """Precedence, headers and rules are as without us; no file and no argument list holds the keys meanwhile."""
    scenario = _scenario(tmp_path)
    (tmp_path / "go").touch()
    control = control_run(scenario, stage.agents)
    for name in ("go", "runs"):
        (tmp_path / name).unlink()
    places: list[Path] = []
    found: list[str] = []

    def look(candidate: Candidate, _: Provider) -> None:
        wait_until((tmp_path / "runs").exists, "the agent's command")
        places.extend((candidate.root, SessionFolder(candidate.state_dir).run))
        found.extend(_holding(places))
        (tmp_path / "go").touch()

    recorded = recorded_run(scenario, stage.agents, stage.recruiter, tap=False, meanwhile=look)
    assert found == []
    assert _holding([*places, stage.collector.data]) == []
    for run in (control, recorded.run):
        assert {exchange.header("x-api-key") for exchange in run.exchanges} == {KEY}
        assert {exchange.header("x-gateway") for exchange in run.exchanges} == {GATEWAY}
    same_behaviour(control, recorded.run, ordered=True)
    same_requests(control, recorded.run)
    results = {line["name"]: line for line in of_kind(recorded.lines, "tool_result")}
    assert "MINE=own" in json.dumps(results["Bash"])
    assert results["Read"]["is_error"]
    assert "nobody reads this" not in json.dumps(recorded.lines)
    assert recorded.verdict["verdict"] == "verified"


def _holding(folders: Iterable[Path]) -> list[str]:
    """Every file below the folders, and every argument list of this machine, that holds one of the keys."""
    marks = [KEY.encode(), GATEWAY.encode()]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    found: list[str] = []
    for path in [*files, *Path("/proc").glob("[0-9]*/cmdline")]:
        with contextlib.suppress(OSError):  # gone since it was listed
            data: Any = path.read_bytes()
            found += [str(path) for mark in marks if mark in data]
    return found
