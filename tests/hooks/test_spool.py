"""The spool: what a hook left is read back exactly, or refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptster_hooks import spool

if TYPE_CHECKING:
    from pathlib import Path

_KEY = bytes(range(32))


@given(payload=st.binary(max_size=500), wall=st.integers(0, 2**60), mono=st.integers(0, 2**60))
def test_a_sealed_call_reads_back(payload: bytes, wall: int, mono: int) -> None:
    """Agent, payload and both times are read back, and the payload is not visible in the bytes."""
    data = spool.seal(_KEY, "codex", payload, nonce=bytes(16), wall_ms=wall, mono_ms=mono)
    assert spool.unseal(_KEY, data) == spool.Spooled(agent="codex", payload=payload, wall_ms=wall, mono_ms=mono)
    assert len(payload) < 8 or payload not in data


def test_every_changed_byte_is_noticed() -> None:
    """A file with any one byte changed, cut, or sealed under another key is refused by the typed error."""
    data = spool.seal(_KEY, "claude", b'{"prompt":"x"}', nonce=bytes(16), wall_ms=1, mono_ms=2)
    for at in range(len(data)):
        with pytest.raises(spool.SpoolError):
            spool.unseal(_KEY, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(spool.SpoolError):
            spool.unseal(_KEY, data[:at])
    with pytest.raises(spool.SpoolError):
        spool.unseal(bytes(32), data)


def test_equal_calls_look_different() -> None:
    """The nonce is fresh: the same call twice gives two different ciphertexts."""
    one, two = (spool.seal(_KEY, "claude", b"same", nonce=bytes([n]) * 16, wall_ms=1, mono_ms=2) for n in (1, 2))
    assert one[20:-32] != two[20:-32]


def test_the_folder_keeps_order_and_hides_half_files(tmp_path: Path) -> None:
    """Calls are returned oldest first; files still being written and other files are left alone; all are 0600."""
    folder = str(tmp_path)
    (tmp_path / "key").write_bytes(_KEY)
    for number in range(5):
        spool.keep(folder, "claude", b"%d" % number)
    (tmp_path / "00.hook.part").write_bytes(b"half")
    found = [spool.read(path, spool.read_key(folder)) for path in spool.waiting(folder)]
    assert [item.payload for item in found] == [b"0", b"1", b"2", b"3", b"4"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.hook")} == {0o600}


def test_a_missing_folder_is_empty_and_a_short_key_is_refused(tmp_path: Path) -> None:
    """No folder means that nothing waits; a damaged key is an error and never an empty key."""
    assert spool.waiting(str(tmp_path / "none")) == []
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(spool.SpoolError):
        spool.keep(str(tmp_path), "claude", b"x")


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk refuses, no half file is left."""
    (tmp_path / "key").write_bytes(_KEY)

    def refuse(*_: object) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(OSError, match="no space"):
        spool.keep(str(tmp_path), "claude", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
