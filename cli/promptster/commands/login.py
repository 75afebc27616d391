"""``promptster login``: sign in to the organisation's collector and pin its keys."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from promptster.commands import needed
from promptster.commands.options import Collector, Json, store_kind

if TYPE_CHECKING or needed.work:
    from promptster.client import CollectorClient
    from promptster.commands.signed_in import keep_token
    from promptster.config import Config, PinnedKeys, collector_url
    from promptster.errors import UsageError
    from promptster.paths import Paths
    from promptster.ui.output import Output


def command(
    *,
    collector: Collector = None,
    token_stdin: Annotated[bool, typer.Option("--token-stdin", help="Read the token from standard input.")] = False,
    secrets: Annotated[
        str | None, typer.Option(metavar="keyring|file", help="Where the token is kept; the keyring if it works.")
    ] = None,
    json: Json = False,
) -> None:
    """Sign in with a token from your organisation.

    The collector's public keys are pinned, so that promptster verify trusts what it signs; other keys later are refused
    unless the pinned ones vouch for them.
    """
    out = Output(json)
    preference = store_kind(secrets)
    config = Config.load(Paths.from_environment())
    if collector is None and config.collector is None:
        raise UsageError("no collector named", hint="pass --collector https://...")
    url = collector_url(collector or config.collector or "")
    token = _read_token(from_stdin=token_stdin)
    pinned = PinnedKeys(config.paths)
    with CollectorClient(url, token=token, network=config.network) as client:
        keyfile = client.keys()
        pinned.check(url, keyfile)  # before the token goes anywhere
        me = client.me()
    keys = pinned.pin(url, keyfile)
    kind = keep_token(config, url, token, preference=preference, announce=out.note)
    config.remember_collector(url)
    organisation, role = str(me.get("organisation", "")), str(me.get("role", ""))
    fingerprint = keys.fingerprints[-1]
    out.result(
        {
            "collector": url,
            "organisation": organisation,
            "role": role,
            "key_fingerprint": fingerprint,
            "token_kept_in": kind,
        }
    )
    if not json:
        out.say(f"signed in to {organisation} as {role}")
        out.say(f"collector  {url}")
        out.say(f"its key    {fingerprint}")


def _read_token(*, from_stdin: bool) -> str:
    if from_stdin:
        token = sys.stdin.readline().strip()
    elif sys.stdin.isatty():
        token = getpass.getpass("token: ").strip()
    else:
        raise UsageError("no token given", hint="pass --token-stdin and write the token to standard input")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError("this is not a token", hint="copy it whole; it begins with pt_")
    return token
