"""The key store: keys are wrapped under their names, and destroyed keys are gone from memory and disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptster_collector.errors import SetupError
from promptster_collector.store.at_rest import Sealer, UnsealError, associated_data, seal, unseal
from promptster_collector.store.keys.keystore import KeyDestroyedError, KeyStore
from promptster_collector.store.keys.master import MasterKey
from promptster_collector.store.keys.names import (
    KeyName,
    Purpose,
    content_key,
    person_key,
    sealing_key,
    segment_key,
    session_key,
)
from promptster_collector.store.migrate import migrate_all


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[KeyStore]:
    """An empty key store."""
    yield from _keys(tmp_path, MasterKey.create(tmp_path / "master.key"))


def _keys(folder: Path, master: MasterKey) -> Iterator[KeyStore]:
    url = f"sqlite:///{folder / 'keys.sqlite3'}"
    migrate_all(database_url=f"sqlite:///{folder / 'control.sqlite3'}", keystore_url=url)
    store = KeyStore(url, master)
    yield store
    store.close()


def test_keys_come_back(keys: KeyStore, tmp_path: Path) -> None:
    """A key is returned unchanged, also to a process that opens the store again; the file shows none of it."""
    name, secret = session_key("o", "s"), os.urandom(32)
    keys.put({name: secret}, created_ms=1)
    assert keys.get(name) == secret
    again = KeyStore(f"sqlite:///{tmp_path / 'keys.sqlite3'}", MasterKey.load(tmp_path / "master.key"))
    assert again.get(name) == secret
    assert secret not in (tmp_path / "keys.sqlite3").read_bytes()
    again.close()


def test_a_key_is_bound_to_its_name(keys: KeyStore) -> None:
    """A wrapped key put under another organisation, session, purpose or label does not open."""
    master = MasterKey(bytes(32))
    wrapped = master.wrap(segment_key("o", "s", 1), b"k" * 32)
    assert master.unwrap(segment_key("o", "s", 1), wrapped) == b"k" * 32
    others = [segment_key("o", "s", 2), segment_key("o", "t", 1), segment_key("p", "s", 1), session_key("o", "s")]
    for other in others:
        with pytest.raises(UnsealError):
            master.unwrap(other, wrapped)
    with pytest.raises(KeyDestroyedError):
        keys.get(others[0])


def test_destroying_a_session_spares_the_others(keys: KeyStore) -> None:
    """One call destroys all keys of a session, the person's too if it was the last, in memory as well."""
    mine = [session_key("o", "s"), content_key("o", "s"), segment_key("o", "s", 1), person_key("o", "p")]
    others = [session_key("o", "t"), session_key("x", "s"), person_key("o", "q"), person_key("x", "p")]
    keys.put({name: os.urandom(32) for name in [*mine, *others]}, created_ms=1)
    opened = {name: keys.get(name) for name in [*mine, *others]}
    keys.destroy_session("o", "s", person="p")
    for name in mine:
        with pytest.raises(KeyDestroyedError):
            keys.get(name)
    assert {name: keys.get(name) for name in others} == {name: opened[name] for name in others}
    keys.destroy([others[0]])
    with pytest.raises(KeyDestroyedError):
        keys.get(others[0])


def test_pending_keys_are_known(keys: KeyStore) -> None:
    """Keys of a redemption stay pending until it is confirmed."""
    keys.put({session_key("o", "s"): b"k" * 32}, created_ms=1, pending=True)
    assert keys.pending() == [("o", "s")]
    keys.confirm("o", "s")
    assert keys.pending() == []
    keys.put({sealing_key("o", "id"): b"k" * 32}, created_ms=1)
    assert keys.sealing_key_ids() == [("o", "id")]


def test_the_store_outgrows_its_memory(keys: KeyStore, tmp_path: Path) -> None:
    """Keys that were dropped from memory are opened again."""
    names = [session_key("o", str(i)) for i in range(5)]
    keys.put({name: bytes([i]) * 32 for i, name in enumerate(names)}, created_ms=1)
    url, master = f"sqlite:///{tmp_path / 'keys.sqlite3'}", MasterKey.load(tmp_path / "master.key")
    small = KeyStore(url, master, in_memory=2)
    assert [small.get(name)[0] for name in [*names, *names]] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]
    small.close()


def test_another_master_key_opens_nothing(keys: KeyStore, tmp_path: Path) -> None:
    """The key store cannot be read with another master key."""
    name = KeyName(purpose=Purpose.COLLECTOR, label="k")
    keys.put({name: b"k" * 32}, created_ms=1)
    stranger = KeyStore(f"sqlite:///{tmp_path / 'keys.sqlite3'}", MasterKey(os.urandom(32)))
    with pytest.raises(UnsealError):
        stranger.get(name)
    stranger.close()


def test_the_master_key_is_the_owners_alone(tmp_path: Path) -> None:
    """Its file is made 0600 once, and refused if others may read it, or if it is damaged or missing."""
    path = tmp_path / "master.key"
    with pytest.raises(SetupError, match="cannot be read"):
        MasterKey.load(path)
    MasterKey.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(SetupError, match="already"):
        MasterKey.create(path)
    path.chmod(0o640)
    with pytest.raises(SetupError, match="other users can read"):
        MasterKey.load(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(SetupError, match="damaged"):
        MasterKey.load(path)


def test_sealed_values_are_bound_to_their_place() -> None:
    """Organisation, session and purpose are in the associated data, and cannot be confused."""
    key = os.urandom(32)
    sealed = Sealer(key, organisation="o", session="s").seal(b"value", "p")
    assert Sealer(key, organisation="o", session="s").unseal(sealed, "p") == b"value"
    for organisation, session, purpose in (("x", "s", "p"), ("o", "x", "p"), ("o", "s", "x"), ("os", "", "p")):
        with pytest.raises(UnsealError):
            Sealer(key, organisation=organisation, session=session).unseal(sealed, purpose)
    assert associated_data("a", "bc", "d") != associated_data("ab", "c", "d")
    for damaged in (b"", sealed[:11], sealed[:-1], sealed + b"x"):
        with pytest.raises(UnsealError):
            Sealer(key, organisation="o", session="s").unseal(damaged, "p")
    assert seal(key, b"v", b"") != seal(key, b"v", b"")
    with pytest.raises(UnsealError):
        unseal(os.urandom(32), seal(key, b"v", b""), b"")
