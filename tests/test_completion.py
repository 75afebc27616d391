"""Completion: the possible completions of a word, and that real shells show them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.helpers.terminal import Terminal

from promptster.commands import NAMES
from promptster.completion import SHELLS, script
from promptster.protocol.agents import PROGRAMS as AGENTS
from promptster.replay import exporters

SESSION = "q0RtY2xpbmVzLWFyZS1pdA"
PROGRAMS = {"promptster": "promptster", "promptster-collector": "promptster_collector"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with files to complete, both programs in ``bin``, and one session of this person."""
    for program, module in PROGRAMS.items():
        file = tmp_path / "bin" / program
        file.parent.mkdir(exist_ok=True)
        file.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        file.chmod(0o755)
    session = tmp_path / "home" / ".local" / "state" / "promptster" / "sessions" / SESSION
    session.mkdir(parents=True)
    (session / "session.json").write_text("{}")
    (tmp_path / "work" / "kept here").mkdir(parents=True)
    (tmp_path / "work" / "kept copy.promptster").touch()
    return tmp_path


def environment(place: Path) -> dict[str, str]:
    """The person's environment."""
    path = f"{place / 'bin'}:{os.environ['PATH']}"
    return {"HOME": str(place / "home"), "PATH": path, "TERM": "dumb", "PS1": "READY> ", "LC_ALL": "C"}


def run(place: Path, *words: str) -> str:
    """A program's standard output; in every case it ends well and prints no error."""
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, cwd=place / "work", env=environment(place), timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def found(place: Path, program: str, *words: str) -> list[str]:
    """The words that a program proposes."""
    return [line.partition("\t")[0] for line in run(place, program, "__complete", *words).splitlines() if line]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([""], [*NAMES, "help"]),
        (["st"], ["start", "status", "stop"]),
        (["--"], ["--help", "--version"]),
        (["help", "te"], ["team"]),
        (["status", ""], ["--json", "--help"]),
        (["status", "--json", "--"], ["--help"]),
        (["assessment", ""], ["create", "list"]),
        (["assessment", "create", "--ti"], ["--title", "--time-limit"]),
        (["assessment", "create", "--title", "--ti"], []),
        (["export", "x", "--format", ""], list(exporters.names())),
        (["export", "x", "-f", "h"], ["html"]),
        (["export", "x", "--format=h"], ["--format=html"]),
        (["export", "x", "--format", "=", "h"], ["html"]),
        (["export", "x", "--format", "="], list(exporters.names())),
        (["export", ""], [":files"]),
        (["export", "x", ""], ["--format", "--output", "--force", "--collector", "--json", "--help"]),
        (["verify", "--trust", "a", "--tr"], ["--trust"]),
        (["start", "--workspace", ""], [":folders"]),
        (["login", "--secrets", ""], ["keyring", "file"]),
        (["run", ""], list(AGENTS)),
        (["run", "-"], ["--help"]),
        (["run", "claude", "--"], [":files"]),
        (["withdraw", ""], [SESSION]),
        (["completion", ""], list(SHELLS)),
        (["bogus", ""], []),
        (["status", "--nope", "--j"], ["--json"]),
        (["export", "--", "-"], [":files"]),
    ],
    ids=repr,
)
def test_the_word_at_the_cursor(place: Path, words: list[str], expected: list[str]) -> None:
    """Commands, options that were not given yet, and values that are known here are proposed."""
    assert found(place, "promptster", *words) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([""], ["init", "serve", "backup", "restore", "keys", "storage-map", "completion"]),
        (["serve", "--tls"], ["--tls-cert", "--tls-key"]),
        (["serve", "--data", ""], [":folders"]),
        (["keys", "-o", ""], [":files"]),
        (["completion", "z"], ["zsh"]),
        (["-"], ["--help", "--version"]),
    ],
    ids=repr,
)
def test_the_collector_completes_too(place: Path, words: list[str], expected: list[str]) -> None:
    """Its commands and options are completed in the same way."""
    assert found(place, "promptster-collector", *words) == expected


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_printed_and_nothing_is_written(place: Path, program: str, shell: str) -> None:
    """The person chooses where it is stored."""
    before = sorted(place.rglob("*"))
    assert run(place, program, "completion", shell) == script(shell, program)
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize("program", PROGRAMS)
def test_another_shell_is_refused_by_name(place: Path, program: str) -> None:
    """The error names the supported ones."""
    done = subprocess.run([place / "bin" / program, "completion", "tcsh"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "error: no completion for tcsh\nUse bash, zsh or fish.\n")


def needs(shell: str) -> pytest.MarkDecorator:
    """Skip with a reason if the shell is missing."""
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


BASH = """
eval "$("$1" completion bash)"
function=$(complete -p "$1"); function=${function#*-F }; function=${function%% *}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@needs("bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["promptster", "st"], ["start", "status", "stop"]),
        (["promptster", "export", "x", "--format", "=", "h"], ["html"]),
        (["promptster", "export", "kept"], ["kept copy.promptster", "kept here"]),
        (["promptster", "start", "-w", ""], ["kept here"]),
        (["promptster-collector", "serve", "--pu"], ["--public-url"]),
    ],
    ids=repr,
)
def test_bash(place: Path, words: list[str], expected: list[str]) -> None:
    """The function that the script installs answers as bash calls it."""
    assert sorted(run(place, "bash", "--norc", "-c", BASH, *words[:1], *words).splitlines()) == expected


@needs("fish")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("promptster st", ["start", "status", "stop"]),
        ("promptster export x --format=h", ["--format=html"]),
        ("promptster export kept", ["kept copy.promptster", "kept here/"]),
        ("promptster assessment ", ["create", "list"]),
        ("promptster-collector serve --pu", ["--public-url"]),
    ],
)
def test_fish(place: Path, line: str, expected: list[str]) -> None:
    """What fish itself lists for a line."""
    program = line.partition(" ")[0]
    shown = run(place, "fish", "--no-config", "-c", f"{program} completion fish | source; complete -C '{line}'")
    assert sorted({each.partition("\t")[0] for each in shown.splitlines()}) == expected


INTERACTIVE = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(promptster completion bash)"'),
    "zsh": (
        ["zsh", "-f", "-i"],
        'PS1="READY> "; autoload -Uz compinit; compinit -u -D; eval "$(promptster completion zsh)"',
    ),
}


@pytest.mark.parametrize("shell", [pytest.param(name, marks=needs(name)) for name in INTERACTIVE])
def test_tab_in_a_terminal(place: Path, shell: str) -> None:
    """Pressing Tab completes commands, values, names of files with a space and of sessions."""
    (program, *options), setup = INTERACTIVE[shell]
    words = [shutil.which(program) or program, *options]
    with Terminal(words, environ=environment(place), cwd=place / "work") as terminal:
        terminal.wait_for("READY> ")
        terminal.type(f"{setup}; echo SET''UP")
        terminal.wait_for("SETUP")
        terminal.wait_for("READY> ")
        for typed, completed in (
            ("promptster asse", "ssment"),
            ("promptster export x --format=ht", "ml"),
            ("promptster export kept\\ c", r"opy\.promptster"),
            (f"promptster withdraw {SESSION[:2]}", SESSION[2:]),
        ):
            terminal.press(f"{typed}\t")
            terminal.wait_for(completed)  # a shell draws only what is new
            terminal.press("\x15")  # clears the line
        terminal.press("exit\n")
        assert terminal.end() == 0
