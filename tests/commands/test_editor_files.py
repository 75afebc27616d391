"""Files for an editor's agent and the candidate's own commits: none of Promptster's entries remain."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.helpers.hiring import Invited


def _git(invited: Invited, *words: str) -> str:
    environ = {**invited.person.environment(), "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com"}
    environ |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com"}
    done = subprocess.run(["git", *words], cwd=invited.workspace, env=environ, check=True, capture_output=True)
    return os.fsdecode(done.stdout)


def test_no_commit_holds_our_files(invited: Invited) -> None:
    """After everything was added and committed, the history has the work but not the token, and git is clean."""
    invited.workspace.mkdir()
    _git(invited, "init", "-q")
    exclude = invited.workspace / ".git" / "info" / "exclude"
    before = exclude.read_bytes()
    invited.start("--ide", "claude", "--ide", "cursor")
    assert (invited.workspace / ".claude" / "settings.local.json").exists()
    (invited.workspace / "work.py").write_text("print()\n")
    _git(invited, "add", "-A")
    _git(invited, "commit", "-q", "-m", "work")
    assert _git(invited, "ls-files").split() == ["work.py"]
    invited.end_processes()
    invited.person.result("resume")
    assert _git(invited, "status", "--porcelain") == ""
    submitted = invited.person.result("submit", "--yes")
    assert submitted["received"] > 0
    assert _git(invited, "status", "--porcelain") == ""
    assert exclude.read_bytes() == before


def test_an_own_file_that_git_does_not_have_stays_in_the_work(invited: Invited) -> None:
    """It is hidden from commits while it has our entries, and is not reported as deleted."""
    own = invited.workspace / ".claude" / "settings.local.json"
    own.parent.mkdir(parents=True)
    own.write_text('{"model": "x"}\n')
    _git(invited, "init", "-q")
    invited.start("--ide", "claude")
    assert _git(invited, "status", "--porcelain") == ""
    shown = invited.person.call("submit", "--yes").stdout
    assert "settings.local.json" not in shown.replace(f"Put back: {own}", "")
    assert _git(invited, "status", "--porcelain") == "?? .claude/\n"
    assert own.read_text() == '{"model": "x"}\n'


def test_a_tracked_file_with_a_token_is_refused(invited: Invited) -> None:
    """It cannot be kept out of the next commit, so the start is refused early, with the way out."""
    own = invited.workspace / ".claude" / "settings.local.json"
    own.parent.mkdir(parents=True)
    own.write_text("{}\n")
    _git(invited, "init", "-q")
    _git(invited, "add", "-A")
    answer = invited.person.call(*invited.start_words("--ide", "claude"))
    assert answer.code == 1
    assert "error: git tracks .claude/settings.local.json" in answer.stderr
    assert "git rm --cached .claude/settings.local.json" in answer.stderr
    assert invited.person.result("status") == {"state": "none"}


def test_a_tracked_file_without_a_token_is_named(invited: Invited) -> None:
    """Cursor's file holds no secret, so it is prepared, with a note about commits."""
    own = invited.workspace / ".cursor" / "hooks.json"
    own.parent.mkdir(parents=True)
    own.write_text('{"version": 1, "hooks": {}}\n')
    _git(invited, "init", "-q")
    _git(invited, "add", "-A")
    answer = invited.person.call(*invited.start_words("--ide", "cursor"))
    assert answer.code == 0
    assert "warning: git tracks .cursor/hooks.json; do not commit it" in answer.stderr
