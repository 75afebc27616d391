"""Claude Code's recipe: one merged settings file, the candidate's own settings kept, no token in the arguments."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.launching import TICKET, request_for

from promptster.errors import LaunchError
from promptster.session.agents.claude import AGENT, merge_settings, take_settings
from promptster.session.agents.interface import with_loopback
from promptster_hooks.agents import claude_code

if TYPE_CHECKING:
    from pathlib import Path

    from promptster.session.agents.interface import Launch


def _settings(launch: Launch) -> dict[str, Any]:
    assert launch.arguments[0] == "--settings"
    with open(launch.arguments[1]) as file:  # noqa: PTH123 - an argument is text
        value: dict[str, Any] = json.load(file)
    return value


def test_one_private_file_carries_everything(tmp_path: Path) -> None:
    """The file is 0600 in the run folder and holds base URL, hooks and token; the arguments hold no token."""
    launch = AGENT.prepare(request_for(tmp_path, "-p", "do it"))
    settings = _settings(launch)
    path = launch.arguments[1]
    assert launch.arguments[2:] == ("-p", "do it")
    assert path.startswith(str(tmp_path / "run"))
    assert os.stat(path).st_mode & 0o777 == 0o600  # noqa: PTH116 - an argument is text
    assert settings["env"]["ANTHROPIC_BASE_URL"] == TICKET.base_urls["claude"]
    assert settings["disableAllHooks"] is False
    assert not any(TICKET.token in word for word in launch.arguments)
    urls = [hook.get("url", "") for groups in settings["hooks"].values() for group in groups for hook in group["hooks"]]
    assert urls.count(TICKET.hook_url) == len(claude_code.EVENTS)
    assert not any(TICKET.token in url for url in urls)
    assert not claude_code.NEVER_REGISTERED & set(settings["hooks"])


def test_the_environment_is_the_candidates_own(tmp_path: Path) -> None:
    """Claude Code's process gets exactly the environment that the candidate had."""
    request = request_for(tmp_path, "-p", "x", environ={"A": "b"})
    assert AGENT.prepare(request).environ == {"A": "b"}


@pytest.mark.parametrize("form", ["separate", "joined", "inline"])
def test_own_settings_are_merged_under_ours(tmp_path: Path, form: str) -> None:
    """The candidate's ``--settings``, file or JSON, is taken out and merged; hook lists are joined, theirs first."""
    theirs = {
        "env": {"ANTHROPIC_BASE_URL": "http://elsewhere", "MINE": "1"},
        "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "mine"}]}]},
        "model": "opus",
    }
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(theirs))
    words = {
        "separate": ("--settings", str(file)),
        "joined": (f"--settings={file}",),
        "inline": ("--settings", json.dumps(theirs)),
    }[form]
    launch = AGENT.prepare(request_for(tmp_path, "-p", *words, "--verbose"))
    settings = _settings(launch)
    assert launch.arguments[2:] == ("-p", "--verbose")
    assert settings["model"] == "opus"
    assert settings["env"]["MINE"] == "1"
    assert settings["env"]["ANTHROPIC_BASE_URL"] == TICKET.base_urls["claude"]
    assert settings["hooks"]["Stop"][0]["hooks"][0]["command"] == "mine"
    assert settings["hooks"]["Stop"][1]["hooks"][0]["url"] == TICKET.hook_url


def test_only_the_last_settings_count_and_a_prompt_may_look_like_one() -> None:
    """As in Claude Code the last ``--settings`` wins; behind ``--`` nothing is an option."""
    assert take_settings(("--settings", "a", "x", "--settings=b")) == (("x",), "b")


def test_behind_the_separator_nothing_is_ours(tmp_path: Path) -> None:
    """Words behind ``--`` reach the agent as they are."""
    launch = AGENT.prepare(request_for(tmp_path, "-p", "--", "--settings", "x", "--cloud"))
    assert launch.arguments[2:] == ("-p", "--", "--settings", "x", "--cloud")


