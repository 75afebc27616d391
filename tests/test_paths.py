"""The places of our own files, and supported systems."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from promptster.paths import RUN_NAMED, Paths, as_here, socket_folder, utf8


def test_xdg_variables_name_the_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each variable moves its own folder; several users or tests are separate."""
    for name in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    paths = Paths.from_environment()
    assert paths.config == tmp_path / "CONFIG" / "promptster"
    assert paths.bundles == tmp_path / "DATA" / "promptster" / "bundles"
    assert paths.sessions == tmp_path / "STATE" / "promptster" / "sessions"


def test_a_relative_xdg_variable_counts_for_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the XDG specification says, the folder then follows HOME."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert tmp_path in Paths.from_environment().state.parents


def test_sockets_of_a_deep_folder_stand_where_their_path_is_short_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A socket's address holds about a hundred bytes."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    shallow, deep = Path("/s"), tmp_path / ("d" * 120)
    assert socket_folder(shallow) == shallow / "run"
    assert socket_folder(deep).parent == Path("/run/user/1000")
    assert socket_folder(deep) != socket_folder(deep / "other")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert len(str(socket_folder(deep))) < 100


def test_a_folder_elsewhere_is_found_from_every_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is written down, other variables do not change it; a folder that is gone does not count."""
    session = tmp_path / ("x" * 100)
    session.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/here")
    taken = tmp_path / "taken"
    (session / RUN_NAMED).write_text(f"{taken}\n")
    assert socket_folder(session).parent == Path("/run/here")
    taken.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/there")
    assert socket_folder(session) == taken


def test_a_text_with_stand_ins_for_bytes_becomes_json_all_the_same() -> None:
    """Bytes that are UTF-8 appear unchanged; a lone surrogate in someone's JSON appears as its code."""
    letters = "\u5b57".encode().decode("ascii", "surrogateescape")
    assert utf8(f'"{letters}"') == '"\u5b57"'.encode()
    for odd in ("\ud83d", "\udcff", f"{letters}\ud83d"):
        assert json.loads(utf8(json.dumps(odd, ensure_ascii=False))) == odd


@pytest.mark.parametrize("path", ["/plain", "/\u5b57", "/\udcff", "/\udce5\udcad\udc97"])
def test_a_path_written_down_under_another_locale_names_the_same_bytes(path: str) -> None:
    """This holds whether its letters or stand-ins for their bytes were written down."""
    assert os.fsencode(as_here(path)) == path.encode("utf-8", "surrogateescape")
    assert as_here("/\ud83d") == "/\ud83d"
