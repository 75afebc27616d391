"""Cursor, whose calls nobody sees: its hook events, in their documented shape, through the real file and forwarder."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.replayed import of_kind
from tests.e2e.runs import candidate_root
from tests.e2e.world import Candidate
from tests.helpers.provider.script import Script
from tests.helpers.provider.server import running

from promptster.session.ide import check_cursor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Stage

pytestmark = pytest.mark.e2e

_EMAIL = "somebody.in.person@example.com"
_THEIRS = b'{\n  "version": 1,\n\t"hooks": {"stop": [{"command": "true", "loop_limit": 2}]}\n}'
_COMMAND = "npm test -- --runInBand"
_EDIT = [{"old_string": "return 'hello'", "new_string": "return 'good day'"}]


def _events(workspace: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """One conversation: a prompt, a command, an edit, an answer, a subagent."""
    yield "sessionStart", {"session_id": "s-1", "is_background_agent": False, "composer_mode": "agent"}
    yield "beforeSubmitPrompt", {"prompt": "Please greet politely", "attachments": []}
    yield "afterAgentThought", {"text": "A greeting is wanted.", "duration_ms": 900}
    shell = {"tool_name": "Shell", "tool_input": {"command": _COMMAND, "working_directory": workspace}}
    yield "preToolUse", {**shell, "tool_use_id": "tool-shell-1", "cwd": workspace}
    yield "beforeShellExecution", {"command": _COMMAND, "cwd": workspace, "sandbox": False}
    yield "afterShellExecution", {"command": _COMMAND, "output": "3 passing\n", "duration": 1234, "sandbox": False}
    done = json.dumps({"exitCode": 0, "stdout": "3 passing\n"})
    yield (
        "postToolUse",
        {**shell, "tool_output": done, "tool_use_id": "tool-shell-1", "cwd": workspace, "duration": 1234},
    )
    write = {"tool_name": "Write", "tool_input": {"file_path": f"{workspace}/app.py"}}
    yield "preToolUse", {**write, "tool_use_id": "tool-write-1", "cwd": workspace}
    yield "afterFileEdit", {"file_path": f"{workspace}/app.py", "edits": _EDIT}
    yield "postToolUse", {**write, "tool_output": "{}", "tool_use_id": "tool-write-1", "cwd": workspace, "duration": 8}
    task = {"subagent_id": "sub-1", "subagent_type": "explore", "task": "Look around", "parent_conversation_id": "c-1"}
    yield "subagentStart", task
    yield "subagentStop", {**task, "status": "completed", "summary": "Nothing else greets.", "duration_ms": 50}
    yield "afterAgentResponse", {"text": "It greets politely now."}
    yield "stop", {"status": "completed", "loop_count": 0}
    yield "sessionEnd", {"session_id": "s-1", "reason": "completed", "duration_ms": 5000, "final_status": "completed"}


def test_cursors_hooks_are_recorded_through_its_file(stage: Stage) -> None:
    """Each action is told once, seen by hooks only; the user's address is dropped; the file is put back."""
    candidate = Candidate(root=candidate_root(), agents=stage.agents)
    file = candidate.workspace / ".cursor" / "hooks.json"
    file.parent.mkdir()
    file.write_bytes(_THEIRS)
    try:
        with running(Script(conversations=())) as provider:
            urls = {"anthropic": provider.anthropic_url, "openai": provider.openai_url}
            candidate.start(stage.recruiter.invite(), **urls, more=("--ide", "cursor"))
            hooks = json.loads(file.read_bytes())
            assert check_cursor(hooks) is None
            assert hooks["hooks"]["stop"][0] == {"command": "true", "loop_limit": 2}
            for event, payload in _events(str(candidate.workspace)):
                _fire(candidate, hooks["hooks"][event][-1]["command"], event, payload)
            (candidate.workspace / "app.py").write_text("def greet():\n    return 'good day'\n")
            submitted = candidate.submit()
        lines = stage.recruiter.lines(candidate.session)
        verdict = stage.recruiter.verify(candidate.session, candidate.root)
    finally:
        candidate.end()
    assert file.read_bytes() == _THEIRS
    assert submitted["events"] == submitted["received"]
    assert verdict["verdict"] == "verified"
    assert _EMAIL not in json.dumps(lines)
    _check(lines)


def _fire(candidate: Candidate, command: str, event: str, payload: dict[str, Any]) -> None:
    """Run a hook as Cursor does: by a shell, the event on standard input; an answer that is none must be empty."""
    common = {
        "conversation_id": "c-1",
        "generation_id": "g-1",
        "model": "composer-2",
        "hook_event_name": event,
        "cursor_version": "2.4.0",
        "workspace_roots": [str(candidate.workspace)],
        "user_email": _EMAIL,
        "transcript_path": None,
    }
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        input=json.dumps({**common, **payload}).encode(),
        capture_output=True,
        cwd=candidate.workspace,
        env=candidate.person.environment(),
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def _check(lines: list[dict[str, Any]]) -> None:
    (prompt,) = of_kind(lines, "prompt")
    assert prompt["text"] == "Please greet politely"
    (command,) = of_kind(lines, "command")
    assert command["command"] == _COMMAND
    assert command["output"] == "3 passing\n"
    (edit,) = of_kind(lines, "file_edit")
    assert edit["path"].endswith("app.py")
    assert "good day" in edit["after"]
    calls = of_kind(lines, "tool_call")
    assert [line["tool_use_id"] for line in calls] == ["tool-shell-1", "tool-write-1"]
    (answer,) = [line for line in of_kind(lines, "model_response") if line.get("text")]
    assert answer["text"] == "It greets politely now."
    (started,), (stopped,) = of_kind(lines, "subagent_started"), of_kind(lines, "subagent_stopped")
    assert started["prompt"] == "Look around"
    assert stopped["text"] == "Nothing else greets."
    for line in (prompt, command, edit, *calls, answer, started, stopped):
        assert line["sources"] == ["hook"]
        assert line["agent"] == "cursor"