@pytest.mark.parametrize(
    "words", [("--settings", "/no/such"), ("--settings", "{bad"), ("--settings",), ("--settings=[]",)]
)
def test_settings_that_cannot_be_read_stop_the_launch(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A broken ``--settings`` is our refusal (125) and never silently dropped."""
    with pytest.raises(LaunchError) as caught:
        AGENT.prepare(request_for(tmp_path, *words))
    assert caught.value.exit_code == 125


@pytest.mark.parametrize("first", ["mcp", "--version", "update", "doctor", "auth"])
def test_housekeeping_runs_as_if_we_were_not_there(tmp_path: Path, first: str) -> None:
    """Commands that start no conversation get nothing from us."""
    assert AGENT.prepare(request_for(tmp_path, first, "list")).arguments == (first, "list")


@pytest.mark.parametrize(
    ("words", "environ"),
    [
        (("--bare",), {}),
        (("--safe-mode",), {}),
        ((), {"CLAUDE_CODE_SIMPLE": "1"}),
        ((), {"CLAUDE_CODE_SAFE_MODE": "true"}),
    ],
)
def test_hooks_that_are_off_are_said_and_recorded(
    tmp_path: Path, words: tuple[str, ...], environ: dict[str, str]
) -> None:
    """What switches hooks off is told to the candidate and to the reviewer."""
    launch = AGENT.prepare(request_for(tmp_path, *words, environ=environ))
    assert "hooks off" in launch.notes[0]
    assert launch.drafts[0]["kind"] == "capture_degraded"


def test_a_repository_cannot_redirect_the_calls(tmp_path: Path) -> None:
    """Project settings that name a base URL or switch hooks off are overruled and recorded."""
    request = request_for(tmp_path)
    folder = request.workspace / ".claude"
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text('{"env":{"ANTHROPIC_BASE_URL":"http://evil"},"disableAllHooks":true}')
    launch = AGENT.prepare(request)
    assert _settings(launch)["env"]["ANTHROPIC_BASE_URL"] == TICKET.base_urls["claude"]
    (event,) = launch.drafts
    assert event["kind"] == "capture_config_changed"
    assert event["fields"]["path_name"] == ".claude/settings.json"
    assert "ANTHROPIC_BASE_URL" in event["fields"]["detail"]


def test_a_corporate_no_proxy_stays(tmp_path: Path) -> None:
    """NO_PROXY keeps the entries that the user's own settings or environment give it."""
    request = request_for(tmp_path, environ={"HOME": str(tmp_path), "NO_PROXY": "a.example", "no_proxy": "b.example"})
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / "settings.json").write_text('{"env":{"NO_PROXY":"corp.example"}}')
    env = _settings(AGENT.prepare(request))["env"]
    assert (env["NO_PROXY"], env["no_proxy"]) == ("corp.example,127.0.0.1", "b.example,127.0.0.1")


@pytest.mark.parametrize("value", ["*", "x,127.0.0.1"])
def test_loopback_is_named_once(value: str) -> None:
    """A list that covers this machine already is left as it is."""
    assert with_loopback(value) == value


def test_work_elsewhere_is_refused(tmp_path: Path) -> None:
    """A session in the cloud could not be recorded, so it is not started as if it were."""
    with pytest.raises(LaunchError, match="cloud"):
        AGENT.prepare(request_for(tmp_path, "--cloud"))


def test_hooks_only_leaves_the_base_url_alone(tmp_path: Path) -> None:
    """Where the candidate agreed to be recorded by hooks only, the API traffic goes where it went."""
    settings = _settings(AGENT.prepare(request_for(tmp_path, hooks_only=True)))
    assert "ANTHROPIC_BASE_URL" not in settings["env"]
    assert "PreToolUse" in settings["hooks"]


def test_merging_changes_neither_side() -> None:
    """The merge makes new values."""
    theirs: dict[str, Any] = {"a": [1], "b": {"c": 1}}
    ours: dict[str, Any] = {"a": [2], "b": {"d": 2}, "e": 3}
    assert merge_settings(theirs, ours) == {"a": [1, 2], "b": {"c": 1, "d": 2}, "e": 3}
    assert theirs == {"a": [1], "b": {"c": 1}}
