"""The storage of secrets: the operating system's keyring, or else a file of mode 0600 that is announced first.

A keyring is used only if it answers within two seconds and returns what was written to it. Some backends write a base64
file (``keyrings.alt``), and one reports success but keeps nothing. Both are refused, as is a locked or hanging keyring.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from typing_extensions import override

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
    """The secrets of a session, which only the candidate's machine knows."""

    session_seed: bytes = field(repr=False)
    """32 bytes: the seed of the session's signing key."""
    content_key: bytes = field(repr=False)
    """32 bytes: the keys that encrypt everything recorded are derived from it."""
    access_token: str = field(repr=False)
    """The candidate's bearer token for this session."""
    spool_key: bytes = field(repr=False)
    """32 bytes: encrypts hook events that the recorder could not take yet."""

    @classmethod
    def generate(cls, session: str, random: Callable[[int], bytes] = os.urandom) -> SessionSecrets:
        """Make new secrets for a session with this id."""
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
        """Return the form in which they are stored and passed to the recorder through a pipe."""
        return {
            "access_token": self.access_token,
            "content_key": b64u_encode(self.content_key),
            "session_seed": b64u_encode(self.session_seed),
            "spool_key": b64u_encode(self.spool_key),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> SessionSecrets:
        """Read the form that ``to_json`` returns.

        Raises:
            SessionError: members are missing, as they are once the keys were deleted.
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
    """A store of secret texts by name."""

    kind: StoreKind

    def put(self, name: str, text: str) -> None:
        """Store a text and verify that it can be read back."""
        ...

    def get(self, name: str) -> str | None:
        """Return the text, or ``None``."""
        ...

    def delete(self, name: str) -> None:
        """Delete a text if it exists."""
        ...


class KeyringStore(SecretStore):
    """The operating system's keyring."""

    kind: StoreKind = "keyring"

    def __init__(self) -> None:
        """Choose a backend that can be trusted with secrets.

        Raises:
            ConfigurationError: this system has none.
        """
        self._backend: Any = in_time(_usable_backend)

    @override
    def put(self, name: str, text: str) -> None:
        def write() -> str | None:
            self._backend.set_password(_SERVICE, name, text)
            back: str | None = self._backend.get_password(_SERVICE, name)
            return back

        if in_time(write) != text:
            raise _keyring_error("the keyring did not return what was written to it")

    @override
    def get(self, name: str) -> str | None:
        found: str | None = in_time(lambda: self._backend.get_password(_SERVICE, name))
        return found

    @override
    def delete(self, name: str) -> None:
        if self.get(name) is not None:
            in_time(lambda: self._backend.delete_password(_SERVICE, name))
            if self.get(name) is not None:
                raise _keyring_error("the keyring did not delete an entry")


class FileStore(SecretStore):
    """A file of mode 0600 with a JSON object of texts."""

    kind: StoreKind = "file"

    def __init__(self, path: Path) -> None:
        """Use this file; the first ``put`` creates it."""
        self.path = path

    def _read(self) -> dict[str, str]:
        try:
            value = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"cannot read {self.path}", hint="Promptster needs this file. Restore it from a backup."
            ) from error
        return {name: str(text) for name, text in value.items()} if is_object(value) else {}

    @override
    def put(self, name: str, text: str) -> None:
        table = {**self._read(), name: text}
        write_private(self.path, json.dumps(table, sort_keys=True).encode())
        if self._read() != table:
            raise ConfigurationError(f"{self.path} does not keep what is written", hint="Check the disk.")

    @override
    def get(self, name: str) -> str | None:
        return self._read().get(name)

    @override
    def delete(self, name: str) -> None:
        """Delete a text; the file is removed with the last one."""
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
    """Open the store that was chosen when the secrets were written."""
    return KeyringStore() if kind == "keyring" else FileStore(file)


def choose_store(
    preference: StoreKind | None,
    file: Path,
    announce: Callable[[str], None],
    *,
    what: str = "this session's keys",
) -> SecretStore:
    """Choose the keyring if it works, else the file, which is announced first.

    Raises:
        ConfigurationError: the keyring was requested and cannot be used.
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
    """Store a session's secrets."""
    store.put(session, json.dumps(secrets.to_json(), sort_keys=True))


def load_secrets(store: SecretStore, session: str) -> SessionSecrets:
    """Load a session's secrets.

    Raises:
        SessionError: they were deleted, or never stored here.
    """
    return SessionSecrets.from_json(_load(store, session))


def load_access_token(store: SecretStore, session: str) -> str | None:
    """Load the candidate's token, which is kept longer than the keys."""
    token = _load(store, session).get("access_token")
    return token if isinstance(token, str) else None


def keep_access_token_only(store: SecretStore, session: str) -> None:
    """Delete a session's keys after the final receipt; the access token is kept."""
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
    """Call a keyring, which may hang or raise any exception of its backend.

    Raises:
        ConfigurationError: the call raised an exception or did not return in time.
    """
    answers: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put((True, call()))
        except ConfigurationError as error:
            answers.put((False, error))
        except Exception as error:  # noqa: BLE001 - backends raise exceptions of any library
            answers.put((False, _keyring_error(f"the keyring failed ({type(error).__name__})")))

    threading.Thread(target=work, name="keyring", daemon=True).start()
    try:
        good, value = answers.get(timeout=timeout_s)
    except queue.Empty:
        raise _keyring_error("the keyring is not responding") from None
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
