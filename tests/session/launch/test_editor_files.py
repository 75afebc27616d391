"""Workspace files for an editor: other people's entries stay, ours are added and removed, refusals change nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.launching import TICKET, recording_session

from promptster.agents.cursor import hook_events
from promptster.agents.cursor.editor import check_cursor
from promptster.agents.editor_entries import changed_entries
from promptster.errors import UsageError, WorkspaceError
from promptster.protocol.events.kinds import CaptureConfigChanged
from promptster.session.current import Current
from promptster.session.launch.editor_files import (
    agree_later,
    check_ide,
    prepare_ide,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.launching import RecordingSession

_FILES = {"claude": ".claude/settings.local.json", "cursor": ".cursor/hooks.json"}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[RecordingSession]:
    """A session whose recorder gives tickets."""
    with recording_session(tmp_path) as one:
        yield one


def _write(made: RecordingSession, relative: str, data: bytes) -> None:
    path = made.workspace / relative
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


@pytest.mark.parametrize("ide", ["claude", "cursor"])
def test_a_new_file_comes_and_goes(made: RecordingSession, ide: str) -> None:
    """If there was no file, ours is made and later removed, with its folder."""
    current = Current(made.folder)
    assert prepare_ide(current, ide) == [made.workspace / _FILES[ide]]
    ours = TICKET.hook_url("claude") if ide == "claude" else TICKET.hook_socket
    assert ours in (made.workspace / _FILES[ide]).read_text()
    assert changed_entries(made.workspace, ide, TICKET) == []
    current.touched.restore()
    assert list(made.workspace.iterdir()) == []


def test_half_a_letter_in_an_own_file_stays(made: RecordingSession) -> None:
    """A lone surrogate, which JSON allows and UTF-8 does not, stays as its escape, even after the candidate's edit."""
    _write(made, _FILES["claude"], b'{"half": "\\ud83d"}')
    current = Current(made.folder)
    prepare_ide(current, "claude")
    path = made.workspace / _FILES["claude"]
    assert json.loads(path.read_bytes())["half"] == "\ud83d"
    path.write_bytes(path.read_bytes().replace(b"{", b'{"mine": 1,', 1))
    current.touched.restore()
    assert json.loads(path.read_bytes()) == {"mine": 1, "half": "\ud83d"}


def test_claudes_own_entries_stay(made: RecordingSession) -> None:
    """Permissions, variables and hooks of others stay next to ours; afterwards the bytes are as before."""
    before = b'{\n    "permissions": {"allow": ["Bash(ls)"]},\n "env": {"A": "\xc3\xa9"},\n\t'
    before += b'"hooks": {"Stop": [{"hooks": []}]}}'
    _write(made, _FILES["claude"], before)
    current = Current(made.folder)
    prepare_ide(current, "claude")
    now: dict[str, Any] = json.loads((made.workspace / _FILES["claude"]).read_bytes())
    assert now["permissions"] == {"allow": ["Bash(ls)"]}
    assert now["env"]["A"] == "\u00e9"
    assert now["env"]["ANTHROPIC_BASE_URL"] == TICKET.base_urls["claude"]
    assert now["hooks"]["Stop"][0] == {"hooks": []}
    assert len(now["hooks"]["Stop"]) == 2
    current.touched.restore()
    assert (made.workspace / _FILES["claude"]).read_bytes() == before


def test_cursors_own_entries_stay(made: RecordingSession) -> None:
    """A hook of another program keeps its place before ours, with all its fields."""
    theirs = {"command": "mine.sh", "matcher": "Shell", "failClosed": True, "loop_limit": 3, "timeout": 0.5}
    asked = {"type": "prompt", "prompt": "Is it done?", "model": "m", "loop_limit": None}
    before = json.dumps({"version": 1, "hooks": {"stop": [theirs, asked]}}).encode()
    _write(made, _FILES["cursor"], before)
    current = Current(made.folder)
    prepare_ide(current, "cursor")
    now = json.loads((made.workspace / _FILES["cursor"]).read_bytes())
    assert now["hooks"]["stop"][:2] == [theirs, asked]
    assert set(now["hooks"]) == set(hook_events.EVENTS)
    assert check_cursor(now) is None
    current.touched.restore()
    assert (made.workspace / _FILES["cursor"]).read_bytes() == before


@pytest.mark.parametrize("ide", ["claude", "cursor"])
def test_preparing_again_renews_and_adds_nothing(made: RecordingSession, ide: str) -> None:
    """A second time, as after a reboot, the file is made from its content before ours."""
    current = Current(made.folder)
    prepare_ide(current, ide)
    first = (made.workspace / _FILES[ide]).read_bytes()
    prepare_ide(current, ide)
    assert (made.workspace / _FILES[ide]).read_bytes() == first


