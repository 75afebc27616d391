"""Files of other programs: journaled before they are changed, and put back."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from promptster.errors import SessionError, WorkspaceError
from promptster.protocol.encoding import b64u_encode
from promptster.session_folder.touched_files import RestoreOutcome, TouchedFiles, describe
from promptster.session_folder.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SESSION = b64u_encode(bytes(16))
KEY = bytes(range(32))
NAME = ".claude/settings.local.json"
OURS = b'{"env": {"URL": "ours"}}'


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty workspace."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def touched_files(workspace: Path) -> TouchedFiles:
    """The files as a new process sees them."""
    return TouchedFiles(workspace, Vault(workspace.parent / "touched", KEY, SESSION))


def test_bytes_mode_and_times_come_back(workspace: Path) -> None:
    """The former content comes back byte for byte; while ours is in the file, only the owner can read it."""
    file = workspace / NAME
    file.parent.mkdir()
    file.write_bytes(b'{ "theirs":\t1 }\r\n')
    file.chmod(0o644)
    os.utime(file, ns=(1_000_000_000, 2_000_000_000))
    touched_files(workspace).write(NAME, OURS)
    assert file.read_bytes() == OURS
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (restored,) = touched_files(workspace).restore()
    assert restored.outcome is RestoreOutcome.PUT_BACK
    assert file.read_bytes() == b'{ "theirs":\t1 }\r\n'
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert file.stat().st_mtime_ns == 2_000_000_000
    assert touched_files(workspace).restore() == []


def test_what_was_absent_is_absent_again(workspace: Path) -> None:
    """Folders that were made for it are removed too, unless others put something there."""
    files = touched_files(workspace)
    files.write(NAME, OURS)
    files.write(".cursor/hooks.json", b"{}")
    (workspace / ".cursor" / "rules").write_text("theirs")
    assert len(files.pending) == 2
    files.restore()
    assert sorted(path.name for path in workspace.iterdir()) == [".cursor"]
    assert [path.name for path in (workspace / ".cursor").iterdir()] == ["rules"]
    assert files.pending == []


def test_the_former_state_is_durable_before_the_change(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash at the very moment of the change can be undone."""
    (workspace / "a.json").write_bytes(b"{}")

    def crash(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("promptster.session_folder.touched_files._replace", crash)
    with pytest.raises(KeyboardInterrupt):
        touched_files(workspace).write("a.json", OURS)
    monkeypatch.undo()
    assert touched_files(workspace).restore()[0].outcome is RestoreOutcome.PUT_BACK
    assert (workspace / "a.json").read_bytes() == b"{}"


def test_leftovers_of_a_crash_are_cleaned_up(workspace: Path) -> None:
    """New content that was not yet renamed is removed with the rest."""
    files = touched_files(workspace)
    files.write("a.json", OURS)
    (workspace / ".a.json.promptster-new").write_bytes(b"half")
    files.restore()
    assert list(workspace.iterdir()) == []


def test_other_peoples_changes_are_not_lost(workspace: Path) -> None:
    """Only our entries are removed from a file that others changed meanwhile."""
    (workspace / "a.json").write_bytes(b'{"theirs": 1}')
    files = touched_files(workspace)
    files.write("a.json", b'{"theirs": 1, "ours": 2}')
    (workspace / "a.json").write_bytes(b'{"theirs": 3, "ours": 2, "more": 4}')
    assert files.as_restored() == {b"a.json": b'{\n  "theirs": 3,\n  "more": 4\n}\n'}
    (restored,) = files.restore()
    assert restored.outcome is RestoreOutcome.ENTRIES_REMOVED
    assert restored.outcome.value == "our entries removed"
    assert restored.sentence() == f"Put back, with your own changes kept: {workspace / 'a.json'}"
    assert (workspace / "a.json").read_bytes() == b'{\n  "theirs": 3,\n  "more": 4\n}\n'


def test_changes_between_two_writes_of_ours_are_not_lost(workspace: Path) -> None:
    """A second merge starts from what others made of the file, and so does putting back."""
    (workspace / "a.json").write_bytes(b'{"theirs": 1}')
    files = touched_files(workspace)
    files.write("a.json", b'{"theirs": 1, "ours": 2}')
    (workspace / "a.json").write_bytes(b'{"theirs": 1, "ours": 2, "more": 4}')
    theirs = files.before("a.json")
    assert theirs == b'{\n  "theirs": 1,\n  "more": 4\n}\n'
    files.write("a.json", b'{"theirs": 1, "more": 4, "ours": 5}')
    assert files.before("a.json") == theirs
    files.restore()
    assert (workspace / "a.json").read_bytes() == theirs


def test_writing_again_keeps_the_first_state(workspace: Path) -> None:
    """However often our entries are renewed, what comes back is the content before the first time."""
    (workspace / "a.json").write_bytes(b"{}")
    files = touched_files(workspace)
    files.write("a.json", b'{"ours": 1}')
    files.write("a.json", b'{"ours": 2}')
    assert files.as_restored() == {b"a.json": b"{}"}
    files.restore()
    assert (workspace / "a.json").read_bytes() == b"{}"


def test_a_file_that_cannot_be_understood_is_left(workspace: Path) -> None:
    """A message says so: we do not guess which entries are ours."""
    files = touched_files(workspace)
    files.write("a.json", OURS)
    (workspace / "a.json").write_bytes(b"not json any more")
    (restored,) = files.restore()
    assert restored.outcome is RestoreOutcome.LEFT
    assert (workspace / "a.json").read_bytes() == b"not json any more"


def test_a_deleted_file_is_not_brought_back_over_a_decision(workspace: Path) -> None:
    """The person who deleted the file wanted it gone; our entries are gone with it."""
    (workspace / "a.json").write_bytes(b"{}")
    files = touched_files(workspace)
    files.write("a.json", OURS)
    (workspace / "a.json").unlink()
    assert files.restore()[0].outcome is RestoreOutcome.ENTRIES_REMOVED
    assert not (workspace / "a.json").exists()


@pytest.mark.parametrize("name", ["../out.json", "/etc/passwd", "link/file.json", "file-link.json", "folder"])
def test_nothing_outside_the_workspace_is_written(workspace: Path, name: str) -> None:
    """Neither a path nor a link leads outside, and only regular files are written."""
    outside = workspace.parent / "outside"
    outside.mkdir()
    (outside / "target.json").write_bytes(b"{}")
    (workspace / "link").symlink_to(outside)
    (workspace / "file-link.json").symlink_to(outside / "target.json")
    (workspace / "folder").mkdir()
    with pytest.raises(WorkspaceError):
        touched_files(workspace).write(name, OURS)
    assert (outside / "target.json").read_bytes() == b"{}"
    assert [path.name for path in outside.iterdir()] == ["target.json"]


def test_what_cannot_be_put_back_is_named_and_can_be_tried_again(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are put back meanwhile."""
    for name in ("a.json", "b.json"):
        (workspace / name).write_bytes(b"{}")
        touched_files(workspace).write(name, OURS)
    real = os.fchmod
    refused: list[int] = []

    def full(handle: int, mode: int) -> None:
        if not refused:
            refused.append(handle)
            raise OSError(28, "no space left on device")
        real(handle, mode)

    monkeypatch.setattr(os, "fchmod", full)
    with pytest.raises(WorkspaceError, match="disk full"):
        touched_files(workspace).restore()
    assert len(touched_files(workspace).pending) == 1
    touched_files(workspace).restore()
    assert {(workspace / name).read_bytes() for name in ("a.json", "b.json")} == {b"{}"}


def test_the_journal_is_sealed(workspace: Path) -> None:
    """Neither content nor path is readable in the state folder, and another key opens nothing."""
    (workspace / "a.json").write_bytes(b'{"secret-entry": 1}')
    touched_files(workspace).write("a.json", OURS)
    folder = workspace.parent / "touched"
    content = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"secret-entry" not in content
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
    with pytest.raises(SessionError):
        TouchedFiles(workspace, Vault(folder, bytes(32), SESSION)).restore()


def swapped_folder(workspace: Path) -> None:
    """Replace the folder with a link to another."""
    (workspace / ".claude").rename(workspace / "moved")
    (workspace / ".claude").symlink_to(workspace.parent / "outside")


def swapped_file(workspace: Path) -> None:
    """Replace the file with a link to another."""
    (workspace / NAME).rename(workspace / "moved")
    (workspace / NAME).symlink_to(workspace.parent / "outside" / "settings.local.json")


def piped(workspace: Path) -> None:
    """Replace the file with a named pipe."""
    (workspace / NAME).rename(workspace / "moved")
    os.mkfifo(workspace / NAME)


@pytest.mark.parametrize("before", [None, b'{ "mine": 1 }'])
@pytest.mark.parametrize("swap", [swapped_folder, swapped_file, piped])
def test_nothing_is_put_back_through_what_came_later(
    workspace: Path, before: bytes | None, swap: Callable[[Path], None]
) -> None:
    """The obstacle is named with our entries and what to do; once it is gone, the file is put back."""
    outside = workspace.parent / "outside"
    outside.mkdir()
    (outside / "settings.local.json").write_bytes(b'{"precious": 1}')
    (workspace / ".claude").mkdir()
    if before is not None:
        (workspace / NAME).write_bytes(before)
    touched_files(workspace).write(NAME, OURS)
    swap(workspace)
    assert touched_files(workspace).as_restored() == {}
    for _ in range(2):
        with pytest.raises(WorkspaceError, match=r"symbolic link|named pipe") as refused:
            touched_files(workspace).restore()
        assert refused.value.code == "touched_link"
        assert "env.URL" in (refused.value.hint or "")
        assert "promptster restore" in (refused.value.hint or "")
    with pytest.raises(WorkspaceError):
        touched_files(workspace).write(NAME, b"{}")
    with pytest.raises(WorkspaceError):
        touched_files(workspace).before(NAME)
    assert (outside / "settings.local.json").read_bytes() == b'{"precious": 1}'
    in_the_way = workspace / (".claude" if swap is swapped_folder else NAME)
    in_the_way.unlink()
    (restored,) = touched_files(workspace).restore()
    assert restored.outcome is RestoreOutcome.PUT_BACK
    assert ((workspace / NAME).read_bytes() if (workspace / NAME).exists() else None) == before
    assert touched_files(workspace).pending == []


@pytest.mark.parametrize("theirs", [b"", b', "theirs": 2'])
def test_entries_behind_a_link_are_found(workspace: Path, theirs: bytes) -> None:
    """If our file was moved away and a link to it left, the message names its place and how to remove our entries."""
    (workspace / ".claude").mkdir()
    touched_files(workspace).write(NAME, OURS)
    away = workspace.parent / "away"
    (workspace / ".claude").rename(away)
    (workspace / ".claude").symlink_to(away)
    file = away / "settings.local.json"
    file.write_bytes(OURS[:-1] + theirs + b"}")
    with pytest.raises(WorkspaceError) as refused:
        touched_files(workspace).restore()
    hint = refused.value.hint or ""
    assert f"(env.URL) are in {file}" in hint
    assert (f"rm {file}" in hint) == (not theirs)
    assert file.read_bytes() == OURS[:-1] + theirs + b"}"


def test_a_file_behind_a_link_that_has_no_entries_of_ours_is_said_so(workspace: Path) -> None:
    """Whatever form the link has, the message does not ask to remove what the file does not contain."""
    (workspace / ".claude").mkdir()
    (workspace / NAME).write_bytes(b'{"mine": 1}\n')
    touched_files(workspace).write(NAME, b'{"mine": 1, "env": {"URL": "ours"}}')
    (workspace / NAME).unlink()
    other = workspace.parent / "other.json"
    other.write_bytes(b'{"precious":   1}\n')
    (workspace / NAME).symlink_to(other)
    with pytest.raises(WorkspaceError) as refused:
        touched_files(workspace).restore()
    assert f"are not in {other}, which it points to now" in (refused.value.hint or "")


def test_an_end_that_cannot_wait_keeps_what_a_file_held(workspace: Path) -> None:
    """The rest is put back, the journal is empty, and nothing is lost or reported as done."""
    for name in (NAME, "b.json"):
        (workspace / name).parent.mkdir(exist_ok=True)
        (workspace / name).write_bytes(b'{"mine": 1}')
        touched_files(workspace).write(name, OURS)
    piped(workspace)
    leave = workspace.parent / "left"
    done = {entry.path.name: entry for entry in touched_files(workspace).restore(leave=leave)}
    assert done["b.json"].outcome is RestoreOutcome.PUT_BACK
    kept = done["settings.local.json"]
    assert kept.outcome is RestoreOutcome.NOT_PUT_BACK
    (file,) = leave.iterdir()
    assert file.read_bytes() == b'{"mine": 1}'
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = describe([kept])
    assert lines[0].startswith("Not put back: ")
    assert any("is a named pipe" in line for line in lines)
    assert any(str(file) in line for line in lines)
    assert touched_files(workspace).restore() == []


def test_a_disk_that_refuses_is_named_with_what_helps(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is not about links; the journal still knows everything."""
    (workspace / "a.json").write_bytes(b"{}")
    touched_files(workspace).write("a.json", OURS)

    def refuse(*_arguments: object, **_named: object) -> None:
        raise PermissionError(13, "permission denied")

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(WorkspaceError, match="permission denied") as refused:
        touched_files(workspace).restore()
    assert "Make it writable." in (refused.value.hint or "")
    assert refused.value.code == WorkspaceError.default_code
    monkeypatch.undo()
    assert touched_files(workspace).restore()[0].outcome is RestoreOutcome.PUT_BACK


def test_what_a_crash_left_goes_where_the_file_is_as_it_was(workspace: Path) -> None:
    """After a crash before the rename, the file is unchanged and the leftover with the token must be removed."""
    (workspace / "a.json").write_bytes(b"{}")
    touched_files(workspace).write("a.json", OURS)
    (workspace / "a.json").write_bytes(b"{}")
    (workspace / ".a.json.promptster-new").write_bytes(OURS)
    touched_files(workspace).restore()
    assert [path.name for path in workspace.iterdir()] == ["a.json"]
