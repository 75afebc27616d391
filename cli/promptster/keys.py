"""Where secrets are kept: the operating system's keyring, else a file of mode 0600 that was announced before.

A keyring counts only if it answers within two seconds and gives back what was written: some backends keep a base64 file
(``keyrings.alt``), one pretends success and keeps nothing. Both are refused, so is a keyring that is locked or hangs.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from promptster.config import is_object
from promptster.durable import sync_folder, write_private
from promptster.errors import ConfigurationError, SessionError
from promptster.paths import home_path
from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.sealing import access_token
from promptster.protocol.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

T = TypeVar("T")
StoreKind = Literal["keyring", "file"]
KEYRING_TIMEOUT_S = 2.0
_SERVICE = "promptster"
_REFUSED_BACKENDS = ("keyrings.alt", "keyring.backends.null", "keyring.backends.fail")


@dataclass(frozen=True, kw_only=True)
class SessionSecrets:
    """What only the candidate's machine knows of a session."""

    session_seed: bytes = field(repr=False)
    """32 bytes: the seed of the session's signing key."""
    content_key: bytes = field(repr=False)
    """32 bytes: everything recorded is sealed under keys derived from it."""
    access_token: str = field(repr=False)
    """The candidate's bearer token for their own session."""
    spool_key: bytes = field(repr=False)
    """32 bytes: hook events that could not be handed over are kept under it."""

    @classmethod
    def generate(cls, session: str, random: Callable[[int], bytes] = os.urandom) -> SessionSecrets:
        """Fresh secrets for a session, named by its id."""
        content_key = random(32)
        return cls(
            session_seed=random(32),
            content_key=content_key,
            access_token=access_token(content_key, session),
            spool_key=random(32),
        )

    @property
    def signing_key(self) -> SigningKey:
        """The session's signing key."""
        return SigningKey(self.session_seed)

    def to_json(self) -> dict[str, str]:
        """The form in which they are kept, and handed to the recorder through a pipe."""
        return {
            "access_token": self.access_token,
            "content_key": b64u_encode(self.content_key),
            "session_seed": b64u_encode(self.session_seed),
            "spool_key": b64u_encode(self.spool_key),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> SessionSecrets:
        """Read that form.

        Raises:
            SessionError: members are missing, as after the keys' end.
        """
        try:
            return cls(
                session_seed=b64u_decode(document["session_seed"]),
                content_key=b64u_decode(document["content_key"]),
                access_token=document["access_token"],
                spool_key=b64u_decode(document["spool_key"]),
            )
        except KeyError:
            raise SessionError(
                "this session's keys are gone", hint="They are deleted when a session ends.", code="keys_gone"
            ) from None


class SecretStore(Protocol):
    """A place for texts under names."""

    kind: StoreKind

    def put(self, name: str, text: str) -> None:
        """Keep a text; it was read back when this returns."""
        ...

    def get(self, name: str) -> str | None:
        """The text, or ``None``."""
        ...

    def delete(self, name: str) -> None:
        """Forget it; nothing happens if it is not there."""
        ...


class KeyringStore:
    """The operating system's keyring."""

    kind: StoreKind = "keyring"

    def __init__(self) -> None:
        """Choose a backend that can be trusted with secrets.

        Raises:
            ConfigurationError: there is none.
        """
        self._backend: Any = in_time(_usable_backend)

    def put(self, name: str, text: str) -> None:
        """Keep a text and read it back."""

        def write() -> str | None:
            self._backend.set_password(_SERVICE, name, text)
            back: str | None = self._backend.get_password(_SERVICE, name)
            return back

        if in_time(write) != text:
            raise _keyring_error("the keyring did not give back what was written")

    def get(self, name: str) -> str | None:
        """The text, or ``None``."""
        found: str | None = in_time(lambda: self._backend.get_password(_SERVICE, name))
        return found

    def delete(self, name: str) -> None:
        """Forget it."""
        if self.get(name) is not None:
            in_time(lambda: self._backend.delete_password(_SERVICE, name))
            if self.get(name) is not None:
                raise _keyring_error("the keyring did not delete an entry")


class FileStore:
    """One file of mode 0600, a JSON table of texts."""

    kind: StoreKind = "file"

    def __init__(self, path: Path) -> None:
        """Use this file; it is made by the first ``put``."""
        self.path = path

    def _read(self) -> dict[str, str]:
        try:
            value = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"cannot read {self.path}", hint="Promptster made this file. Restore it."
            ) from error
        return {name: str(text) for name, text in value.items()} if is_object(value) else {}

    def put(self, name: str, text: str) -> None:
        """Keep a text; durable when this returns."""
        table = {**self._read(), name: text}
        write_private(self.path, json.dumps(table, sort_keys=True).encode())
        if self._read() != table:
            raise ConfigurationError(f"{self.path} does not keep what is written", hint="Check the disk.")

    def get(self, name: str) -> str | None:
        """The text, or ``None``."""
        return self._read().get(name)

    def delete(self, name: str) -> None:
        """Forget it; an empty table's file is removed."""
        table = self._read()
        if table.pop(name, None) is None:
            return
        if table:
            write_private(self.path, json.dumps(table, sort_keys=True).encode())
            return
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        sync_folder(self.path.parent)


