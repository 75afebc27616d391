"""The front door: help at once, one error, the right exit code."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from types import ModuleType

import pytest

from promptster import commands
from promptster.__main__ import help_text, main
from promptster.errors import NotSignedInError, PromptsterError

HEAVY = ("typer", "click", "httpx", "h11", "pydantic", "nacl", "rich", "keyring", "asyncio", "promptster.protocol")


def imported_by(*words: str) -> set[str]:
    """Modules that a run of the program imports."""
    code = (
        "import sys; from promptster.__main__ import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print('\\n'.join(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    return set(done.stderr.split())


@pytest.mark.parametrize("words", [("--help",), (), ("--version",)])
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    """Help is what a nervous person asks first: it appears at once."""
    assert imported_by(*words).isdisjoint(HEAVY)


def test_the_help_of_a_command_does_not_connect_to_anything(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command explains itself, in words that are its docstring's."""
    assert main(["pause", "--help"]) == 0
    assert "Record nothing until promptster resume" in capsys.readouterr().out


def test_every_command_is_there_and_is_told_in_one_line() -> None:
    """The table is the only list of commands: each has a module, and fits into 80 columns."""
    folder = set(commands.NAMES)
    assert len(folder) == len(commands.NAMES)
    for line in help_text().splitlines():
        assert len(line) <= 90
    for name in commands.NAMES:
        assert f"  {name} " in help_text()


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
    """Also a fault of ours, which shows neither traceback nor what was being worked on."""

    def run(_arguments: list[str]) -> int:
        raise raised

    command.__dict__["main"] = run
    assert main(["status", "--json"]) == code
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["code"] == word
    assert "secret" not in shown.out + shown.err
    assert main(["status"]) == code
    assert capsys.readouterr().out == ""


def test_json_behind_a_separator_is_not_ours(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """What stands behind -- belongs to an agent."""

    def run(_arguments: list[str]) -> int:
        raise PromptsterError("no")

    command.__dict__["main"] = run
    main(["status", "--", "--json"])
    assert capsys.readouterr() == ("", "error: no\n")


def test_a_commands_own_exit_code_is_kept(command: ModuleType) -> None:
    """As verify needs it."""

    def run() -> int:
        """Verify something."""
        return 11

    command.__dict__["command"] = run
    assert main(["status"]) == 11


def test_interrupting_a_typed_command_is_130(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the library makes of Ctrl-C."""

    def run() -> None:
        """Wait for somebody."""
        raise KeyboardInterrupt

    command.__dict__["command"] = run
    assert main(["status"]) == 130
    assert capsys.readouterr().err.endswith("error: interrupted\n")


def test_a_reader_that_leaves_is_no_error() -> None:
    """``promptster --help | head -1`` ends quietly."""
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
    ],
)
def test_other_systems_are_refused_by_name(system: str, words: tuple[str, ...], code: int) -> None:
    """Whatever was asked, and before anything is loaded that only a unix has."""
    program = (
        "import sys; from promptster.__main__ import main\n"
        "sys.modules['fcntl'] = None; sys.platform = sys.argv.pop(1); sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", program, system, *words], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert f"promptster does not run on {system}" in done.stdout + done.stderr
    if words[-1] == "--json":
        assert json.loads(done.stdout)["error"]["code"] == "platform"
