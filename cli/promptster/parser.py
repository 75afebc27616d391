"""Command lines of both programs, read with typer: the same help options and the same wording of mistakes.

A command line that cannot be parsed raises a ``UsageError`` that names the wrong word and the command that explains it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import typer
from typer.main import get_command

from promptster.errors import InterruptError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

HELP_OPTIONS = ("-h", "--help")
NO_SUB_COMMAND = "no command given"

_WORDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"No such option: (\S+?)\.?(?: Did you mean (\S+?)\?)?(?: \(Possible options: (.*)\))?"), "option"),
    (re.compile(r"No such command '(.*?)'\.?(?: Did you mean (.*)\?)?"), "command"),
    (re.compile(r"Got unexpected extra arguments? ?(?:\(s\))? ?\((.*)\)"), "unexpected argument: {0}"),
    (re.compile(r"Missing option '([^']*)'.*", re.DOTALL), "missing option: {0}"),
    (re.compile(r"Missing argument '([^']*)'.*", re.DOTALL), "missing argument: {0}"),
    (re.compile(r"Missing command"), NO_SUB_COMMAND),
    (re.compile(r"Option '([^']*)' requires an argument"), "{0} needs a value"),
    (re.compile(r"Option '([^']*)' requires (\d+) arguments"), "{0} needs {1} values"),
    (re.compile(r"Option '([^']*)' does not take a value"), "{0} takes no value"),
    (
        re.compile(r"Invalid value for '([^']*)': Input should be a valid integer.*", re.DOTALL),
        "{0} takes a whole number",
    ),
    (
        re.compile(r"Invalid value for '([^']*)': Input should be less than or equal to (\d+).*", re.DOTALL),
        "{0} must be at most {1}",
    ),
    (
        re.compile(r"Invalid value for '([^']*)': Input should be greater than or equal to (\d+).*", re.DOTALL),
        "{0} must be at least {1}",
    ),
    (re.compile(r"Invalid value for '([^']*)': (.*)", re.DOTALL), "invalid value for {0}: {1}"),
)
"""The library's messages, and ours for them."""


def make_app(about: str) -> typer.Typer:
    """Make a command with sub-commands; both programs make all of theirs this way."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, help=about)


def run(app: typer.Typer, words: Sequence[str], program: str) -> int:
    """Run one command line of ``program``, such as ``promptster start``; returns the command's exit code.

    Raises:
        UsageError: the command line is invalid.
        InterruptError: the person pressed Ctrl-C.
        OSError: the help could not be written.
    """
    command, rest = get_command(app), list(words)
    while rest and rest[0] in (below := getattr(command, "commands", {})):  # a group would read options and cost time
        program, command = f"{program} {rest[0]}", below[rest.pop(0)]
    if asks_for_help(rest):
        _drop_types(command)
    try:
        code = command.main(args=rest, prog_name=program, standalone_mode=False, help_option_names=list(HELP_OPTIONS))
    except typer.TyperException as error:
        raise _usage(error, program) from None
    except typer.Abort:
        raise InterruptError from None
    if code == InterruptError.exit_code:
        raise InterruptError
    return code if isinstance(code, int) else 0


def _no_type(ctx: object) -> None:
    """What the library shows as the type of an argument."""


def _drop_types(command: object) -> None:
    """Show arguments in help as a person writes them, ``FILE`` and not ``{FILE} <list[Path]>``."""
    parameters: list[Any] = getattr(command, "params", [])
    for parameter in parameters:
        shown: dict[str, Any] = parameter.__dict__
        shown["_get_number_range_help_str"] = lambda: None  # the parameter's own words say it
        if getattr(parameter, "param_type_name", "") == "argument":
            name = f"{parameter.display_name_raw}{'...' if parameter.nargs != 1 else ''}"
            shown["display_type_rich"] = _no_type
            shown["_usage_display_name"] = lambda name=name, needed=parameter.required: name if needed else f"[{name}]"


def asks_for_help(words: Sequence[str]) -> bool:
    """Return whether these words ask for help, in which case no command runs."""
    before_separator = words[: words.index("--")] if "--" in words else words
    return any(word in HELP_OPTIONS for word in before_separator)


def _usage(error: typer.TyperException, program: str) -> UsageError:
    context = getattr(error, "ctx", None)
    path = str(getattr(context, "command_path", "") or program)
    text = error.format_message().strip().rstrip(".")
    hint = f"{path} --help"
    for pattern, words in _WORDS:
        found = pattern.fullmatch(text)
        if found is None:
            continue
        if words not in {"option", "command"}:
            return UsageError(words.format(*found.groups()), hint=hint)
        close = [group for group in found.groups()[1:] if group]
        named = found[1] if words == "option" else f"{_between(path)}{found[1]}"
        meant = f"Did you mean {close[0]}? ".replace("'", "") if close else ""
        return UsageError(f"unknown {words}: {named}", hint=f"{meant}{hint}")
    return UsageError(text[:1].lower() + text[1:], hint=hint)


def _between(path: str) -> str:
    """Return the words between the program's name and a sub-command, such as ``assessment ``."""
    _, _, rest = path.partition(" ")
    return f"{rest} " if rest else ""