@pytest.mark.parametrize(
    ("ide", "before"),
    [
        ("cursor", b'{"version":2,"hooks":{}}'),
        ("cursor", b'{"version":1,"hooks":{"onDream":[]}}'),
        ("cursor", b'{"version":1,"hooks":{"stop":{}}}'),
        ("cursor", b'{"version":1,"hooks":{"stop":[{"cmd":"x"}]}}'),
        ("cursor", b'{"version":1,"hooks":[]}'),
        ("cursor", b'{"version":1,"hooks":{"stop":[{"type":"http","command":"x"}]}}'),
        ("cursor", b'{"version":1,"hooks":{"stop":[{"type":"prompt","prompt":" "}]}}'),
        ("cursor", b'{"version":1,"hooks":{"stop":[{"command":"x","matcher":1}]}}'),
        ("cursor", b'{"version":1,"hooks":{"stop":[{"command":"x","timeout":0}]}}'),
        ("cursor", b'{"version":1,"hooks":{"stop":[{"command":"x","timeout":"5"}]}}'),
        ("cursor", b'{"version":1,"hooks":{"stop":[{"command":"x","loop_limit":1.5}]}}'),
        ("cursor", b'{"version":1,"hooks":{"stop":[{"command":"x","failClosed":"no"}]}}'),
        ("cursor", b'{"version":1,"hooks":{"stop":[{"command":"curl http://x"}]}}'),
        ("cursor", b'{"version":1,"hooks":{"stop":[{"command":"ls /*.md /a*/b"}]}}'),
        ("cursor", b'{"version":1, // mine\n"hooks":{}}'),
        ("claude", b"{not json"),
        ("claude", b"[]"),
        ("claude", b'{"hooks":{"Stop":{}}}'),
        ("claude", b'{"hooks":{"Stop":[1]}}'),
        ("claude", b'{"env":[]}'),
    ],
)
def test_a_file_that_its_agent_would_refuse_is_left_alone(made: RecordingSession, ide: str, before: bytes) -> None:
    """One invalid entry disables every hook of the file, so it is reported and not one byte changes."""
    _write(made, _FILES[ide], before)
    for look in (lambda: prepare_ide(Current(made.folder), ide), lambda: check_ide(made.workspace, ide)):
        with pytest.raises(WorkspaceError) as caught:
            look()
        assert caught.value.code == "ide_file_invalid"
    assert (made.workspace / _FILES[ide]).read_bytes() == before


def test_a_file_behind_a_link_is_found_before_the_start(made: RecordingSession) -> None:
    """It could not be written later, so it is refused before anything has begun."""
    check_ide(made.workspace, "claude")
    (made.workspace / "elsewhere").mkdir()
    (made.workspace / ".claude").symlink_to("elsewhere")
    with pytest.raises(WorkspaceError) as caught:
        check_ide(made.workspace, "claude")
    assert caught.value.code == "touched_link"


def test_an_unknown_editor_is_refused(made: RecordingSession) -> None:
    """Only editors whose file is known can be prepared."""
    with pytest.raises(UsageError, match="vim"):
        prepare_ide(Current(made.folder), "vim")


@pytest.mark.parametrize("ide", ["claude", "cursor"])
def test_lost_entries_are_noticed(made: RecordingSession, ide: str) -> None:
    """If our entries or the whole file are removed, an event names the file and the place."""
    prepare_ide(Current(made.folder), ide)
    path = made.workspace / _FILES[ide]
    content = json.loads(path.read_bytes())
    name = "Stop" if ide == "claude" else "stop"
    content["hooks"][name] = []
    path.write_text(json.dumps(content))
    (event,) = changed_entries(made.workspace, ide, TICKET)
    assert event == CaptureConfigChanged(path_name=_FILES[ide], detail=f"changed: hooks.{name}")
    path.unlink()
    (gone,) = changed_entries(made.workspace, ide, TICKET)
    assert gone == CaptureConfigChanged(path_name=_FILES[ide], detail="missing or unreadable")


def test_a_later_yes_is_remembered(made: RecordingSession) -> None:
    """An editor that the candidate agrees to after the start is prepared now and again after a reboot."""
    current = Current(made.folder)
    agree_later(current, "cursor")
    agree_later(current, "claude")
    agree_later(current, "claude")
    assert current.facts.choices.ide == ("cursor", "claude")
    assert (made.workspace / _FILES["cursor"]).exists()
