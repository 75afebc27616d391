"""Which folders are suitable, and how a workspace comes to hold a repository."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.helpers.git_repositories import digest_of, run_git

from promptster.errors import WorkspaceError
from promptster.paths import Paths
from promptster.session.workspace.preparing import Plan, plan_workspace, prepare

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Promptster's own folders, outside of every workspace."""
    return Paths(config=tmp_path / "own" / "config", data=tmp_path / "own" / "data", state=tmp_path / "own" / "state")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The assessment's repository, with hooks in it."""
    root = tmp_path / "source"
    root.mkdir()
    run_git(root, "init", "-q")
    (root / "task.md").write_text("do it\n")
    run_git(root, "add", "-A")
    run_git(root, "commit", "-qm", "task")
    for hook in ("post-checkout", "post-merge"):
        (root / ".git" / "hooks").mkdir(exist_ok=True)
        (root / ".git" / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {tmp_path}/hook-ran\n")
        (root / ".git" / "hooks" / hook).chmod(0o755)
    return root


def test_a_plan_changes_nothing(tmp_path: Path, paths: Paths, source: Path) -> None:
    """Neither a folder nor a file appears before consent."""
    before = digest_of(tmp_path)
    plan = plan_workspace(tmp_path / "new" / "work", str(source), paths)
    assert plan.plan is Plan.CLONE
    assert plan.repository == str(source)
    assert plan.sentence() == f"clones the task into {tmp_path / 'new' / 'work'}"
    assert plan_workspace(tmp_path / "other", None, paths).plan is Plan.INIT
    assert plan_workspace(source, None, paths).plan is Plan.TAKE
    assert digest_of(tmp_path) == before


def test_the_repository_is_cloned_and_no_hook_runs(tmp_path: Path, paths: Paths, source: Path) -> None:
    """It is cloned into a new or an empty folder, without user templates and hooks."""
    (tmp_path / "empty").mkdir()
    for name in ("new/work", "empty"):
        plan = plan_workspace(tmp_path / name, str(source), paths)
        prepare(plan)
        assert (tmp_path / name / "task.md").read_text() == "do it\n"
        assert run_git(tmp_path / name, "status", "--porcelain") == ""
        assert plan_workspace(tmp_path / name, str(source), paths).plan is Plan.TAKE
    assert not (tmp_path / "hook-ran").exists()


def test_without_a_repository_an_empty_one_is_made(tmp_path: Path, paths: Paths) -> None:
    """The plan says so before."""
    plan = plan_workspace(tmp_path / "work", None, paths)
    assert plan.sentence().startswith("creates an empty git repository")
    prepare(plan)
    assert run_git(tmp_path / "work", "rev-parse", "--is-inside-work-tree") == "true"


def test_a_work_tree_is_taken_as_it_is(paths: Paths, source: Path) -> None:
    """Preparing changes nothing in it."""
    (source / "dirty.txt").write_text("d\n")
    before = digest_of(source)
    prepare(plan_workspace(source, "https://example.com/other.git", paths))
    assert digest_of(source) == before


@pytest.mark.parametrize(
    "address",
    [
        "ext::sh -c touch% /tmp/x",
        "--upload-pack=touch /tmp/x",
        "http://example.com/plain.git",
        "git://example.com/unsigned.git",
        "fd::17",
        "relative/path",
        "https://example.com/a\nb",
    ],
)
def test_addresses_that_could_run_something_are_refused(tmp_path: Path, paths: Paths, address: str) -> None:
    """They are refused before anything is made."""
    with pytest.raises(WorkspaceError) as caught:
        plan_workspace(tmp_path / "work", address, paths)
    assert caught.value.code == "repository_address"
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    "local", ["/home/somebody/private", "file:///home/somebody/private", "http://127.0.0.1:1/x.git"]
)
def test_a_distant_collector_cannot_name_a_folder_of_this_machine(tmp_path: Path, paths: Paths, local: str) -> None:
    """A collector elsewhere may not have a local folder cloned."""
    assert plan_workspace(tmp_path / "work", local, paths).plan is Plan.CLONE
    with pytest.raises(WorkspaceError) as caught:
        plan_workspace(tmp_path / "work", local, paths, local_allowed=False)
    assert caught.value.code == "repository_address"


