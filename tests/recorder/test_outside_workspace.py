"""An agent that works outside the workspace is reported once, and its actions are still recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.helpers.recording_agent import PROMPT, hook, until
from tests.helpers.running import prepared

from promptster.agents.registry import readers
from promptster.clock import SystemClock
from promptster.protocol.events import KINDS
from promptster.recorder.outside_workspace import PlacedCapture

if TYPE_CHECKING:
    from pathlib import Path

    from promptster.protocol.events import Draft


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with a folder in it, a link to it, and a folder outside."""
    (tmp_path / "work" / "sub").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "work")
    return tmp_path / "work"


def capture_in(workspace: Path) -> tuple[PlacedCapture, list[str], list[Draft]]:
    """Capture, its events, and the file that it wrote."""
    told: list[str] = []
    drafts: list[Draft] = []

    def append(draft: Draft) -> int:
        drafts.append(draft)
        return len(drafts)

    made = PlacedCapture(
        append,
        SystemClock(),
        allowed_kinds=tuple(KINDS),
        agents=readers(),
        hooked_agents=None,
        workspace=workspace,
        record_detail=told.append,
    )
    return made, told, drafts


def prompt_from(folder: object) -> bytes:
    """A prompt's hook."""
    return json.dumps({**PROMPT, "cwd": folder}).encode()


def test_each_agent_is_told_once(workspace: Path) -> None:
    """The first hook from outside is reported, without the folder's name; the prompt is recorded all the same."""
    capture, told, drafts = capture_in(workspace)
    for folder in (workspace, workspace / "sub", workspace.parent / "link" / "sub"):
        capture.hook("claude", prompt_from(str(folder)))
    assert told == []
    for _ in range(2):
        capture.hook("claude", prompt_from(str(workspace.parent / "outside")))
    capture.hook("codex", prompt_from(str(workspace.parent)))
    assert [detail.partition(" ")[0] for detail in told] == ["claude", "codex"]
    assert "outside the workspace" in told[0]
    assert str(workspace.parent) not in told[0]
    assert sum(draft.kind == "prompt" for draft in drafts) > 1


def test_what_says_no_folder_is_not_judged(workspace: Path) -> None:
    """Nothing is reported without a folder, during a pause, or if the workspace itself is gone."""
    capture, told, _ = capture_in(workspace)
    for folder in (None, 5, "", "a\0b"):
        capture.hook("claude", prompt_from(folder))
    for payload in (b"", b"[", b"[]", b"\xff"):
        capture.hook("claude", payload)
    capture.pause()
    capture.hook("claude", prompt_from("/"))
    assert told == []
    gone, told, _ = capture_in(workspace / "gone")
    gone.hook("claude", prompt_from("/"))
    assert told == []


def test_the_recorder_puts_it_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workspace: Path) -> None:
    """A real recorder reports a real hook process."""
    with prepared(tmp_path, monkeypatch) as running:
        running.folder.update(workspace=str(workspace))
        running.spawn()
        hook(running, {**PROMPT, "cwd": str(workspace.parent / "outside")})
        until(running, lambda status: status.sources.get("hook", 0) == 1)
        running.control.flush(seconds=0.1)
        details = [event.fields["detail"] for event in running.events() if event.kind == "capture_degraded"]
    assert details == ["claude works in a folder outside the workspace: what it does there is not submitted"]
