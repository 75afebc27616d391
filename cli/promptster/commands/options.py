"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from promptster.errors import UsageError
from promptster.keys import StoreKind

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document; words for people go to standard error.")]
Collector = Annotated[
    str | None,
    typer.Option("--collector", metavar="URL", help="The collector's address, if your code came without a link."),
]
Code = Annotated[
    str | None,
    typer.Argument(metavar="CODE_OR_LINK", show_default=False, help="Your invite; - reads it from standard input."),
]


_STORES: dict[str, StoreKind] = {"keyring": "keyring", "file": "file"}


def store_kind(text: str | None) -> StoreKind | None:
    """The value of ``--secrets``.

    Raises:
        UsageError: it is neither of the two words.
    """
    if text is not None and text not in _STORES:
        raise UsageError(f"--secrets takes keyring or file, not {text!r}")
    return None if text is None else _STORES[text]


def read_code(argument: str | None) -> str:
    """The invite's text: from the argument, from standard input for ``-``, or asked for.

    Raises:
        UsageError: nothing was given and nobody can be asked, or the input is empty.
    """
    if argument == "-":
        text = sys.stdin.readline()
    elif argument is None:
        if not sys.stdin.isatty():
            raise UsageError("no invite given", hint="pass the code or the link, or - to read it from standard input")
        sys.stderr.write("paste your invite (a link or a code): ")
        sys.stderr.flush()
        text = sys.stdin.readline()
    else:
        text = argument
    if not text.strip():
        raise UsageError("the invite is empty", hint="copy the whole link from the invitation")
    return text.strip()
