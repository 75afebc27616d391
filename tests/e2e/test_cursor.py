"""Cursor, whose calls cannot be seen: its documented hook events pass through the real file and forwarder."""

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

from promptster.agents.cursor.editor import check_cursor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Participants

pytestmark = pytest.mark.e2e

_EMAIL = "somebody.in.person@example.com"
_THEIRS = b'{\n  "version": 1,\n\t"hooks": {"stop": [{"command": "true", "loop_limit": 2}]}\n}'
_COMMAND = "npm test -- --runInBand"
_AFTER = "def greet():\n    return 'good day'\n"
_EDIT = [{"old_string": "return 'hello'", "new_string": "return 'good day'"}]


def _tool(name: str, given: dict[str, Any], identifier: str, workspace: str) -> dict[str, Any]:
    return {"tool_name": name, "tool_input": given, "tool_use_id": identifier, "cwd": workspace}


def _events(workspace: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """One conversation: a prompt, a command that fails and is run again, an edit, a subagent, an answer.

    Fields as in https://cursor.com/docs/hooks and as the published runtime (``@cursor/sdk`` 1.0.32) sends them.
    """
    yield "sessionStart", {"is_background_agent": False, "composer_mode": "agent"}
    yield "beforeSubmitPrompt", {"prompt": "Please greet politely", "attachments": [], "composer_mode": "agent"}
    yield "afterAgentThought", {"text": "A greeting is wanted.", "duration_ms": 900}
    for identifier, output, code in (("call_1\nctc_1", "1 failing\n", 1), ("call_2\nctc_2", "3 passing\n", 0)):
        shell = _tool("Shell", {"command": _COMMAND, "cwd": workspace}, identifier, workspace)
        yield "preToolUse", shell
        yield "beforeShellExecution", {"command": _COMMAND, "cwd": workspace, "sandbox": False}
        yield "afterShellExecution", {"command": _COMMAND, "output": output, "duration": 1234.567, "sandbox": False}
        if code:
            failure = {"error_message": f"Command failed with exit code {code}", "failure_type": "error"}
            yield "postToolUseFailure", {**shell, **failure, "duration": 1234.567, "is_interrupt": False}
        else:
            done = json.dumps({"output": output, "exitCode": code})
            yield "postToolUse", {**shell, "tool_output": done, "duration": 1234.567}
    path = f"{workspace}/app.py"
    write = _tool("Write", {"file_path": path, "content": _AFTER}, "call_3\nctc_3", workspace)
    yield "preToolUse", write
    yield "afterFileEdit", {"file_path": path, "edits": _EDIT}
    yield "postToolUse", {**write, "tool_output": json.dumps({"file_path": path, "success": True}), "duration": 36.841}
    begun = {"subagent_id": "sub-1", "subagent_type": "explore", "task": "Look around", "parent_conversation_id": "c-1"}
    model = {"subagent_model": "composer-2.5", "is_parallel_worker": False, "git_branch": "main"}
    yield "subagentStart", {**begun, **model, "tool_call_id": "call_4\nctc_4"}
    counts = {"message_count": 4, "tool_call_count": 1, "loop_count": 0, "duration_ms": 50}
    ended: dict[str, Any] = {
        "status": "completed",
        "summary": "Nothing else greets.",
        "modified_files": [],
        "description": "look",
    }
    yield "subagentStop", {**begun, **counts, **ended, "error_message": None, "agent_transcript_path": None}
    tokens = {"input_tokens": 700, "output_tokens": 30, "cache_read_tokens": 0, "cache_write_tokens": 0}
    yield "afterAgentResponse", {"text": "It greets politely now.", **tokens}
    yield "stop", {"status": "completed", "loop_count": 0, **tokens}
    end = {"reason": "completed", "duration_ms": 5505, "is_background_agent": False, "final_status": "completed"}
    yield "sessionEnd", end


def test_cursors_hooks_are_recorded_through_its_file(participants: Participants) -> None:
    """Each action is shown once, seen by hooks only; the user's address is dropped; the file is put back."""
    candidate = Candidate(root=candidate_root(), agents=participants.agents)
    file = candidate.workspace / ".cursor" / "hooks.json"
    file.parent.mkdir()
    file.write_bytes(_THEIRS)
    try:
        with running(Script(conversations=())) as provider:
            urls = {"anthropic": provider.anthropic_url, "openai": provider.openai_url}
            candidate.start(participants.recruiter.invite(), **urls, more=("--ide", "cursor"))
            hooks = json.loads(file.read_bytes())
            assert check_cursor(hooks) is None
            assert hooks["hooks"]["stop"][0] == {"command": "true", "loop_limit": 2}
            for at, (event, payload) in enumerate(_events(str(candidate.workspace))):
                _fire(candidate, hooks["hooks"][event][-1]["command"], event, payload, at=at)
            (candidate.workspace / "app.py").write_text(_AFTER)
            submitted = candidate.submit()
        lines = participants.recruiter.lines(candidate.session)
        verdict = participants.recruiter.verify(candidate.session, candidate.root)
    finally:
        candidate.end()
    assert file.read_bytes() == _THEIRS
    assert submitted["events"] == submitted["received"]
    assert verdict["verdict"] == "verified"
    assert _EMAIL not in json.dumps(lines)
    _check(lines)


def _fire(candidate: Candidate, command: str, event: str, payload: dict[str, Any], *, at: int) -> None:
    """Run a hook as Cursor does: in a shell, the event on standard input; an answer that says nothing must be empty.

    Newer versions write to a pipe, older ones put the event after the command as a here document.
    """
    common = {
        "conversation_id": "c-1",
        "generation_id": "g-1",
        "session_id": "c-1",
        "model": "composer-2.5",
        "model_id": "composer-2.5",
        "hook_event_name": event,
        "cursor_version": "2026.09.18-9a7762b",
        "workspace_roots": [str(candidate.workspace)],
        "user_email": _EMAIL,
        "transcript_path": None,
    }
    given = json.dumps({**common, **payload})
    words = command if at % 2 else f"{command} <<'CURSOR_HOOK_EOF'\n{given}\nCURSOR_HOOK_EOF"
    done = subprocess.run(
        ["/bin/sh", "-c", words],
        input=given.encode() if at % 2 else b"",
        capture_output=True,
        cwd=candidate.workspace,
        env={**candidate.person.environment(), "CURSOR_USER_EMAIL": _EMAIL},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def _check(lines: list[dict[str, Any]]) -> None:
    (prompt,) = of_kind(lines, "prompt")
    assert prompt["text"] == "Please greet politely"
    commands = of_kind(lines, "command")
    names = ("tool_use_id", "command", "output", "exit_code")
    assert [[line[name] for name in names] for line in commands] == [
        ["call_1\nctc_1", _COMMAND, "1 failing\n", 1],
        ["call_2\nctc_2", _COMMAND, "3 passing\n", 0],
    ]
    (edit,) = of_kind(lines, "file_edit")
    assert edit["path"].endswith("app.py")
    assert edit["tool_use_id"] == "call_3\nctc_3"
    assert "good day" in edit["after"]
    calls, results = of_kind(lines, "tool_call"), of_kind(lines, "tool_result")
    identifiers = ["call_1\nctc_1", "call_2\nctc_2", "call_3\nctc_3"]
    assert [line["tool_use_id"] for line in calls] == [line["tool_use_id"] for line in results] == identifiers
    (answer,) = [line for line in of_kind(lines, "model_response") if line.get("text")]
    assert answer["text"] == "It greets politely now."
    (started,), (stopped,) = of_kind(lines, "subagent_started"), of_kind(lines, "subagent_stopped")
    assert started["prompt"] == "Look around"
    assert stopped["text"] == "Nothing else greets."
    for line in (prompt, *commands, edit, *calls, *results, answer, started, stopped):
        assert line["sources"] == ["hook"]
        assert line["agent"] == "cursor"
