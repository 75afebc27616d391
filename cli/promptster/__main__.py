"""The entry point: finds the command, loads only that one, prints its error, returns its exit code.

docs/cli.md lists the exit codes. Only the table of commands is imported before the command is known, so that help
appears at once.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from promptster.commands import ANYONE, CANDIDATES, NAMES, QUICK, TEAMS, load
from promptster.errors import (
    InsideAgentError,
    InterruptError,
    LaunchError,
    PlatformError,
    PromptsterError,
    StorageError,
    UsageError,
    require_supported_platform,
)
from promptster.streams import OutputError, let_every_letter_through, open_standard_streams, silence_stdout, writing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    import typer

_AGENTS_CODES = frozenset({"run", "shell"})
"""Commands that pass on the exit code of the agent or the shell; a failure of ours has its own code there."""
_OUR_FAILURE = 125
_AS_THEY_ARE = (LaunchError, InterruptError, InsideAgentError)
"""Errors that keep their own exit code there."""
_HELP_FLAGS = frozenset({"--help", "-h"})
_COMPLETE = "__complete"
"""What the scripts of ``promptster completion`` call: prints the possible completions of the last word."""

FIRST_SCREEN = """\
Promptster records how you work with AI coding agents during an assessment.
Nothing is recorded until you have read what is recorded and agreed.

  promptster policy LINK    read what would be recorded; changes nothing
  promptster start LINK     start your assessment

More: promptster --help       Hiring teams: promptster --help team"""

_FOR_CANDIDATES = """\
Usage: promptster COMMAND [OPTIONS]

Promptster records how you work with AI coding agents during an assessment.
Only agents that you start through it are recorded, and only after you agree.
You can see, pause and delete the recording at any time. Your screen, keyboard
and other programs are never recorded."""

_FOR_TEAMS = """\
Usage: promptster COMMAND [OPTIONS]

