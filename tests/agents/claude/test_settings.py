"""The candidate's own ``--settings`` for Claude Code: they apply together with ours, and are never written to disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.launching import TICKET, recording_session, request_for

from promptster.agents.claude.launch import ClaudeLaunch
from promptster.agents.claude.settings import take_settings
from promptster.agents.merging import merge_settings
from promptster.errors import LaunchError
from promptster.session.launch.launcher import prepare
from promptster.system.memory_file import memory_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.agents.launching import Launch

KEY = "sk-ant-planted-Kq7vZx0123456789"
_AGENT = """#!/bin/sh
printf '%s\\n' "$1" "$2" "$#"
cat "$2" && echo
tr '\\0' '\\n' < /proc/$$/cmdline | grep -c KEY
grep -rlsF -D skip KEY ROOTS
sh -c 'cat "$0" > /dev/null && echo readable' "$2"
exit 7
"""


def _settings(launch: Launch) -> dict[str, Any]:
    """What Claude Code would read, and then the end of the agent."""
    assert launch.arguments[0] == "--settings"
    value: dict[str, Any] = json.loads(Path(launch.arguments[1]).read_bytes())
    for descriptor in launch.descriptors:
        os.close(descriptor)
    return value


def _holding(root: Path, text: str) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def _words(form: str, theirs: dict[str, Any], folder: Path) -> tuple[str, ...]:
    """The candidate's settings in one of the three forms that Claude Code accepts."""
    if form == "inline":
        return "--settings", json.dumps(theirs)
    file = folder / "mine.json"
    file.write_text(json.dumps(theirs))
    return ("--settings", str(file)) if form == "separate" else (f"--settings={file}",)


@pytest.fixture
def theirs() -> dict[str, Any]:
    """Settings with a key in every place from which Claude Code reads one."""
    header = {"Authorization": f"Bearer {KEY}"}
    return {
        "env": {
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_AUTH_TOKEN": KEY,
            "ANTHROPIC_CUSTOM_HEADERS": f"x-gateway: {KEY}",
            "ANTHROPIC_BASE_URL": "https://api.anthropic.com",
            "MINE": "1",
        },
        "apiKeyHelper": f"echo {KEY}",
        "hooks": {"Stop": [{"hooks": [{"type": "http", "url": "https://example.com", "headers": header}]}]},
        "model": "opus",
    }


@pytest.mark.parametrize("form", ["separate", "joined", "inline"])
def test_own_settings_are_merged_under_ours(tmp_path: Path, form: str, theirs: dict[str, Any]) -> None:
    """The candidate's settings are taken from the arguments and merged; hook lists are joined, theirs first."""
    launch = ClaudeLaunch().prepare(request_for(tmp_path, "-p", *_words(form, theirs, tmp_path), "--verbose"))
    settings = _settings(launch)
    assert launch.arguments[2:] == ("-p", "--verbose")
    assert settings["model"] == "opus"
    assert settings["apiKeyHelper"] == f"echo {KEY}"
    assert {**settings["env"], **theirs["env"]} == {
        **settings["env"],
        "ANTHROPIC_BASE_URL": "https://api.anthropic.com",
    }
    assert settings["env"]["ANTHROPIC_BASE_URL"] == TICKET.base_urls["claude"]
    assert settings["hooks"]["Stop"][0] == theirs["hooks"]["Stop"][0]
    assert settings["hooks"]["Stop"][1]["hooks"][0]["url"] == TICKET.hook_url("claude")


@pytest.mark.parametrize("form", ["separate", "joined", "inline"])
def test_no_file_holds_their_key(tmp_path: Path, form: str, theirs: dict[str, Any]) -> None:
    """None of the settings is written: no file but the candidate's own has the key."""
    launch = ClaudeLaunch().prepare(request_for(tmp_path, *_words(form, theirs, tmp_path)))
    assert _holding(tmp_path, KEY) == ([] if form == "inline" else [tmp_path / "mine.json"])
    assert not any(KEY in word or TICKET.token in word for word in launch.arguments)
    assert KEY in json.dumps(_settings(launch))
    assert not Path(launch.arguments[1]).exists()


