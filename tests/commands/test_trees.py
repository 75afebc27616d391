"""What real commands do with a candidate's folder: all of the work is submitted, and nothing else is changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.hiring import Invited

SETTINGS = ".claude/settings.local.json"


def run_git(invited: Invited, folder: Path, *words: str) -> str:
    """Git as the candidate runs it."""
    name = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main")
    command = ["git", *name, "-c", "protocol.file.allow=always", *words]
    environ = invited.person.environment()
    return subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True, text=True).stdout


def make(invited: Invited, folder: Path, **files: str) -> None:
    """A repository with one commit."""
    folder.mkdir(parents=True, exist_ok=True)
    run_git(invited, folder, "init", "-q")
    for name, text in files.items():
        (folder / name).write_text(text)
    run_git(invited, folder, "add", "-A")
    run_git(invited, folder, "commit", "-qm", "a")


def submitted(invited: Invited) -> dict[str, Any]:
    """Submit, and return the last event of the work as it was recorded."""
    invited.person.result("submit", "--yes")
    entries = invited.person.result("inspect")["entries"]
    final: dict[str, Any]
    (final,) = (entry for entry in entries if entry["kind"] == "submission_final")
    return final


def statuses(final: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """The status of each file, and whether its content is shown."""
    return {entry["path"]: (entry["status"], entry["shown"]) for entry in final["manifest"]}


def test_work_in_repositories_inside_is_submitted(invited: Invited) -> None:
    """Repositories that existed, that the agent made, submodules and work trees are submitted, even without history."""
    work = invited.workspace
    make(invited, work, **{"a.txt": "first line\nsecond line\n", "same.txt": "same\n"})
    make(invited, invited.folder / "source", **{"lib.py": "VALUE = 1\n"})
    run_git(invited, work, "submodule", "add", "-q", str(invited.folder / "source"), "sub")
    run_git(invited, work, "commit", "-qm", "b")
    make(invited, work / "task", **{"app.py": "x = 1\n"})
    invited.start()
    (work / "task" / "app.py").write_text("x = 2\n")
    make(invited, work / "app", **{"main.py": "print(1)\n"})
    (work / "sub" / "lib.py").write_text("VALUE = 2\n")
    run_git(invited, work / "sub", "commit", "-qam", "in it")
    run_git(invited, work / "task", "worktree", "add", "-q", str(work / "beside"))
    (work / "beside" / "app.py").write_text("x = 3\n")
    (work / "a.txt").write_text("first line\nSECOND line\n")
    (work / "same.txt").unlink()
    shutil.rmtree(work / ".git")
    run_git(invited, work, "init", "-q")
    run_git(invited, work, "add", "-A", "a.txt")
    run_git(invited, work, "commit", "-qm", "fresh")
    final = submitted(invited)
    assert statuses(final) == {
        "a.txt": ("modified", True),
        "app/main.py": ("added", True),
        "beside/app.py": ("added", True),
        "same.txt": ("deleted", True),
        "sub/lib.py": ("modified", True),
        "task/app.py": ("modified", True),
    }
    for lines in ("-second line\n+SECOND line\n", "+print(1)\n", "-VALUE = 1\n+VALUE = 2\n", "-x = 1\n+x = 2\n"):
        assert lines in final["diff"]


def test_a_repository_that_is_gone_is_said_and_the_work_submitted(invited: Invited) -> None:
    """The candidate is warned before the yes."""
    work = invited.workspace
    make(invited, work, **{"a.txt": "one\n"})
    invited.start()
    (work / "a.txt").write_text("two\n")
    shutil.rmtree(work / ".git")
    done = invited.person.call("submit", "--yes")
    assert done.code == 0, done
    assert "is no longer a git repository" in done.stderr
    assert "1 changed (+1 -1): a.txt" in done.stderr


def facts_below(folder: Path) -> dict[str, tuple[int, ...] | bytes]:
    """Everything that the system reports about each entry below a folder except times of reading, and its content."""
    found: dict[str, tuple[int, ...] | bytes] = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        facts = path.lstat()
        name = str(path.relative_to(folder))
        found[name] = (
            facts.st_mode, facts.st_ino, facts.st_nlink, facts.st_uid, facts.st_gid, facts.st_size,
            facts.st_mtime_ns, facts.st_ctime_ns,
        )  # fmt: skip
        if path.is_file():
            found[f"{name}:"] = path.read_bytes()
    return found


def test_a_whole_session_leaves_git_as_it_was(invited: Invited) -> None:
    """Below ``.git`` no command changes a byte or a time, also not of objects that we need ourselves."""
    work = invited.workspace
    for folder in ("pkg", "pkg/deep", "other"):
        (work / folder).mkdir(parents=True)
        (work / folder / "x.txt").write_text(f"{folder}\n")
    make(invited, work, **{"a.txt": "one\n", "staged.txt": "s\n"})
    make(invited, work / "inner", **{"i.txt": "i\n"})
    (work / "staged.txt").write_text("staged\n")
    run_git(invited, work, "add", "staged.txt")
    past = 1_700_000_000
    for path in (work / ".git").rglob("*"):
        os.utime(path, (past, past), follow_symlinks=False)
    os.utime(work / "a.txt", (past, past))  # the index is stale now, which git would like to mend
    before = {name: facts_below(work / name / ".git") for name in (".", "inner")}

    def unchanged() -> bool:
        return {name: facts_below(work / name / ".git") for name in before} == before

    invited.start()
    assert unchanged()
    invited.person.result("status")
    invited.person.result("inspect")
    assert unchanged()
    (work / "a.txt").write_text("two\n")
    (work / "inner" / "i.txt").write_text("j\n")
    assert statuses(submitted(invited)) == {"a.txt": ("modified", True), "inner/i.txt": ("modified", True)}
    assert unchanged()
    invited.person.result("withdraw", "--yes")
    assert unchanged()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_users_folder_is_refused_with_what_helps(invited: Invited) -> None:
    """Git's own reason and command are shown; nothing has begun, and the same start works once that is done."""
    work = invited.workspace
    make(invited, work, **{"a.txt": "one\n"})
    for path in (work, *work.rglob("*")):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    refused = invited.person.call(*invited.start_words())
    assert refused.code == 1
    assert f"git refuses {work}: detected dubious ownership" in refused.stderr
    assert f"git config --global --add safe.directory {work}" in refused.stderr
    assert list(invited.state.glob("sessions/*")) == []
    for path in (work, *work.rglob("*")):
        os.chown(path, os.geteuid(), os.getegid(), follow_symlinks=False)
    invited.start()


