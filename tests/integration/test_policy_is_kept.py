"""The policy's text is true: every command in it does what it says, and every kind is recorded."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.assessment import Assessment, assessment
from tests.helpers.certified import Certified
from tests.helpers.collector import RunningCollector
from tests.helpers.recorders import HandClock
from tests.helpers.running import FAR, Running, kill_and_wait, pid_of, prepared

from promptster.agents.claude.launch import TOKEN_HEADER
from promptster.protocol.policy import RECORDED_KINDS
from promptster.recorder.assembly import assemble
from promptster.recorder.process_log import Log
from promptster.session_folder.control_client import ControlClient
from promptster.session_folder.folder import SessionFolder

_COMMAND = re.compile(r'"(promptster [a-z][a-z -]*)"')
_AGENT = "5b1c7a52-9d0e-4a53-8f0b-2f6f0c8c1d11"


def _conversation(prompt: str, workspace: Path) -> dict[str, Any]:
    """What the provider answers to a prompt: an edit, a command, then the end of the turn."""
    tools = [
        {"name": "Write", "input": {"file_path": str(workspace / "made.txt"), "content": "made\n"}},
        {"name": "Bash", "input": {"command": "echo done"}},
    ]
    return {"prompt": prompt, "turns": [{"text": "I will.", "tools": tools}, {"text": "Done."}]}


@pytest.fixture
def stage(tmp_path: Path, running: RunningCollector) -> Iterator[Assessment]:
    """A collector, a candidate with an agent, and a provider that answers every prompt of these tests."""
    prompts = ("by run", "by shell", "while paused", "after the pause", "in the second")
    with assessment(tmp_path, running, [_conversation(word, tmp_path / "workspace") for word in prompts]) as made:
        yield made


def _policy_text(stage: Assessment, invite: Mapping[str, Any]) -> str:
    return str(stage.candidate.result("policy", invite["link"])["text"])


def _prompts(stage: Assessment) -> list[str]:
    """The prompts that ``inspect`` shows, in order."""
    entries = stage.candidate.result("inspect")["entries"]
    return [entry["text"] for entry in entries if entry["kind"] == "prompt"]


def _session(stage: Assessment) -> dict[str, Any]:
    """The session as the hiring team sees it."""
    found: list[dict[str, Any]] = stage.recruiter.result("sessions")["sessions"]
    return next(entry for entry in found if entry["session"] == stage.session)


def _state(stage: Assessment) -> str:
    return str(stage.candidate.result("status")["state"])


def _run(stage: Assessment) -> None:
    assert stage.work("by run").code == 0
    assert _prompts(stage) == ["by run"]


def _shell(stage: Assessment) -> None:
    answer = stage.candidate.call("shell", "-c", "claude -p 'by shell'", cwd=stage.workspace)
    assert answer.code == 0, answer.stderr
    assert _prompts(stage)[-1] == "by shell"


def _inspect(stage: Assessment) -> None:
    shown = stage.candidate.call("inspect", "--all").stdout
    assert "by run" in shown
    assert "echo done" in shown


def _pause(stage: Assessment) -> None:
    assert stage.candidate.call("pause").code == 0
    assert _state(stage) == "paused"
    before = _prompts(stage)
    assert stage.work("while paused").code == 0
    assert _prompts(stage) == before


def _resume(stage: Assessment) -> None:
    assert stage.candidate.call("resume").code == 0
    assert _state(stage) == "recording"
    assert stage.work("after the pause").code == 0
    assert _prompts(stage)[-1] == "after the pause"


def _submit(stage: Assessment) -> None:
    assert _session(stage)["state"] == "open"
    answer = stage.candidate.call("submit", "--yes", "--json", cwd=stage.workspace)
    assert answer.code == 0, answer.stderr
    assert _session(stage)["state"] in {"closed", "sealed"}
    assert stage.candidate.call("verify", answer.document["bundle"]).code == 0
    shown = stage.candidate.call("replay", answer.document["bundle"], "--all").stdout
    assert "by run" in shown


def _withdraw(stage: Assessment) -> None:
    bundle = stage.folder / "before.promptster"
    words = ("export", stage.session, "--format", "bundle", "-o", str(bundle))
    assert stage.recruiter.call(*words).code == 0
    assert stage.candidate.call("withdraw", "--yes").code == 0
    assert stage.recruiter.call(*words, "--force").code != 0
    assert _state(stage) == "withdrawn"


def _stop(stage: Assessment) -> None:
    assert stage.work("in the second").code == 0
    assert _prompts(stage) == ["in the second"]
    folder = SessionFolder(stage.candidate.home / ".local/state/promptster/sessions" / stage.session)
    received, events = ControlClient(folder).flush()  # only what was sent is kept
    assert received == events
    assert stage.candidate.call("stop", "--yes", cwd=stage.workspace).code == 0
    assert _state(stage) == "stopped"
    assert _session(stage)["state"] not in {"closed", "sealed"}
    assert stage.work("in the second").code != 0
    kept = stage.folder / "kept.jsonl"
    assert stage.recruiter.call("export", stage.session, "--format", "jsonl", "-o", str(kept)).code == 0
    assert "in the second" in kept.read_text()


_CHECKS: Mapping[str, Callable[[Assessment], None]] = {
    "promptster run": _run,
    "promptster shell": _shell,
    "promptster inspect": _inspect,
    "promptster pause": _pause,
    "promptster resume": _resume,
    "promptster submit": _submit,
    "promptster withdraw": _withdraw,
}
"""How each command is checked, in the order of one session; ``stop`` ends a second one."""


def test_every_command_in_the_text_does_what_the_text_says(stage: Assessment) -> None:
    """Each runs as a process against a real recorder and collector; a command that is named but not checked fails."""
    invite = stage.invite()
    text = _policy_text(stage, invite)
    named = _COMMAND.findall(text)
    assert len(named) == text.count("promptster ")
    assert set(named) == {*_CHECKS, "promptster stop"}
    stage.start(invite)
    for check in _CHECKS.values():
        check(stage)
    stage.workspace = stage.folder / "second"
    stage.start(stage.invite(name="Ben Example", email="ben@example.com"))
    _stop(stage)


def _post(url: str, headers: Mapping[str, str], body: bytes) -> int:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        connection.request("POST", parts.path, body, dict(headers))
        answer = connection.getresponse()
        answer.read()
    except (BrokenPipeError, ConnectionResetError):  # refused before all of it was sent
        return 0
    finally:
        connection.close()
    return answer.status


def _tell(folder: SessionFolder, event: str, **fields: Any) -> None:
    """Fire one hook of Claude Code's."""
    ticket = ControlClient(folder).launch()
    payload = {"hook_event_name": event, "session_id": _AGENT, "cwd": "/w", "transcript_path": "/t", **fields}
    _post(ticket.hook_url("claude"), {TOKEN_HEADER: ticket.token}, json.dumps(payload).encode())


