"""``promptster login``: sign in to the organisation's collector and pin its keys."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from promptster.commands import needed
from promptster.commands.options import JsonOption, TeamCollector

if TYPE_CHECKING or needed.work:
    from promptster.client import CollectorClient, SignInRejectedError, TokenExpiredError, TokenRevokedError
    from promptster.commands.options import ask_hidden, store_kind
    from promptster.commands.signed_in import keep_token
    from promptster.config import Config, PinnedKeys, collector_url
    from promptster.errors import NotSignedInError, UsageError
    from promptster.paths import Paths
    from promptster.ui.escape import escape_line
    from promptster.ui.output import Output

_PREFIX = "pt_"


def command(
    *,
    collector: TeamCollector = None,
    token_stdin: Annotated[bool, typer.Option("--token-stdin", help="Read the token from standard input.")] = False,
    secrets: Annotated[
        str | None,
        typer.Option(metavar="keyring|file", help="Where to keep the token; the keyring by default, if it works."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Sign in to your organisation's collector with an access token.

    The collector's public keys are saved, so that promptster verify trusts what it signs. If the collector later
    presents different keys, they are refused unless the saved ones vouch for them.
    """
    out = Output(json)
    preference = store_kind(secrets)
    config = Config.load(Paths.from_environment())
    if collector is None and config.collector is None:
        raise UsageError("no collector address", hint="Add --collector https://HOST.")
    url = collector_url(collector or config.collector or "")
    token = _read_token(from_stdin=token_stdin)
    pinned = PinnedKeys(config.paths)
    with CollectorClient(url, token=token, network=config.network) as client:
        keyfile = client.keys()
        pinned.check(url, keyfile)  # before the token is sent
        try:
            me = client.me()
        except SignInRejectedError as error:
            raise _not_this_one(error) from error
    keys = pinned.pin(url, keyfile)
    kind = keep_token(
        config, url, token, preference=preference, announce=lambda text: out.note(f"{text[:1].upper()}{text[1:]}.")
    )
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
        out.say(f"Signed in to {escape_line(organisation)} as {role}.")
        out.say(f"Collector  {url}")
        out.say("Its key, which promptster verify now trusts:")
        out.say(f"  {fingerprint}")


def _not_this_one(error: SignInRejectedError) -> NotSignedInError:
    """The error for a new token that is not accepted, for which signing in again would not help."""
    if isinstance(error, TokenExpiredError):
        return NotSignedInError("this token has expired", hint=error.hint)
    if isinstance(error, TokenRevokedError):
        return NotSignedInError("this token has been revoked", hint=error.hint)
    hint = f"Copy all of it; it starts with {_PREFIX}. Also check the collector's address."
    return NotSignedInError("the collector does not know this token", hint=hint)


def _read_token(*, from_stdin: bool) -> str:
    if sys.stdin.isatty():
        token = ask_hidden("Token (it is not shown): ").strip()
    elif from_stdin:
        token = sys.stdin.readline().strip()
    else:
        raise UsageError("no token given", hint="Add --token-stdin and write the token to standard input.")
    if not token.startswith(_PREFIX) or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError("not a token", hint=f"Copy all of it; it starts with {_PREFIX}.")
    return token
