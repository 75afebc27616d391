"""The hiring team's sign-in: the token, kept in the keyring or, after a notice, in a private file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from promptster.client import CollectorClient, CollectorRefusedError
from promptster.config import collector_url
from promptster.errors import ConfigurationError, NotSignedInError, UsageError
from promptster.replay.invisible_characters import is_encodable
from promptster.secret_store import FileStore, KeyringStore, choose_store
from promptster.ui.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from promptster.config import Config
    from promptster.secret_store import StoreKind

_FILE = "tokens.json"
_INVALID = 422
_HINT = "Sign in first: promptster login --collector URL"


def keep_token(
    config: Config, url: str, token: str, *, preference: StoreKind | None, announce: Callable[[str], None]
) -> StoreKind:
    """Keep the token of a collector; a file is announced before it is written.

    Raises:
        ConfigurationError: ``keyring`` was asked for and cannot be used.
    """
    file = FileStore(config.paths.config / _FILE)
    store = choose_store(preference, file.path, announce, what="this sign-in")
    store.put(_name(url), token)
    if store.kind == "keyring":
        file.delete(_name(url))  # an older sign-in must not take precedence
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
    """The given collector address, or the one signed in to.

    Raises:
        NotSignedInError: there is neither.
    """
    url = collector_url(collector) if collector else config.collector
    if url is None:
        raise NotSignedInError("you are not signed in to a collector", hint=_HINT)
    return url


def team_client(config: Config, collector: str | None = None) -> CollectorClient:
    """A client for the given collector, or for the one signed in to.

    Raises:
        NotSignedInError: there is no sign-in.
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
    """A context in which a value that the collector rejects is a usage error.

    Args:
        typed: the values by option name; they must be valid text.

    Raises:
        UsageError: a value is not valid text, or the collector rejected it.
    """
    for name, text in typed.items():
        if not is_encodable(text):
            raise UsageError(f"--{name} is not valid UTF-8", hint="Use a terminal with UTF-8.")
    try:
        yield
    except CollectorRefusedError as error:
        if error.status != _INVALID:
            raise
        raise UsageError(error.message, hint=error.hint, code=error.code) from error


def _name(url: str) -> str:
    return f"sign-in {url}"