def test_a_pipe_does_not_hold_up_a_start(invited: Invited) -> None:
    """A pipe in place of a settings file, a Cursor rule or a task file is named if that file is needed."""
    work = invited.workspace
    make(invited, work, **{"a.txt": "one\n"})
    for name in (".claude/settings.json", SETTINGS, ".cursor/hooks.json", "pipe"):
        (work / name).parent.mkdir(exist_ok=True)
        os.mkfifo(work / name)
    refused = invited.person.call(*invited.start_words("--ide", "claude"))
    assert refused.code == 1
    assert f"{work / SETTINGS} is a named pipe, not a file" in refused.stderr
    invited.start()
    ran = invited.person.call("run", "claude", "-p", "hello", cwd=work)
    assert ran.code in {125, 126, 127, 0, 1}
    (work / "b.txt").write_text("two\n")
    assert statuses(submitted(invited)) == {"b.txt": ("added", True)}


def swap_for_link(invited: Invited) -> Path:
    """Move ``.claude`` elsewhere, leave a link to another folder of the candidate's, and return that folder's file."""
    outside = invited.folder / "outside"
    outside.mkdir()
    (outside / "settings.local.json").write_text('{"precious": 1}\n')
    (invited.workspace / ".claude").rename(invited.folder / "moved")
    (invited.workspace / ".claude").symlink_to(outside)
    return outside / "settings.local.json"


def test_a_link_that_came_later_is_not_written_through(invited: Invited) -> None:
    """Submitting stops early and says what to do, nothing outside changes, and then it continues."""
    work = invited.workspace
    make(invited, work, **{"a.txt": "one\n"})
    (work / ".claude").mkdir()
    (work / SETTINGS).write_text('{"mine": 1}\n')
    invited.start("--ide", "claude")
    precious = swap_for_link(invited)
    refused = invited.person.call("submit", "--yes")
    assert refused.code == 1
    assert f"{work / '.claude'} is a symbolic link" in refused.stderr
    assert "hooks.PreToolUse" in refused.stderr
    assert "Replace it with a plain file or folder." in refused.stderr
    assert precious.read_text() == '{"precious": 1}\n'
    assert "has not been put back: promptster restore" in invited.person.call("status").stdout
    (work / ".claude").unlink()
    done = invited.person.result("submit", "--yes")
    assert done["restored"] == [{"path": str(work / SETTINGS), "outcome": "put back"}]
    assert (work / SETTINGS).read_text() == '{"mine": 1}\n'
    assert precious.read_text() == '{"precious": 1}\n'
    assert "not put back" not in invited.person.call("status").stdout


def test_withdrawing_does_not_wait_for_a_file(invited: Invited) -> None:
    """A file that cannot be put back is kept and reported, and never delays the withdrawal."""
    work = invited.workspace
    make(invited, work, **{"a.txt": "one\n"})
    (work / ".claude").mkdir()
    (work / SETTINGS).write_text('{"mine": 1}\n')
    invited.start("--ide", "claude")
    (work / SETTINGS).unlink()
    os.mkfifo(work / SETTINGS)
    done = invited.person.call("withdraw", "--yes")
    assert done.code == 0, done
    words = " ".join(done.stdout.split())
    assert "Not put back: " in words
    assert "is a named pipe, not a file." in words
    assert "env.ANTHROPIC_BASE_URL" in words
    (kept,) = invited.state.glob("sessions/*/not-put-back/*")
    assert kept.read_text() == '{"mine": 1}\n'
    assert kept.stat().st_mode & 0o077 == 0
    assert str(kept).removeprefix(str(invited.person.home)) in words
