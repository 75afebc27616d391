"""The program's front door: finds the command, loads only that one, prints its error, returns its exit code.

Exit codes: 0 ok, 1 error, 2 usage, 4 not signed in, 130 interrupted; ``verify`` and ``run`` have more of their own.
Nothing but the table of commands is imported before the command is known, so that help appears at once.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from promptster.commands import GROUPS, NAMES
from promptster.errors import (
    InterruptError,
    PlatformError,
    PromptsterError,
    StorageError,
    UsageError,
    require_supported_platform,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

_AGENTS_CODES = frozenset({"run"})
"""Commands whose exit code is the agent's; our own failure has another there."""
_OUR_FAILURE = 125
_HELP_FLAGS = frozenset({"--help", "-h", "help"})


def help_text() -> str:
    """What ``promptster --help`` prints."""
    lines = [
        "usage: promptster COMMAND [OPTIONS]",
        "",
        "Records how you work with AI coding agents during an assessment, so that your work",
        "can be judged by how you did it. Only the agents that you start through it are",
        "recorded, only after you agreed, and you can see, pause and delete it at any time.",
        "Your screen, keyboard and other programs are never recorded.",
        "",
    ]
    width = max(len(name) for name in NAMES)
    for title, group in GROUPS:
        lines.append(f"{title}:")
        lines += [f"  {name:<{width}}  {text}" for name, text in group.items()]
        lines.append("")
    lines += [
        "promptster COMMAND --help   more on one command",
        "promptster --version        the version",
        "",
        "Not sure yet? `promptster policy LINK` shows what would be recorded and changes nothing.",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _open_standard_streams()
    try:
        return _answer(words)
    except BrokenPipeError:
        _silence_stdout()
        return 1
    except PromptsterError as error:
        failure = error
    except KeyboardInterrupt:
        failure = InterruptError()
    except Exception as error:  # noqa: BLE001 - the last line of defence; a traceback may show what a person typed
        failure = _internal(error)
    return _fail(failure, words)


def _open_standard_streams() -> None:
    """Put the null device in the place of a standard stream that the caller closed.

    Otherwise the next file that is opened would get its number, and words for a person would end up in it.
    """
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    import os  # noqa: PLC0415 - hardly anybody closes them

    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - the lowest free number is given out
        os.set_inheritable(handle, True)
    os.close(handle)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the whole process
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - likewise
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - likewise


def _answer(words: list[str]) -> int:
    if not words or words[0] in _HELP_FLAGS:
        return _say(help_text())
    if words[0] == "--version":
        from importlib.metadata import version  # noqa: PLC0415 - only this line needs it

        return _say(f"promptster {version('promptster')}")
    if words[0] == "--json":
        raise UsageError("a command is missing", hint="promptster --help lists them; --json goes behind the command")
    return _run(words[0], words[1:])


def _say(text: str) -> int:
    from promptster.ui.output import writing  # noqa: PLC0415 - light, and other ways need it only for an error

    with writing():
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    return 0


def _run(name: str, arguments: list[str]) -> int:
    if name not in NAMES:
        raise UsageError(_unknown(name), hint="promptster --help lists the commands")
    try:
        require_supported_platform("promptster")
    except PlatformError as error:
        error.exit_code = _OUR_FAILURE if name in _AGENTS_CODES else error.exit_code
        raise
    from importlib import import_module  # noqa: PLC0415 - help needs none of this

    from promptster.commands.guard import refuse_inside_agent  # noqa: PLC0415 - likewise

    refuse_inside_agent(name, arguments)
    module = import_module(f"promptster.commands.{name}")
    if hasattr(module, "main"):
        return int(module.main(arguments))
    return _run_typer(name, module, arguments)


def _run_typer(name: str, module: ModuleType, arguments: list[str]) -> int:
    import typer  # noqa: PLC0415 - help needs none of this

    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        app.command(name=name, context_settings=getattr(module, "CONTEXT_SETTINGS", None))(module.command)
    elif not any(word in _HELP_FLAGS or not word.startswith("-") for word in arguments):
        raise UsageError("a sub-command is missing", hint=f"promptster {name} --help lists them")
    click_error: type[Exception] = typer.BadParameter.__mro__[2]
    """The base of every parse error, whether typer carries its parser inside or imports it."""
    try:
        code = app(args=arguments, prog_name=f"promptster {name}", standalone_mode=False)
    except click_error as error:
        text = str(getattr(error, "format_message", error.__str__)())
        raise UsageError(_lower(text), hint=f"promptster {name} --help explains it") from None
    except typer.Abort:
        raise InterruptError from None
    except OSError as error:
        if isinstance(error, BrokenPipeError) or not _HELP_FLAGS.intersection(arguments):
            raise
        from promptster.ui.output import OutputError  # noqa: PLC0415 - the library writes help, and nothing else, itself

        raise OutputError(f"cannot write to standard output: {error.strerror}") from error
    if code == InterruptError.exit_code:
        raise InterruptError
    return code if isinstance(code, int) else 0


def _fail(error: PromptsterError, arguments: list[str]) -> int:
    from promptster.ui.output import Output, OutputError  # noqa: PLC0415 - help needs none of this

    before_separator = arguments[: arguments.index("--")] if "--" in arguments else arguments
    try:
        if isinstance(error, OutputError):
            raise error
        Output("--json" in before_separator).error(error)
    except BrokenPipeError:
        _silence_stdout()
    except OutputError as unwritable:
        _silence_stdout()
        Output(json=False).error(unwritable)
        return unwritable.exit_code
    return error.exit_code


def _internal(error: Exception) -> PromptsterError:
    import os  # noqa: PLC0415 - help needs none of this
    import traceback  # noqa: PLC0415 - likewise

    if os.environ.get("PROMPTSTER_DEBUG"):
        traceback.print_exc()
    if (refused := StorageError.of(error)) is not None:
        return refused
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
    return PromptsterError(
        f"a fault inside promptster ({type(error).__name__}{place})",
        hint="nothing recorded is lost; PROMPTSTER_DEBUG=1 before the command shows more",
        code="internal",
    )


def _unknown(name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistyped command needs it

    close = get_close_matches(name, NAMES, n=1)
    return f"there is no command {name!r}" + (f", did you mean {close[0]}?" if close else "")


def _lower(text: str) -> str:
    text = text.strip().rstrip(".")
    return text[:1].lower() + text[1:]


def _silence_stdout() -> None:
    """Nobody gets our output any more: keep the interpreter's last flush from complaining."""
    import os  # noqa: PLC0415 - only a closed pipe needs it

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
