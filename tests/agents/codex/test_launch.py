"""Codex's recipe: everything is passed by ``-c``, hooks are trusted by Codex's own hashes, no token is an argument."""

from __future__ import annotations

import json
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.launching import TICKET, TOKEN, request_for

from promptster.agents.codex import hook_events
from promptster.agents.codex.hook_trust import PATIENCE_S
from promptster.agents.codex.launch import CodexLaunch, config_overrides, toml_string, uses_chatgpt
from promptster.errors import LaunchError
from promptster.protocol.events.kinds import CaptureDegraded

if TYPE_CHECKING:
    from promptster.agents.launching import Launch

_FAKE = Path(__file__).resolve().parents[2] / "helpers" / "fake_codex.py"


def _program(folder: Path, mode: str = "answers") -> Path:
    """A program that lists hooks as ``codex app-server`` does, and writes down how often it was asked."""
    program = folder / "codex"
    program.write_text(f'#!/bin/sh\nexec python3 {shlex.quote(str(_FAKE))} {mode} {shlex.quote(str(folder))} "$@"\n')
    program.chmod(0o755)
    return program


def _prepare(
    folder: Path, *arguments: str, mode: str = "answers", patience_s: float = PATIENCE_S, **environ: str
) -> Launch:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    variables = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "CODEX_API_KEY": "k", **environ}
    request = request_for(folder, *arguments, program=_program(folder, mode), environ=variables)
    return CodexLaunch(patience_s=patience_s).prepare(request)


def _config(launch: Launch) -> dict[str, Any]:
    """Codex's configuration from the ``-c`` options."""
    merged: dict[str, Any] = {}
    for key, value in config_overrides(launch.arguments):
        place = merged
        *parents, last = key.split(".")
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = tomllib.loads(f"x={value}")["x"]
    return merged


def test_everything_travels_by_options(tmp_path: Path) -> None:
    """Provider, hooks and trusted hashes come before the candidate's own arguments, which follow unchanged."""
    launch = _prepare(tmp_path, "exec", "--json", "do it")
    config = _config(launch)
    provider = config["model_providers"]["promptster"]
    assert launch.arguments[-3:] == ("exec", "--json", "do it")
    assert config["model_provider"] == "promptster"
    assert provider["base_url"] == TICKET.base_urls["codex"]
    assert provider["requires_openai_auth"] is True
    assert set(hook_events.EVENTS) <= set(config["hooks"])
    assert len(config["hooks"]["state"]) == len(hook_events.EVENTS)
    assert launch.notes == ()


def test_the_token_is_in_the_environment_and_nowhere_else(tmp_path: Path) -> None:
    """Arguments can be read by other users, so the header's value comes from a variable."""
    launch = _prepare(tmp_path, "exec", "x")
    (variable,) = _config(launch)["model_providers"]["promptster"]["env_http_headers"].values()
    assert launch.environ[variable] == TOKEN
    assert not any(TOKEN in word for word in launch.arguments)


def test_the_hook_command_survives_quoting(tmp_path: Path) -> None:
    """A path with a space arrives as one argument."""
    config = _config(_prepare(tmp_path, "exec", "x"))
    command = config["hooks"]["PreToolUse"][0]["hooks"][0]["command"]
    assert shlex.split(command)[-3:] == ["codex", TICKET.hook_socket, TICKET.spool]


def test_codex_is_asked_once_for_the_same_hooks(tmp_path: Path) -> None:
    """Hashes are remembered by version and hooks; Codex is asked in a scratch home folder."""
    first, second = (_prepare(tmp_path, "exec", "x") for _ in range(2))
    asked = (tmp_path / "asked").read_text().splitlines()
    assert first.arguments == second.arguments
    assert len(asked) == 1
    assert str(tmp_path / "home") not in asked[0]


@pytest.mark.parametrize("mode", ["silent", "refuses", "dies", "garbles", "empty"])
def test_without_hashes_the_agent_still_starts(tmp_path: Path, mode: str) -> None:
    """If Codex does not list its hooks, it is launched with its traffic recorded, and a message says so."""
    launch = _prepare(tmp_path, "exec", "x", mode=mode, patience_s=2.0 if mode != "silent" else 0.4)
    config = _config(launch)
    assert config["model_provider"] == "promptster"
    assert "hooks" not in config
    assert "hooks do not run in Codex" in launch.notes[0]
    assert isinstance(launch.events[0], CaptureDegraded)


