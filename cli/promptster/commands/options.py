"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from promptster.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from promptster.secret_store import StoreKind


def _collector(text: str | None) -> str | None:
    """The normalised value of ``--collector``."""
    if text is None:
        return None
    from promptster.config import collector_url  # noqa: PLC0415 - help needs none of what it imports

    try:
        return collector_url(text)
    except ConfigurationError as error:
        code = error.code if error.code != error.default_code else None
        raise UsageError(error.message, hint=error.hint, code=code) from error


JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document; messages go to standard error.")]
CollectorOption = Annotated[
    str | None,
    typer.Option(
        "--collector",
        metavar="URL",
        callback=_collector,
        help="Collector address, if it is not in the link or known from signing in.",
    ),
]
TeamCollector = Annotated[
    str | None,
    typer.Option(
        "--collector", metavar="URL", callback=_collector, help="Collector address, if not the one signed in to."
    ),
]
Code = Annotated[
    str | None,
    typer.Argument(metavar="LINK", show_default=False, help="Your invite link; - reads it from standard input."),
]


_STORES: dict[str, StoreKind] = {"keyring": "keyring", "file": "file"}


def store_kind(text: str | None) -> StoreKind | None:
    """The value of ``--secrets``.

    Raises:
        UsageError: it is neither ``keyring`` nor ``file``.
    """
    if text is not None and text not in _STORES:
        raise UsageError(f"--secrets takes keyring or file, not {text!r}")
    return None if text is None else _STORES[text]


def read_code(argument: str | None, command: str) -> str:
    """The invite link: from the argument, from a question at the terminal, or from standard input.

    ``command`` is the one that a message about a missing link names.

    Raises:
        UsageError: there is none.
    """
    if argument is None and sys.stdin.isatty():
        text = ask_hidden("Paste the link from your invitation (it is not shown): ")
    elif argument is None or argument == "-":
        text = sys.stdin.readline()
        if not text and argument is None:
            raise UsageError("no invite link", hint=f"Add the link from your invitation: promptster {command} LINK")
    else:
        text = argument
    if not text.strip():
        raise UsageError("the invite link is empty", hint="Copy the whole link from your invitation.")
    return text.strip()


def ask_hidden(question: str) -> str:
    """Read one line without echo, because it is a secret."""
    import getpass  # noqa: PLC0415 - only a terminal needs it

    try:
        return getpass.getpass(question)
    except EOFError:
        return ""
    except KeyboardInterrupt:
        from promptster.errors import ChoiceError  # noqa: PLC0415 - likewise
        from promptster.ui.questions import NOTHING_CHANGED  # noqa: PLC0415 - likewise

        sys.stderr.write("\n")
        raise ChoiceError(NOTHING_CHANGED, code="interrupted", interrupted=True) from None