def open_store(kind: StoreKind, file: Path) -> SecretStore:
    """The store that was chosen when the secrets were written."""
    return KeyringStore() if kind == "keyring" else FileStore(file)


def choose_store(
    preference: StoreKind | None,
    file: Path,
    announce: Callable[[str], None],
    *,
    what: str = "this session's keys",
) -> SecretStore:
    """The keyring if it works, else the file, which is announced first.

    Raises:
        ConfigurationError: the keyring was asked for by name and cannot be used.
    """
    if preference != "file":
        try:
            store = KeyringStore()
            store.put("probe", "promptster")
            store.delete("probe")
        except ConfigurationError as error:
            if preference == "keyring":
                raise
            announce(f"{error.message}; {what} will be kept in {home_path(file)}, readable only by you")
        else:
            return store
    else:
        announce(f"{what} will be kept in {home_path(file)}, readable only by you")
    return FileStore(file)


def save_secrets(store: SecretStore, session: str, secrets: SessionSecrets) -> None:
    """Keep a session's secrets."""
    store.put(session, json.dumps(secrets.to_json(), sort_keys=True))


def load_secrets(store: SecretStore, session: str) -> SessionSecrets:
    """A session's secrets.

    Raises:
        SessionError: they are gone, or were never here.
    """
    return SessionSecrets.from_json(_load(store, session))


def load_access_token(store: SecretStore, session: str) -> str | None:
    """The candidate's token, which outlives the keys."""
    token = _load(store, session).get("access_token")
    return token if isinstance(token, str) else None


def keep_access_token_only(store: SecretStore, session: str) -> None:
    """After the final receipt: session key, content key and spool key go, the access token stays."""
    token = _load(store, session).get("access_token")
    if isinstance(token, str):
        store.put(session, json.dumps({"access_token": token}))


def _load(store: SecretStore, session: str) -> dict[str, Any]:
    text = store.get(session)
    if text is None:
        return {}
    value = json.loads(text)
    return value if is_object(value) else {}


def in_time(call: Callable[[], T], timeout_s: float = KEYRING_TIMEOUT_S) -> T:
    """Run a call into a keyring, which may hang for ever or raise whatever its backend raises.

    Raises:
        ConfigurationError: it raised, or did not return in time.
    """
    answers: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put((True, call()))
        except ConfigurationError as error:
            answers.put((False, error))
        except Exception as error:  # noqa: BLE001 - backends raise errors of their own libraries
            answers.put((False, _keyring_error(f"the keyring failed ({type(error).__name__})")))

    threading.Thread(target=work, name="keyring", daemon=True).start()
    try:
        good, value = answers.get(timeout=timeout_s)
    except queue.Empty:
        raise _keyring_error("the keyring does not answer") from None
    if not good:
        raise value
    answer: T = value
    return answer


def _usable_backend() -> Any:
    import keyring  # noqa: PLC0415 - slow to import, and only needed here

    chosen: Any = keyring.get_keyring()
    candidates = list(getattr(chosen, "backends", [])) or [chosen]
    for backend in candidates:
        module = type(backend).__module__
        if not module.startswith(_REFUSED_BACKENDS) and module != "keyring.backends.chainer":
            return backend
    raise _keyring_error("this system has no usable keyring")


def _keyring_error(message: str) -> ConfigurationError:
    return ConfigurationError(message, hint="Unlock it, or add --secrets file.", code="keyring")
