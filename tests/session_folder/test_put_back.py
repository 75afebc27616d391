"""What exactly comes back when files of other programs are put back: content, folders, times, modes."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from tests.session_folder.test_touched_files import OURS, touched_files

from promptster.session_folder.touched_files import RestoreOutcome

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty workspace."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_a_file_that_holds_what_was_written_first_is_put_back(workspace: Path) -> None:
    """A crash may leave the content of an earlier write in place; that is ours as well, even if it is no JSON."""
    (workspace / "a.txt").write_bytes(b"theirs")
    files = touched_files(workspace)
    for data in (b"ours, first", b"ours, later"):
        files.write("a.txt", data)
    (workspace / "a.txt").write_bytes(b"ours, first")
    (restored,) = files.restore()
    assert restored.outcome is RestoreOutcome.PUT_BACK
    assert (workspace / "a.txt").read_bytes() == b"theirs"


def test_entries_of_every_write_are_removed(workspace: Path) -> None:
    """Someone merged what we wrote first into what we wrote later."""
    (workspace / "a.json").write_bytes(b"{}")
    files = touched_files(workspace)
    files.write("a.json", b'{"first": 1}')
    files.write("a.json", b'{"later": 2}')
    (workspace / "a.json").write_bytes(b'{"first": 1, "later": 2, "theirs": 3}')
    files.restore()
    assert (workspace / "a.json").read_bytes() == b'{\n  "theirs": 3\n}\n'


def test_folders_in_folders_are_removed_from_the_inside_out(workspace: Path) -> None:
    """Nothing is left of a path of which no folder existed."""
    files = touched_files(workspace)
    files.write("a/b/c/ours.json", OURS)
    files.restore()
    assert list(workspace.iterdir()) == []


def test_a_file_that_is_as_it_was_is_not_written(workspace: Path) -> None:
    """Its owner put it back already: it stays the same file, with the time of that change."""
    file = workspace / "a.json"
    file.write_bytes(b'{"theirs": 1}')
    touched_files(workspace).write("a.json", OURS)
    file.write_bytes(b'{"theirs": 1}')
    before = file.stat()
    (restored,) = touched_files(workspace).restore()
    assert restored.outcome is RestoreOutcome.PUT_BACK
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_changed_file_does_not_look_old(workspace: Path) -> None:
    """With other people's changes in it, the file keeps no time from before them."""
    file = workspace / "a.json"
    file.write_bytes(b'{"theirs": 1}')
    os.utime(file, ns=(1_000_000_000, 2_000_000_000))
    touched_files(workspace).write("a.json", b'{"theirs": 1, "ours": 2}')
    file.write_bytes(b'{"theirs": 3, "ours": 2}')
    touched_files(workspace).restore()
    assert file.stat().st_mtime_ns > 2_000_000_000


def test_what_others_added_to_a_file_of_ours_stays_private(workspace: Path) -> None:
    """A file that did not exist before is readable by its owner only, as nobody chose another mode."""
    touched_files(workspace).write("a.json", b'{"ours": 2}')
    (workspace / "a.json").write_bytes(b'{"ours": 2, "theirs": 1}')
    (restored,) = touched_files(workspace).restore()
    assert restored.outcome is RestoreOutcome.ENTRIES_REMOVED
    assert stat.S_IMODE((workspace / "a.json").stat().st_mode) == 0o600


def test_files_of_one_name_are_kept_apart(workspace: Path) -> None:
    """Two files that cannot be put back, of the same name in different folders, are both kept."""
    names = (".claude/settings.json", ".other/settings.json")
    for name in names:
        (workspace / name).parent.mkdir()
        (workspace / name).write_text(name)
        touched_files(workspace).write(name, OURS)
        (workspace / name).unlink()
        os.mkfifo(workspace / name)
    leave = workspace.parent / "left"
    touched_files(workspace).restore(leave=leave)
    assert sorted(file.read_text() for file in leave.iterdir()) == sorted(names)


def test_a_file_that_was_absent_leaves_nothing_to_keep(workspace: Path) -> None:
    """Where something else is in the place of a file that only we wrote, the end keeps no copy and does not fail."""
    touched_files(workspace).write("a.json", OURS)
    (workspace / "a.json").unlink()
    os.mkfifo(workspace / "a.json")
    leave = workspace.parent / "left"
    (restored,) = touched_files(workspace).restore(leave=leave)
    assert restored.outcome is RestoreOutcome.NOT_PUT_BACK
    assert not any("is kept in" in line for line in restored.more)
    assert not leave.exists()
    assert touched_files(workspace).restore() == []


def test_the_entries_that_are_named_are_the_last_ones(workspace: Path) -> None:
    """A person who looks for our entries is told what was written last."""
    files = touched_files(workspace)
    files.write("a.json", b'{"first": 1}')
    files.write("a.json", b'{"later": 2}')
    (workspace / "a.json").unlink()
    os.mkfifo(workspace / "a.json")
    (restored,) = files.restore(leave=workspace.parent / "left")
    assert any("entries (later)" in line for line in restored.more)
