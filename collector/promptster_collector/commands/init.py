"""``promptster-collector init``: a data folder with its keys, one organisation, and its owner's first token."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from promptster_collector.commands.output import document, say
from promptster_collector.commands.serve import PORT
from promptster_collector.errors import OptionError

_MAX_NAME = 100


def _checked(org: str, owner_email: str) -> str:
    """The organisation's normalised name."""
    from promptster_collector.input_text import is_email, normalised_text, text_fault  # noqa: PLC0415 - costs start-up time

    name = normalised_text(org)
    if (wrong := text_fault(name, "an organisation's name", most=_MAX_NAME)) is not None:
        raise OptionError(wrong, hint="Check --org. Nothing was created.", code="organisation")
    if not is_email(owner_email):
        hint = "--owner-email looks like owner@example.com. Nothing was created."
        raise OptionError(f"not an e-mail address: {owner_email}", hint=hint, code="email")
    return name


def command(
    *,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder to create.")],
    org: Annotated[str, typer.Option(metavar="NAME", help="The organisation's name, as candidates see it.")],
    owner_email: Annotated[str, typer.Option(metavar="EMAIL", help="E-mail address of the organisation's owner.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Create a data folder: keys, databases, one organisation, its owner and the owner's token.

    The owner signs in with the token, which is shown once. Keep a copy of master.key elsewhere: no backup contains it.
    """
    from promptster_collector.app import build_services, system_clock  # noqa: PLC0415 - costs start-up time
    from promptster_collector.settings import Settings  # noqa: PLC0415 - likewise
    from promptster_collector.store.data_folder import mark_ready  # noqa: PLC0415 - likewise
    from promptster_collector.store.store import Store  # noqa: PLC0415 - likewise

    name = _checked(org, owner_email)
    os.umask(0o077)
    settings = Settings(data=data.absolute())
    clock = system_clock()
    store = Store.create(settings, clock)
    try:
        made = build_services(settings, store, clock).organisations.create(name=name, owner_email=owner_email)
        mark_ready(settings)
        fingerprint = store.identity.fingerprint
    finally:
        store.close()
    if json:
        document({"organisation": made.name, "token": made.token.token, "key_fingerprint": fingerprint})
        return
    folder = str(data) if data.is_absolute() or str(data).startswith("..") else f"./{data}"
    say(f"Created {made.name}'s collector in {folder}.")
    say(f"Owner's token, shown once: {made.token.token}")
    say(f"Key fingerprint:\n  {fingerprint}")
    say("Keep a copy of master.key elsewhere: no backup contains it.")
    say("Then start the collector and sign in:")
    say(f"  promptster-collector serve --data {quote(folder)}")
    say(f"  promptster login --collector http://127.0.0.1:{PORT} --token-stdin")
