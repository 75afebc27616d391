"""The program itself: help at once, one error, the right exit code."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.helpers.resting import resting_session
from typer.main import get_command

from promptster import commands
from promptster.__main__ import FIRST_SCREEN, app_of, help_text, main
from promptster.commands import ANYONE, CANDIDATES, NAMES, TEAMS, load
from promptster.errors import NotSignedInError, PromptsterError
from promptster.paths import Paths
from promptster.session_folder.folder import SessionFolder

PROGRAM = [sys.executable, "-m", "promptster"]
LIGHT = ("typer", "click", "msgspec")
"""What the program's own help does without as well."""
CATALOGUE = {"promptster.protocol", "promptster.protocol.agents"}
"""All of the wire and of the agents that it reads: their names."""
HEAVY = (
    "asyncio",
    "h11",
    "httpx",
    "keyring",
    "nacl",
    "pydantic",
    "rich",
    "ssl",
    "promptster.client",
    "promptster.config",
    "promptster.secret_store",
    "promptster.proxy",
    "promptster.recorder.supervisor",
)
"""What no help and no status needs; each of them takes longer than the interpreter's own start."""


def imported_by(*words: str, environ: dict[str, str] | None = None) -> set[str]:
    """Modules that a run of the program imports."""
    code = (
        "import sys; from promptster.__main__ import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print('modules:\\n' + '\\n'.join(sorted(sys.modules)), file=sys.stderr)"
    )
    program = [sys.executable, "-c", code, *words]
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=environ)
    assert "Traceback" not in done.stderr, done.stderr
    return set(done.stderr.partition("modules:\n")[2].split())


def agents_and_wire(modules: set[str]) -> set[str]:
    """The modules of the wire and of the agents among these."""
    return {name for name in modules if name.startswith(("promptster.protocol", "promptster.agents"))}


def calls() -> list[tuple[str, ...]]:
    """Every command and sub-command."""
    found: list[tuple[str, ...]] = []
    for name in NAMES:
        module = load(name, work=False)
        below: dict[str, Any] = {}
        if hasattr(module, "app"):
            below = getattr(get_command(app_of(name, module)), "commands", {})
        found += [(name,), *((name, each) for each in below)]
    return found


CALLS = calls()


@pytest.fixture(autouse=True)
def _in_a_home_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands called inside this process use a new home, and have no agent around them."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a person who has just installed the program."""
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}


@pytest.fixture
def session(tmp_path: Path) -> SessionFolder:
    """A session in the folder of that person; no recorder runs."""
    return resting_session(tmp_path, workspace=tmp_path / "work")


@pytest.mark.parametrize("words", [("--help",), ("--help", "team"), (), ("--version",), ("__complete", "st")])
def test_help_imports_nothing_heavy(words: tuple[str, ...], home: dict[str, str]) -> None:
    """Help is often asked for first, so it appears at once."""
    imported = imported_by(*words, environ=home)
    assert imported.isdisjoint({*HEAVY, *LIGHT})
    assert agents_and_wire(imported) == CATALOGUE


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_the_help_of_a_command_imports_none_of_its_work(words: tuple[str, ...]) -> None:
    """A command's help reads only its signature."""
    assert imported_by(*words, "-h").isdisjoint(HEAVY)


@pytest.mark.parametrize("words", [(), ("status",), ("status", "--json")])
def test_status_reads_a_folder_and_asks_the_recorder(
    words: tuple[str, ...], home: dict[str, str], session: SessionFolder
) -> None:
    """It is asked often, so it loads no parser, no keys and no network."""
    assert session.facts_file.exists()
    imported = imported_by(*words, environ=home)
    assert imported.isdisjoint({*HEAVY, *LIGHT})
    assert agents_and_wire(imported) == CATALOGUE


@pytest.mark.parametrize("words", [("run", "--help"), ("shell", "--help"), ("__complete", "run", "")])
def test_the_agents_are_named_without_loading_one(words: tuple[str, ...], home: dict[str, str]) -> None:
    """Their line in the catalogue is enough."""
    assert agents_and_wire(imported_by(*words, environ=home)) == CATALOGUE