def test_a_clone_that_fails_leaves_nothing(tmp_path: Path, paths: Paths) -> None:
    """The folder that was made for it is removed, and the error says what to do."""
    plan = plan_workspace(tmp_path / "work", str(tmp_path / "nowhere"), paths)
    with pytest.raises(WorkspaceError) as caught:
        prepare(plan)
    assert caught.value.code == "clone_failed"
    assert "invite is still valid" in (caught.value.hint or "")
    assert not (tmp_path / "work").exists()


def test_unsuitable_folders_are_refused_with_a_better_one(
    tmp_path: Path, paths: Paths, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Home and above, our own folders, inside another work tree, inside .git, files without a repository, a file."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (source / "inner").mkdir()
    (source / "inner" / "file").write_text("f")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "file").write_text("f")
    paths.state.mkdir(parents=True)
    for folder in (
        tmp_path / "home",
        tmp_path,
        tmp_path / "own",
        paths.state / "sessions",
        source / "inner",
        source / ".git" / "x",
        tmp_path / "plain",
        tmp_path / "plain" / "file",
    ):
        with pytest.raises(WorkspaceError) as caught:
            plan_workspace(folder, None, paths)
        assert caught.value.code == "workspace_unsuitable"
        assert caught.value.hint


@pytest.mark.parametrize("name", ["inner", "inner/deeper"])
def test_an_empty_folder_of_a_work_tree_is_refused_too(
    paths: Paths, source: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """No repository is made inside another one, unless that one is the whole home folder."""
    (source / "inner").mkdir()
    with pytest.raises(WorkspaceError) as caught:
        plan_workspace(source / name, None, paths)
    assert caught.value.code == "workspace_unsuitable"
    assert str(source) in (caught.value.hint or "")
    monkeypatch.setenv("HOME", str(source))
    assert plan_workspace(source / name, None, paths).plan is Plan.INIT


@pytest.mark.parametrize("name", ["new/work", "empty"])
@pytest.mark.parametrize("plan_of", [Plan.CLONE, Plan.INIT])
def test_what_was_prepared_is_put_back(tmp_path: Path, paths: Paths, source: Path, name: str, plan_of: Plan) -> None:
    """A failed start leaves the folders as they were; what others put there meanwhile stays."""
    (tmp_path / "empty").mkdir()
    before = set(tmp_path.rglob("*"))
    plan = plan_workspace(tmp_path / name, str(source) if plan_of is Plan.CLONE else None, paths)
    assert plan.plan is plan_of
    prepare(plan).undo()
    assert set(tmp_path.rglob("*")) == before
    made = prepare(plan)
    (plan.root / "notes.txt").write_text("mine\n")
    made.undo()
    assert (plan.root / "notes.txt").read_text() == "mine\n"
    assert (plan.root / ".git").is_dir()


def test_a_work_tree_that_was_there_is_not_put_back(paths: Paths, source: Path) -> None:
    """Nothing was made, so nothing is removed."""
    before = digest_of(source)
    prepare(plan_workspace(source, None, paths)).undo()
    assert digest_of(source) == before


def test_a_folder_reached_through_a_link_is_its_target(tmp_path: Path, paths: Paths, source: Path) -> None:
    """The workspace has one name, so that it is found again."""
    (tmp_path / "link").symlink_to(source)
    assert plan_workspace(tmp_path / "link", None, paths).root == source


def test_without_git_the_error_says_so(tmp_path: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check for git comes before all others."""
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(WorkspaceError, match="git is not installed"):
        plan_workspace(tmp_path / "work", None, paths)