Commands for hiring teams: set up assessments, invite people, and read their
recordings. They need an access token: promptster login"""

_ENDING = """\
promptster COMMAND --help    more about one command
promptster --help team       commands for hiring teams
promptster --version         the version"""


def help_text(*, team: bool = False) -> str:
    """What ``promptster --help`` prints, or ``promptster --help team``."""
    about, commands = (_FOR_TEAMS, TEAMS) if team else (_FOR_CANDIDATES, CANDIDATES)
    width = max(len(name) for name in NAMES)
    lines = [about, ""]
    for title, group in (("Commands", commands), ("For everyone", ANYONE)):
        lines.append(f"{title}:")
        lines += [f"  {name:<{width}}  {text}" for name, text in group.items()]
        lines.append("")
    return "\n".join([*lines, _ENDING])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    open_standard_streams()
    let_every_letter_through()
    try:
        return _answer(words)
    except BrokenPipeError:
        silence_stdout()
        return 1
    except PromptsterError as error:
        failure = error
    except KeyboardInterrupt:
        failure = InterruptError()
    except Exception as error:  # noqa: BLE001 - the last resort; a traceback may show what a person typed
        failure = _internal(error)
    return _fail(failure, words)


def _answer(words: list[str]) -> int:
    if not words:
        return _run("status", []) if _has_session() else _say(FIRST_SCREEN)
    first, rest = words[0], words[1:]
    if first in _HELP_FLAGS or first == "help":
        return _help(rest)
    if first == "--version":
        from importlib.metadata import version  # noqa: PLC0415 - only this line needs it

        return _say(f"promptster {version('promptster')}")
    if first == _COMPLETE:
        return _say(str(load("completion", signature=False).answer(rest)))
    if first == "--json":
        raise UsageError("no command given", hint="Put --json after the command.")
    return _run(first, rest)


def _has_session() -> bool:
    """Whether there is a session on this computer; an unsupported system has none."""
    try:
        require_supported_platform("promptster")
    except PlatformError:
        return False
    from promptster.paths import Paths  # noqa: PLC0415 - light, and only the bare program needs it

    if not (Paths.from_environment().state / "current").is_file():
        return False
    from promptster.session_folder.folder import SessionFolder  # noqa: PLC0415 - likewise

    return SessionFolder.active(Paths.from_environment()) is not None


def _help(words: list[str]) -> int:
    """Answer ``promptster --help``, ``--help team`` and ``--help COMMAND``; ``-h`` and ``help`` mean the same."""
    words = [word for word in words if word not in _HELP_FLAGS]
    if not words or words[0] in {"team", "teams", "help"}:
        return _say(help_text(team=bool(words) and words[0] != "help"))
    return _run(words[0], [*words[1:], "--help"])


def _say(text: str) -> int:
    from promptster.ui.output import Output  # noqa: PLC0415 - light, and other ways need it only for an error

    Output(json=False).say(text)
    return 0


def _run(name: str, arguments: list[str]) -> int:
    if name not in NAMES:
        raise _unknown(name)
    require_supported_platform("promptster")
    from promptster.commands.guard import refuse_inside_agent  # noqa: PLC0415 - help needs none of this

    refuse_inside_agent(name, arguments)
    if name in QUICK and all(word == "--json" for word in arguments):
        return _quick(load(name, signature=False), arguments)
    before_separator = arguments[: arguments.index("--")] if "--" in arguments else arguments
    helps = name not in _AGENTS_CODES and not _HELP_FLAGS.isdisjoint(before_separator)
    module = load(name, work=not helps)
    if hasattr(module, "main"):
        return int(module.main(arguments))
    return _run_typer(name, module, arguments)


def _quick(module: ModuleType, arguments: list[str]) -> int:
    if hasattr(module, "main"):
        return int(module.main(arguments))
    return module.command(json=bool(arguments)) or 0


def app_of(name: str, module: ModuleType) -> typer.Typer:
    """The parser of a command."""
    from promptster.parser import make_app  # noqa: PLC0415 - the program's own help needs none of this

    app = getattr(module, "app", None)
    if app is None:
        app = make_app(CANDIDATES.get(name) or TEAMS.get(name) or ANYONE[name])
        app.command(name=name, context_settings=getattr(module, "CONTEXT_SETTINGS", None))(module.command)
    return app


def _run_typer(name: str, module: ModuleType, arguments: list[str]) -> int:
    from promptster.parser import NO_SUB_COMMAND, asks_for_help, run  # noqa: PLC0415 - likewise

    if hasattr(module, "app") and not any(word in _HELP_FLAGS or not word.startswith("-") for word in arguments):
        raise UsageError(NO_SUB_COMMAND, hint=f"promptster {name} --help")
    with writing() if asks_for_help(arguments) else nullcontext():
        return run(app_of(name, module), arguments, f"promptster {name}")


def _fail(error: PromptsterError, words: list[str]) -> int:
    from promptster.ui.output import Output  # noqa: PLC0415 - help needs none of this

    agents = bool(words) and words[0] in _AGENTS_CODES  # what follows is an agent's, also its --json
    before_separator = words[: words.index("--")] if "--" in words else words
    try:
        if isinstance(error, OutputError):
            raise error
        Output(not agents and "--json" in before_separator).error(error)
    except BrokenPipeError:
        silence_stdout()
    except OutputError as unwritable:
        silence_stdout()
        Output(json=False).error(unwritable)
        return unwritable.exit_code
    return error.exit_code if not agents or isinstance(error, _AS_THEY_ARE) else _OUR_FAILURE


def _internal(error: Exception) -> PromptsterError:
    import os  # noqa: PLC0415 - help needs none of this
    import traceback  # noqa: PLC0415 - likewise

    if os.environ.get("PROMPTSTER_DEBUG"):
        traceback.print_exc()
    if (refused := StorageError.of(error)) is not None:
        return refused
    return PromptsterError(
        f"unexpected fault in Promptster ({type(error).__name__}{_place(error)})",
        hint=(
            "What was recorded is kept. Run the command again. If it fails again, set PROMPTSTER_DEBUG=1 and report "
            "the output; it can contain text that you typed."
        ),
        code="internal",
    )


def _place(error: Exception) -> str:
    """Which of our functions failed, such as `` in submission.close``; never a value or a path."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in {"promptster", "promptster_hooks"} and module != __name__:
            place = f" in {module.rpartition('.')[2]}.{trace.tb_frame.f_code.co_name}"
        trace = trace.tb_next
    return place


def _unknown(name: str) -> UsageError:
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistyped command needs it

    if name.startswith("-"):
        return UsageError(f"unknown option: {name}", hint="promptster --help")
    close = get_close_matches(name, NAMES, n=1)
    meant = f"Did you mean `promptster {close[0]}`? " if close else ""
    return UsageError(f"unknown command: {name}", hint=f"{meant}All commands: promptster --help")


if __name__ == "__main__":
    sys.exit(main())