def test_help_in_a_process_that_works_later_leaves_nothing_half_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that was loaded for its help only is loaded again when it runs."""
    assert main(["export", "--help"]) == 0
    assert main(["export", "no such file"]) == 2
    assert "unexpected fault" not in capsys.readouterr().err


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_every_command_explains_itself_in_80_columns(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """-h, --help and a leading help show the same text, and end with 0."""
    shown = set[str]()
    for call in ((*words, "-h"), (*words, "--help"), ("help", *words), ("--help", *words)):
        assert main(call) == 0
        shown.add(capsys.readouterr().out)
    (text,) = shown
    assert text.startswith(f"Usage: promptster {' '.join(words)} ")
    assert "-h, --help" in text
    assert not {"<", ">"} & set(text), "a type of Python is nothing to a reader"
    assert "{" not in text.splitlines()[0]
    assert max(len(line) for line in text.splitlines()) <= 80


def test_help_on_help_is_the_programs_own(capsys: pytest.CaptureFixture[str]) -> None:
    """It is not an unknown command."""
    assert main(["help", "help"]) == 0
    assert capsys.readouterr().out == f"{help_text()}\n"


def test_the_shells_help_names_its_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """The help has all codes that docs/cli.md lists for it, like that of ``run``."""
    for name in ("run", "shell"):
        assert main([name, "--help"]) == 0
        told = capsys.readouterr().out.partition("Exit code:")[2]
        assert all(code in told for code in ("6", "125", "126", "127"))


def test_every_command_is_there_and_is_told_in_one_line() -> None:
    """The tables are the only lists of commands: candidates see theirs, teams theirs, and all fit into 80 columns."""
    assert len(set(NAMES)) == len(NAMES)
    for text, mine, others in ((help_text(), CANDIDATES, TEAMS), (help_text(team=True), TEAMS, CANDIDATES)):
        assert all(f"\n  {name} " in text for name in (*mine, *ANYONE))
        assert not any(f"\n  {name} " in text for name in others)
        assert max(len(line) for line in text.splitlines()) <= 80


def test_the_program_alone_shows_how_to_begin(home: dict[str, str]) -> None:
    """A candidate's first screen names only existing commands for candidates."""
    done = subprocess.run(PROGRAM, capture_output=True, text=True, check=False, env=home)
    assert (done.returncode, done.stdout, done.stderr) == (0, FIRST_SCREEN + "\n", "")
    named = [line.split()[1] for line in FIRST_SCREEN.splitlines() if line.startswith("  promptster")]
    assert set(named) <= set(CANDIDATES)
    assert max(len(line) for line in FIRST_SCREEN.splitlines()) <= 80


def test_the_program_alone_shows_the_session_that_is_here(home: dict[str, str], session: SessionFolder) -> None:
    """A person with a session sees its status."""
    alone, status = (
        subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=False, env=home)
        for words in ([], ["status"])
    )
    assert (alone.returncode, alone.stdout, alone.stderr) == (status.returncode, status.stdout, status.stderr)
    assert session.facts().title in alone.stdout


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["strat"], "unknown command: strat", "Did you mean `promptster start`? All commands: promptster --help"),
        (["bogus"], "unknown command: bogus", "All commands: promptster --help"),
        (["help", "bogus"], "unknown command: bogus", "All commands: promptster --help"),
        (["--nope"], "unknown option: --nope", "promptster --help"),
        (["status", "--nope"], "unknown option: --nope", "promptster status --help"),
        (["pause", "now"], "unexpected argument: now", "promptster pause --help"),
        (["stop", "--yes=1"], "--yes takes no value", "promptster stop --help"),
        (["assessment"], "no command given", "promptster assessment --help"),
        (["assessment", "bogus"], "unknown command: assessment bogus", "promptster assessment --help"),
        (["assessment", "create"], "missing option: --title", "promptster assessment create --help"),
        (["token", "revoke"], "missing argument: ID", "promptster token revoke --help"),
        (["login", "--secrets"], "--secrets needs a value", "promptster login --help"),
    ],
)
def test_a_word_that_is_not_understood_is_named(
    words: list[str], message: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error comes first, then the command that explains it; the exit code is 2."""
    assert main(words) == 2
    assert capsys.readouterr() == ("", f"error: {message}\n{hint}\n")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A command that does what a test says, under the name ``status``."""
    module = ModuleType("promptster.commands.status")
    monkeypatch.setitem(sys.modules, "promptster.commands.status", module)
    return module


@pytest.mark.parametrize(
    ("raised", "code", "word"),
    [
        (PromptsterError("no"), 1, "error"),
        (NotSignedInError("no"), 4, "not_signed_in"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ZeroDivisionError("secret"), 1, "internal"),
        (PermissionError(errno.EACCES, "Permission denied", "/home/x/.local"), 1, "storage"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "storage"),
        (OSError(errno.EBADF, "Bad file descriptor"), 1, "internal"),
    ],
)
def test_every_error_is_one_document_and_its_exit_code(
    command: ModuleType, capsys: pytest.CaptureFixture[str], raised: BaseException, code: int, word: str
) -> None:
    """This includes internal errors, which show neither traceback nor data."""

    def run(_arguments: list[str]) -> int:
        raise raised

    command.__dict__["main"] = run
    assert main(["status", "--json"]) == code
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["code"] == word
    assert "secret" not in shown.out + shown.err
    assert main(["status"]) == code
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("raised", "shown"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/home/x/.local"),
            (
                "error: cannot write /home/x/.local: disk full\n"
                "Free some space, then run the same command again. Nothing recorded is lost.\n"
            ),
        ),
        (
            OSError(errno.ENOTDIR, "Not a directory", "/home/x/.local"),
            "error: cannot use /home/x/.local: there is a file where a folder should be\nMove that file away.\n",
        ),
    ],
)
def test_a_disk_that_refuses_is_told_with_what_to_do(
    command: ModuleType, capsys: pytest.CaptureFixture[str], raised: OSError, shown: str
) -> None:
    """The file is named, and the reason is in plain words."""

    def run(_arguments: list[str]) -> int:
        raise raised

    command.__dict__["main"] = run
    assert main(["status"]) == 1
    assert capsys.readouterr().err == shown


