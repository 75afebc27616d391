"""``promptster completion``: a script that completes commands, options and names in bash, zsh or fish.

The scripts call ``answer`` on every press of Tab. It reads only signatures and the names of folders.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, cast

from promptster.commands import GROUPS, NAMES, load, needed
from promptster.completion import FILES, SHELLS, matching, of_command, script, typed
from promptster.protocol.agents import PROGRAMS

if TYPE_CHECKING or needed.signature:
    import typer

    from promptster.commands.options import JsonOption
if TYPE_CHECKING or needed.work:
    from promptster.errors import UsageError
    from promptster.ui.output import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.completion import ParserCommand

_FLAGS = {"--help": "show help", "--version": "show the version"}


def command(
    shell: Annotated[str, typer.Argument(metavar="|".join(SHELLS), show_default=False, help="Your shell.")],
    *,
    json: JsonOption = False,
) -> None:
    """Print a script that completes commands, options and names in your shell. It changes no file.

    To have it in every new shell:

    bash: add to ~/.bashrc: eval "$(promptster completion bash)"

    zsh: add to ~/.zshrc, below compinit: eval "$(promptster completion zsh)"

    fish: add to config.fish: promptster completion fish | source
    """
    if shell not in SHELLS:
        raise UsageError(f"no completion for {shell}", hint=f"Use {', '.join(SHELLS[:-1])} or {SHELLS[-1]}.")
    out = Output(json)
    text = script(shell, "promptster")
    out.result({"shell": shell, "script": text})
    if not json:
        out.say(text.rstrip("\n"))


def answer(words: Sequence[str]) -> str:
    """The possible completions of the last word, one a line; empty if there are none."""
    with contextlib.suppress(Exception):  # no error may appear in the middle of a command line
        return "\n".join(_lines(typed(words)))
    return ""


def _lines(words: Sequence[str]) -> list[str]:
    if len(words) == 1:
        found = _FLAGS.items() if words[0].startswith("-") else [*_commands(), ("help", "show help, as --help does")]
        return matching(found, words[0])
    name, rest = words[0], words[1:]
    if name in {"help", "--help", "-h"}:
        return [] if len(rest) > 1 else matching([("team", "commands for hiring teams"), *_commands()], rest[0])
    if name not in NAMES:
        return []
    if name in {"run", "shell"}:
        return _of_program(name, rest)
    return of_command(_parser_of(name), rest, {"SESSION": _sessions})


def _commands() -> list[tuple[str, str]]:
    return [(name, text) for group in GROUPS for name, text in group.items()]


def _of_program(name: str, words: Sequence[str]) -> list[str]:
    """Completions of the agent's name; later words are the agent's or the shell's, most often files."""
    if name == "shell" or len(words) > 1:
        return [FILES]
    found = [("--help", "show help")] if words[0].startswith("-") else [(agent, "recorded") for agent in PROGRAMS]
    return matching(found, words[0])


def _parser_of(name: str) -> ParserCommand:
    from typer.main import get_command  # noqa: PLC0415 - the words before it need no parser

    from promptster.__main__ import app_of  # noqa: PLC0415 - likewise

    return cast("ParserCommand", get_command(app_of(name, load(name, work=False))))


def _sessions() -> list[str]:
    """The names of the sessions on this computer."""
    from promptster.paths import Paths  # noqa: PLC0415 - only this word needs it

    return sorted(path.parent.name for path in Paths.from_environment().sessions.glob("*/session.json"))
