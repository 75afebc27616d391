"""``promptster-collector completion``: a script that completes commands and options in bash, zsh or fish."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, cast

import typer

from promptster.completion import SHELLS, matching, of_command, script, typed
from promptster.errors import UsageError
from promptster_collector.commands.output import document, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.completion import ParserCommand

_FLAGS = {"--help": "show help", "--version": "show the version"}


def command(
    shell: Annotated[str, typer.Argument(metavar="|".join(SHELLS), show_default=False, help="Your shell.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Print a script that completes commands and options in your shell. It changes no file.

    To have it in every new shell:

    bash: add to ~/.bashrc: eval "$(promptster-collector completion bash)"

    zsh: add to ~/.zshrc, below compinit: eval "$(promptster-collector completion zsh)"

    fish: add to config.fish: promptster-collector completion fish | source
    """
    if shell not in SHELLS:
        raise UsageError(f"no completion for {shell}", hint=f"Use {', '.join(SHELLS[:-1])} or {SHELLS[-1]}.")
    text = script(shell, "promptster-collector")
    if json:
        document({"shell": shell, "script": text})
        return
    say(text.rstrip("\n"))


def answer(app: typer.Typer, words: Sequence[str]) -> str:
    """The possible completions of the last word, one on each line."""
    from typer.main import get_command  # noqa: PLC0415 - only a shell asks

    with contextlib.suppress(Exception):  # a completion must not print an error into the command line
        found = typed(words)
        if len(found) == 1 and found[0].startswith("-"):
            return "\n".join(matching(_FLAGS.items(), found[0]))
        return "\n".join(of_command(cast("ParserCommand", get_command(app)), found))
    return ""