def test_a_fault_of_ours_names_its_place_and_what_to_do(
    command: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Our function that failed is named, not the library's below it, and no value."""

    def run(_arguments: list[str]) -> int:
        return Paths.from_environment.__func__(ModuleType("no class"))  # type: ignore[attr-defined,no-any-return]

    command.__dict__["main"] = run
    assert main(["status"]) == 1
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "error: unexpected fault in Promptster (TypeError in paths.from_environment)"
    assert hint.startswith("What was recorded is kept. Run the command again.")


@pytest.mark.parametrize("name", ["run", "shell"])
def test_a_fault_before_an_agent_starts_is_125(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lower exit codes are the agent's, and so is --json: our messages go to standard error."""
    module = ModuleType(f"promptster.commands.{name}")

    def fail(_arguments: list[str]) -> int:
        raise ZeroDivisionError

    module.__dict__["main"] = fail
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert main([name, "claude", "--json"]) == 125
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: unexpected fault in Promptster (ZeroDivisionError")


def test_json_after_a_separator_is_not_ours(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments after -- belong to an agent."""

    def run(_arguments: list[str]) -> int:
        raise PromptsterError("no")

    command.__dict__["main"] = run
    main(["status", "--", "--json"])
    assert capsys.readouterr() == ("", "error: no\n")


def test_a_commands_own_exit_code_is_kept(command: ModuleType) -> None:
    """The exit code of ``verify`` is kept, with and without the parser."""

    def run(*, json: bool = False) -> int:
        """Verify something."""
        return 12 if json else 11

    command.__dict__["command"] = run
    assert (main(["status"]), main(["status", "--json"]), main(["status", "--no-json"])) == (11, 12, 11)


@pytest.mark.parametrize("words", [["status"], ["status", "--"]])
def test_interrupting_a_typed_command_is_130(
    command: ModuleType, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """This holds whatever the library does with Ctrl-C."""

    def run(*, json: bool = False) -> None:
        """Wait until Ctrl-C."""
        raise KeyboardInterrupt(json)

    command.__dict__["command"] = run
    assert main(words) == 130
    assert capsys.readouterr().err.endswith("error: interrupted\n")


def test_a_reader_that_leaves_is_no_error() -> None:
    """``promptster --help | head -1`` ends without an error."""
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m promptster status --json | true; echo done"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


@pytest.mark.parametrize(
    ("system", "words", "code"),
    [
        ("win32", ("status", "--json"), 1),
        ("win32", ("start", "x", "--json"), 1),
        ("win32", ("verify", "x", "--json"), 1),
        ("freebsd14", ("policy", "x", "--json"), 1),
        ("win32", ("run", "claude"), 125),
        ("win32", ("shell",), 125),
    ],
)
def test_other_systems_are_refused_by_name(system: str, words: tuple[str, ...], code: int) -> None:
    """Every command is refused before anything is loaded that only a unix has."""
    done = on_system(system, *words)
    assert done.returncode == code, done.stderr
    assert f"promptster does not run on {system}" in done.stdout + done.stderr
    if words[-1] == "--json":
        assert json.loads(done.stdout)["error"]["code"] == "platform"


@pytest.mark.parametrize("words", [(), ("--help",), ("--version",)])
def test_other_systems_are_shown_what_this_is(words: tuple[str, ...]) -> None:
    """The first screen and the list of commands need nothing of a unix."""
    done = on_system("win32", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.lower().startswith(("promptster", "usage: promptster"))


def on_system(system: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The program on another system, without a module that only a unix has."""
    program = (  # Python's own modules rely on the system's name, so they are loaded before
        "import importlib.metadata, sys; from promptster.__main__ import main\n"
        "sys.modules['fcntl'] = None; sys.platform = sys.argv.pop(1); sys.exit(main())"
    )
    return subprocess.run([sys.executable, "-c", program, system, *words], capture_output=True, text=True, check=False)


def test_every_command_has_a_module() -> None:
    """The tables name what exists, and nothing that exists is left out."""
    helpers = {
        "__init__",
        "addresses",
        "agent_ended",
        "cells",
        "consenting",
        "export_name",
        "guard",
        "histories",
        "log_watch",
        "options",
        "short_ids",
        "signed_in",
        "source",
        "spans",
        "summary",
        "tables",
    }
    files = {path.stem for path in Path(commands.__path__[0]).glob("*.py")}
    assert set(NAMES) == files - helpers