@pytest.mark.parametrize("form", ["separate", "inline"])
def test_no_file_holds_their_key_while_the_agent_runs(tmp_path: Path, form: str, theirs: dict[str, Any]) -> None:
    """In a real ``promptster run`` the program and its children read all settings at the path that it is given.

    While it runs, the program itself looks for the key in every file of home, state and run folders and in its own
    arguments. Afterwards the path is gone.
    """
    for name in ("bin", "theirs", "ours"):
        (tmp_path / name).mkdir()
    words = _words(form, theirs, tmp_path / "theirs")
    program = tmp_path / "bin" / "claude"
    with recording_session(tmp_path / "ours") as made:
        program.write_text(_AGENT.replace("KEY", KEY).replace("ROOTS", f"{tmp_path / 'ours'} {made.folder.run}"))
        program.chmod(0o755)
        environ = made.environ(PATH=f"{program.parent}:/usr/bin:/bin", HOME=str(tmp_path / "ours"))
        done = subprocess.run(
            [sys.executable, "-m", "promptster", "run", "claude", "--", *words, "-p"], cwd=made.workspace,
            env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert _holding(tmp_path / "ours", KEY) == _holding(made.folder.run, KEY) == []
    option, path, count, merged, in_arguments, *rest = done.stdout.splitlines()
    assert (option, count, done.returncode, done.stderr) == ("--settings", "3", 7, "")
    assert json.loads(merged)["env"]["ANTHROPIC_API_KEY"] == KEY
    assert in_arguments == "0"
    assert rest == ["readable"]
    assert not Path(path).exists()


def test_nobody_can_change_what_the_agent_reads() -> None:
    """The file in memory cannot be written, not even by its owner."""
    kept = memory_file(b"{}" * 50_000)
    assert kept is not None
    descriptor, path = kept
    try:
        assert Path(path).read_bytes() == b"{}" * 50_000
        assert not os.get_inheritable(descriptor)
        with pytest.raises(OSError, match="not permitted"):
            os.write(descriptor, b"x")
    finally:
        os.close(descriptor)


def test_without_such_files_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system keeps no files in memory, own settings are refused with a way out, and no file is made."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(LaunchError) as caught:
        ClaudeLaunch().prepare(request_for(tmp_path, "--settings", json.dumps({"env": {"A": KEY}})))
    assert (caught.value.code, caught.value.exit_code) == ("own_settings", 125)
    assert "~/.claude/settings.json" in (caught.value.hint or "")
    assert _holding(tmp_path, KEY) == []


@pytest.mark.parametrize("word", ["--bg", "--background"])
def test_background_work_takes_no_own_settings(tmp_path: Path, word: str) -> None:
    """Work in the background outlives the agent and its memory; without own settings the option is as before."""
    with pytest.raises(LaunchError, match=f"with {word}: ") as caught:
        ClaudeLaunch().prepare(request_for(tmp_path, "--settings", "{}", word, "do it"))
    assert caught.value.code == "own_settings"
    assert ClaudeLaunch().prepare(request_for(tmp_path, word, "do it")).arguments[2:] == (word, "do it")


def test_rules_keep_the_folder_that_their_paths_begin_at(tmp_path: Path) -> None:
    """A path with one slash begins at the settings file's folder; other rules and lists are unchanged."""
    folder = tmp_path / "a [b]"
    folder.mkdir()
    rules = ["Read(/secret.txt)", "Edit(//etc/**)", "Read(./x)", "Bash(/bin/ls:*)", "WebFetch", 5]
    permissions = {"deny": rules, "defaultMode": "plan"}
    (folder / "mine.json").write_text(json.dumps({"permissions": permissions}))
    launch = ClaudeLaunch().prepare(request_for(tmp_path, "--settings", str(folder / "mine.json")))
    escaped = f"{tmp_path}/a \\[b\\]"
    expected = [f"Read(/{escaped}/secret.txt)", *rules[1:]]
    assert _settings(launch)["permissions"] == {"deny": expected, "defaultMode": "plan"}


def test_an_own_no_proxy_stays(tmp_path: Path) -> None:
    """NO_PROXY in the candidate's settings counts before every other place, with this machine added."""
    request = request_for(
        tmp_path, "--settings", json.dumps({"env": {"NO_PROXY": "a.example"}}), environ={"NO_PROXY": "b.example"}
    )
    assert _settings(ClaudeLaunch().prepare(request))["env"]["NO_PROXY"] == "a.example,127.0.0.1"


def test_a_company_in_own_settings_is_refused(tmp_path: Path) -> None:
    """A gateway there would be overridden and its key sent elsewhere, so it is refused by name and not written."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "claude"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    environ = {"PATH": str(program.parent), "HOME": str(tmp_path)}
    with recording_session(tmp_path) as made:
        for variable, value in (("ANTHROPIC_BASE_URL", "https://gateway.example"), ("CLAUDE_CODE_USE_BEDROCK", 1)):
            words = ("--settings", json.dumps({"env": {variable: value, "ANTHROPIC_AUTH_TOKEN": KEY}}))
            with pytest.raises(LaunchError, match=f"{variable} in the settings that you passed") as caught:
                prepare("claude", words, made.paths, environ)
            assert caught.value.code == "company_provider"
        assert _holding(tmp_path, KEY) == []


def test_only_the_last_settings_count() -> None:
    """As in Claude Code the last ``--settings`` counts."""
    assert take_settings(("--settings", "a", "x", "--settings=b")) == (("x",), "b")


def test_after_the_separator_nothing_is_ours(tmp_path: Path) -> None:
    """Arguments after ``--`` reach the agent unchanged."""
    launch = ClaudeLaunch().prepare(request_for(tmp_path, "-p", "--", "--settings", "x", "--cloud"))
    assert launch.arguments[2:] == ("-p", "--", "--settings", "x", "--cloud")


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """A named pipe."""
    os.mkfifo(tmp_path / "pipe")
    yield tmp_path / "pipe"
    (tmp_path / "pipe").unlink()


def test_a_pipe_is_refused(tmp_path: Path, pipe: Path) -> None:
    """Claude Code refuses a pipe, and waiting for one would hang."""
    with pytest.raises(LaunchError, match="cannot read your --settings"):
        ClaudeLaunch().prepare(request_for(tmp_path, "--settings", str(pipe)))


@pytest.mark.parametrize(
    "words", [("--settings", "/no/such"), ("--settings", "{bad"), ("--settings",), ("--settings=[]",)]
)
def test_settings_that_cannot_be_read_stop_the_launch(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A broken ``--settings`` is refused with 125 and never silently dropped."""
    with pytest.raises(LaunchError) as caught:
        ClaudeLaunch().prepare(request_for(tmp_path, *words))
    assert caught.value.exit_code == 125


def test_merging_changes_neither_side() -> None:
    """The merge makes new values."""
    one: dict[str, Any] = {"a": [1], "b": {"c": 1}}
    ours: dict[str, Any] = {"a": [2], "b": {"d": 2}, "e": 3}
    assert merge_settings(one, ours) == {"a": [1, 2], "b": {"c": 1, "d": 2}, "e": 3}
    assert one == {"a": [1], "b": {"c": 1}}
