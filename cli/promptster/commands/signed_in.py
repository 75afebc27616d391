"""Who is signed in where: the hiring team's token, kept in the keyring or, announced, in a 0600 file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from promptster.client import CollectorClient, RefusedError
from promptster.config import collector_url
from promptster.errors import ConfigurationError, NotSignedInError, UsageError
from promptster.keys import FileStore, KeyringStore, choose_store
from promptster.replay.invisible_characters import is_encodable
from promptster.ui.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from promptster.config import Config
    from promptster.keys import StoreKind

_FILE = "tokens.json"
_INVALID = 422
_HINT = "Sign in first: promptster login --collector URL"


def keep_token(
    config: Config, url: str, token: str, *, preference: StoreKind | None, announce: Callable[[str], None]
) -> StoreKind:
    """Keep a collector's token; the file is announced before it is written.

    Raises:
        ConfigurationError: the keyring was asked for by name and cannot be used.
    """
    file = FileStore(config.paths.config / _FILE)
    store = choose_store(preference, file.path, announce, what="this sign-in")
    store.put(_name(url), token)
    if store.kind == "keyring":
        file.delete(_name(url))  # an older sign-in must not win over this one
    return store.kind


def token_for(config: Config, url: str) -> str:
    """The token of a collector.

    Raises:
        NotSignedInError: there is none.
    """
    token = FileStore(config.paths.config / _FILE).get(_name(url))
    if token is None:
        try:
            token = KeyringStore().get(_name(url))
        except ConfigurationError:
            token = None  # no keyring here, so no token in it
    if token is None:
        raise NotSignedInError(f"you are not signed in to {url}", hint=_HINT)
    return token


def team_url(config: Config, collector: str | None = None) -> str:
    """The address of the collector signed in to, or of the one that is named.

    Raises:
        NotSignedInError: nobody signed in.
    """
    url = collector_url(collector) if collector else config.collector
    if url is None:
        raise NotSignedInError("you are not signed in to a collector", hint=_HINT)
    return url


def team_client(config: Config, collector: str | None = None) -> CollectorClient:
    """A client for the collector signed in to, or for the one that is named.

    Raises:
        NotSignedInError: nobody signed in.
    """
    url = team_url(config, collector)
    note = Output(json=False).note
    return CollectorClient(
        url,
        token=token_for(config, url),
        network=config.network,
        preparing=lambda: note("Preparing the session..."),
    )


@contextmanager
def values_checked(**typed: str) -> Generator[None]:
    """Call the collector with what was typed inside this: a value that it finds unacceptable is a usage error.

    Args:
        typed: texts by their options' names; no collector can be sent bytes that are no text.

    Raises:
        UsageError: the collector's words about that value, or ours.
    """
    for name, text in typed.items():
        if not is_encodable(text):
            raise UsageError(f"--{name} has bytes that are not UTF-8", hint="Type it in a terminal that uses UTF-8.")
    try:
        yield
    except RefusedError as error:
        if error.status != _INVALID:
            raise
        raise UsageError(error.message, hint=error.hint, code=error.code) from error


def _name(url: str) -> str:
    return f"sign-in {url}"
