"""Where secrets are kept, and which keyrings are not trusted."""

from __future__ import annotations

import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.backends.null
import pytest

from promptster.errors import ConfigurationError, SessionError
from promptster.secret_store import (
    FileStore,
    KeyringStore,
    SessionSecrets,
    choose_store,
    in_time,
    keep_access_token_only,
    load_access_token,
    load_secrets,
    open_store,
    save_secrets,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SESSION = "AAAAAAAAAAAAAAAAAAAAAA"


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring that works, kept in memory."""

    priority = 1.0  # pyright: ignore[reportAssignmentType] -- keyring reads it from the class

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()  # type: ignore[no-untyped-call] # keyring has no annotation there
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        """The entry."""
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep an entry."""
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Delete an entry."""
        del self.entries[service, username]


class ForgetfulKeyring(MemoryKeyring):
    """Pretends success and keeps nothing, as the null backend does."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Do nothing."""
        del service, username, password


@pytest.fixture
def use_keyring() -> Iterator[Any]:
    """Set the process's keyring for one test."""
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_a_file_is_private_durable_and_gone_when_empty(tmp_path: Path) -> None:
    """Its mode is 0600 from the start; with the last secret the file is removed."""
    store = FileStore(tmp_path / "session" / "secrets.json")
    assert store.get("a") is None
    store.put("a", "1")
    store.put("b", "2")
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    assert FileStore(store.path).get("b") == "2"
    store.delete("a")
    store.delete("a")
    assert (store.get("a"), store.get("b")) == (None, "2")
    store.delete("b")
    assert not store.path.exists()


def test_session_secrets_come_back_and_shrink_to_the_access_token(tmp_path: Path) -> None:
    """After the final receipt only the candidate's access token is left."""
    store = FileStore(tmp_path / "secrets.json")
    secrets = SessionSecrets.generate(SESSION)
    save_secrets(store, SESSION, secrets)
    assert load_secrets(store, SESSION) == secrets
    assert secrets.signing_key.seed == secrets.session_seed
    keep_access_token_only(store, SESSION)
    assert load_access_token(store, SESSION) == secrets.access_token
    content = store.path.read_text()
    for name, value in secrets.to_json().items():
        assert (value in content) is (name == "access_token")
    with pytest.raises(SessionError) as caught:
        load_secrets(store, SESSION)
    assert caught.value.code == "keys_gone"


def test_secrets_do_not_show_in_a_traceback() -> None:
    """Their representation contains none of them."""
    secrets = SessionSecrets.generate(SESSION)
    assert all(value not in repr(secrets) for value in secrets.to_json().values())


def test_a_keyring_that_works_is_used(tmp_path: Path, use_keyring: Any) -> None:
    """No message is printed and no file is made."""
    use_keyring(backend := MemoryKeyring())
    said: list[str] = []
    store = choose_store(None, tmp_path / "secrets.json", said.append)
    assert (store.kind, said, backend.entries) == ("keyring", [], {})
    save_secrets(store, SESSION, SessionSecrets.generate(SESSION))
    assert isinstance(open_store("keyring", tmp_path / "secrets.json"), KeyringStore)
    store.delete(SESSION)
    assert backend.entries == {}
    assert not (tmp_path / "secrets.json").exists()


@pytest.mark.parametrize(
    "backend",
    [ForgetfulKeyring, keyring.backends.null.Keyring, keyring.backends.fail.Keyring],
    ids=lambda made: made.__module__,
)
def test_a_keyring_that_cannot_be_believed_is_announced_as_a_file(
    tmp_path: Path, use_keyring: Any, backend: type[keyring.backend.KeyringBackend]
) -> None:
    """The file is named before it exists; if the keyring was requested by name, it is an error instead."""
    use_keyring(backend())
    file = tmp_path / "secrets.json"
    said: list[str] = []
    store = choose_store(None, file, lambda text: said.append(f"{file.exists()} {text}"))
    assert store.kind == "file"
    assert len(said) == 1
    assert said[0].startswith("False ")
    assert str(file) in said[0]
    with pytest.raises(ConfigurationError) as caught:
        choose_store("keyring", file, said.append)
    assert caught.value.code == "keyring"


def test_a_keyring_file_of_base64_is_refused(use_keyring: Any) -> None:
    """Backends of keyrings.alt keep secrets readable."""
    plain = type("PlaintextKeyring", (MemoryKeyring,), {"__module__": "keyrings.alt.file"})
    use_keyring(plain())
    with pytest.raises(ConfigurationError):
        KeyringStore()


def test_a_hanging_keyring_is_given_up() -> None:
    """A call that does not return in time is an error, and its thread keeps no process alive."""
    release = threading.Event()
    with pytest.raises(ConfigurationError, match="is not responding"):
        in_time(release.wait, timeout_s=0.01)
    release.set()


def test_whatever_a_keyring_raises_is_one_kind_of_error() -> None:
    """Backends raise errors of their own libraries."""

    def broken() -> None:
        raise RuntimeError("dbus: no reply")

    with pytest.raises(ConfigurationError, match="RuntimeError"):
        in_time(broken)


def test_a_file_asked_for_by_name_is_announced_too(tmp_path: Path) -> None:
    """--secrets file never uses the keyring."""
    said: list[str] = []
    store = choose_store("file", tmp_path / "secrets.json", said.append)
    assert store.kind == "file"
    assert "readable only by you" in said[0]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """The error has the file's name."""
    (tmp_path / "secrets.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"secrets\.json"):
        FileStore(tmp_path / "secrets.json").get("x")