@pytest.mark.parametrize("words", [("-c", "features.hooks=false"), ("--disable", "hooks"), ("-chooks.Stop=[]",)])
def test_hooks_that_the_candidate_switched_off_stay_off(tmp_path: Path, words: tuple[str, ...]) -> None:
    """The candidate's own ``-c`` on hooks applies; ours are left out and that is recorded."""
    launch = _prepare(tmp_path, *words, "exec", "x")
    assert isinstance(launch.events[0], CaptureDegraded)
    assert "-c" in launch.notes[0]


def test_hooks_switched_off_in_the_configuration_are_noticed(tmp_path: Path) -> None:
    """``features.hooks = false`` in config.toml would silence ours too."""
    (tmp_path / "home" / ".codex").mkdir(parents=True)
    (tmp_path / "home" / ".codex" / "config.toml").write_text("[features]\nhooks = false\n")
    assert "config.toml" in _prepare(tmp_path, "exec", "x").notes[0]


@pytest.mark.parametrize(
    "words",
    [
        ("-c", 'model_provider="azure"'),
        ("exec", "--config=model_provider=azure"),
        ("-copenai_base_url=http://x",),
        ("--oss",),
        ("cloud",),
        ("--remote", "ws://x"),
    ],
)
def test_another_provider_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A call that would go elsewhere is refused with a reason and never launched unrecorded."""
    with pytest.raises(LaunchError) as caught:
        _prepare(tmp_path, *words)
    assert caught.value.exit_code == 125


def test_a_prompt_may_name_anything(tmp_path: Path) -> None:
    """Arguments after ``--`` and positional ones after the first are not commands."""
    assert _prepare(tmp_path, "exec", "cloud").arguments[-1] == "cloud"
    assert _prepare(tmp_path, "--", "-c", "model_provider=x").arguments[-2:] == ("-c", "model_provider=x")


@pytest.mark.parametrize("first", ["login", "mcp", "--version", "features"])
def test_housekeeping_runs_as_if_we_were_not_there(tmp_path: Path, first: str) -> None:
    """Commands that start no conversation get neither arguments nor variables from promptster."""
    launch = _prepare(tmp_path, first)
    assert launch.arguments == (first,)
    assert "PROMPTSTER_TOKEN" not in launch.environ


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        ({"auth_mode": "chatgpt", "tokens": {"access_token": "x"}}, True),
        ({"auth_mode": "apikey", "OPENAI_API_KEY": "sk"}, False),
        ({"tokens": {"access_token": "x"}, "OPENAI_API_KEY": None}, True),
        ({"OPENAI_API_KEY": "sk"}, False),
        ([], False),
    ],
)
def test_the_login_decides_the_upstream(tmp_path: Path, login: object, expected: bool) -> None:  # noqa: FBT001 - a case
    """A ChatGPT login goes to ChatGPT's backend, a key to the API."""
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "auth.json").write_text(json.dumps(login))
    assert uses_chatgpt(request_for(tmp_path, environ={"HOME": str(tmp_path)})) is expected


def test_a_login_in_the_keyring_is_asked_from_codex(tmp_path: Path) -> None:
    """Without auth.json only Codex knows; it reports it on standard error."""
    environ = {"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    request = request_for(tmp_path, program=_program(tmp_path, "chatgpt"), environ=environ)
    assert uses_chatgpt(request) is True
    launch = CodexLaunch().prepare(
        request_for(tmp_path, "exec", program=_program(tmp_path, "chatgpt"), environ=environ)
    )
    assert _config(launch)["model_providers"]["promptster"]["base_url"] == "http://127.0.0.1:4711/chatgpt"
    assert uses_chatgpt(request_for(tmp_path, program=tmp_path / "gone", environ=environ)) is False


def test_a_corporate_proxy_does_not_take_loopback(tmp_path: Path) -> None:
    """With a proxy in the environment NO_PROXY names this machine; without one the environment is unchanged."""
    with_proxy = _prepare(tmp_path, "exec", "x", HTTPS_PROXY="http://corp:1", NO_PROXY="a.example")
    assert with_proxy.environ["NO_PROXY"] == "a.example,127.0.0.1"
    assert with_proxy.environ["no_proxy"] == "127.0.0.1"
    assert "NO_PROXY" not in _prepare(tmp_path, "exec", "x").environ


@pytest.mark.parametrize("text", ["plain", 'quote " and \\', "ü€😀", "tab\tand\x7f\x01"])
def test_toml_strings_are_exact(text: str) -> None:
    """Any path is written exactly as a TOML string."""
    assert tomllib.loads(f"x={toml_string(text)}")["x"] == text