def _work_without_hooks(folder: SessionFolder, stage: Assessment, prompt: str) -> None:
    """Let an agent work whose hooks are silently disabled."""
    base_url = ControlClient(folder).launch().base_urls["claude"]
    environ = {**stage.candidate.environment(), "ANTHROPIC_BASE_URL": base_url}
    program = [str(stage.folder / "tools" / "claude"), "-p", prompt]
    subprocess.run(program, cwd=stage.workspace, env=environ, capture_output=True, check=True)


def _in_a_session(stage: Assessment) -> set[str]:
    """The kinds in the journal of a session in which everything happened that a recorder can see."""
    stage.start(stage.invite())
    folder = SessionFolder(next((stage.candidate.home / ".local/state/promptster/sessions").iterdir()))
    assert stage.work("by run").code == 0
    local = stage.workspace / ".claude" / "settings.local.json"
    local.parent.mkdir(exist_ok=True)
    local.write_text('{"disableAllHooks": true}')
    shell = ("shell", "-c", "CLAUDE_CODE_SIMPLE=1 claude -p 'by shell'")
    assert stage.candidate.call(*shell, cwd=stage.workspace).code == 0  # reports disabled hooks and the file
    assert stage.candidate.call("pause").code == stage.candidate.call("resume").code == 0
    _tell(folder, "SubagentStart", agent_id="a1", agent_type="explorer")
    _tell(folder, "SubagentStop", agent_id="a1", agent_type="explorer", last_assistant_message="found")
    _tell(folder, "PermissionRequest", tool_name="Bash", tool_input={"command": "rm x"}, permission_mode="default")
    _tell(folder, "PostCompact", trigger="manual", compact_summary="short")
    _tell(folder, "Notification", message="look")
    _tell(folder, "UserPromptSubmit", prompt="x" * (17 * 1024 * 1024))  # too long to be read: a gap
    ControlClient(folder).flush()
    writer = pid_of(folder.path / "recorder.pid")
    kill_and_wait(writer)
    ControlClient(folder).status()  # answered by the recorder that came back
    _work_without_hooks(folder, stage, "in the second")
    submitted = stage.candidate.result("submit", "--yes", cwd=stage.workspace)
    out = stage.folder / "all.jsonl"
    words = ("export", submitted["bundle"], "--format", "jsonl", "-o", str(out), "--json")
    assert stage.candidate.call(*words).code == 0
    return {json.loads(line).get("kind", "") for line in out.read_text().splitlines()}


async def _time_passes(running: Running, clock: HandClock) -> None:
    """Let a minute pass, and then set the computer's clock."""
    parts = await assemble(running.folder, running.certified.secrets, clock, Log(-1), start_anew=lambda: None)
    clock.pass_by(61_000)
    parts.heartbeat.beat()
    clock.wall += 3_600_000
    parts.heartbeat.beat()
    await parts.recording.end(stopped=True, withdrawn=False)
    await parts.collector.aclose()


def test_every_kind_that_the_policy_asks_for_is_recorded_by_something(
    stage: Assessment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sessions, one of real processes and one whose clock the test controls, have every kind that is asked for."""
    found = _in_a_session(stage)
    certified = Certified(record_until=FAR, upload_until=FAR)
    with prepared(tmp_path / os.urandom(4).hex(), monkeypatch, certified=certified) as running:
        asyncio.run(_time_passes(running, HandClock()))
        found |= set(running.kinds())
    assert set(RECORDED_KINDS) - found == set()
