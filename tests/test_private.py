"""Folders, sockets and processes are used only if they belong to this user."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.helpers.strangers import STRANGER, bound, needs_another_user, stranger_at

from promptster import private
from promptster.errors import NotPrivateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A private folder with a path short enough for a socket, with a socket of ours that answers."""
    made = tmp_path / "run"
    made.mkdir(mode=0o700)
    with bound(made / "s"):
        yield made


def _refusal(folder: Path) -> NotPrivateError:
    with pytest.raises(NotPrivateError) as refused:
        private.connect(folder / "s", timeout=5.0, private_hint="Do this.")
    return refused.value


def test_a_socket_of_ours_is_connected_to(folder: Path) -> None:
    """A private folder with a socket of ours is accepted, and both ends see the same user."""
    with private.connect(folder / "s", timeout=5.0) as link:
        assert link.gettimeout() == 5.0
        assert private.peer_uid(link) == os.geteuid()
        assert private.peer_pid(link) == os.getpid()


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o770, 0o777])
def test_a_folder_that_others_may_enter_is_refused(folder: Path, mode: int) -> None:
    """Any permission for others is refused, and the hint is the command that removes it."""
    folder.chmod(mode)
    refused = _refusal(folder)
    assert str(folder) in refused.message
    assert f"chmod 700 {folder}" in str(refused.hint)
    folder.chmod(0o700)
    private.connect(folder / "s", timeout=5.0).close()


def test_a_link_in_the_folders_place_is_refused(folder: Path) -> None:
    """It could lead elsewhere at the next look."""
    place = folder.with_name("link")
    place.symlink_to(folder)
    assert _refusal(place).message == f"{place} is a link that you own"


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    """A file cannot hold a socket."""
    (tmp_path / "run").touch()
    with pytest.raises(NotPrivateError, match="is not a folder"):
        private.make_private_folder(tmp_path / "run")


@pytest.mark.parametrize("what", ["file", "folder", "pipe", "link"])
def test_only_a_real_socket_is_connected_to(folder: Path, what: str) -> None:
    """A file, a folder, a pipe or a link in a socket's place is refused before it is opened."""
    socket_path = folder / "s"
    socket_path.rename(folder / "real")
    if what == "link":
        socket_path.symlink_to("real")
    else:
        made: dict[str, Callable[[], None]] = {
            "file": socket_path.touch,
            "folder": socket_path.mkdir,
            "pipe": lambda: os.mkfifo(socket_path),
        }
        made[what]()
    assert str(socket_path) in _refusal(folder).message


def test_a_socket_that_others_may_write_to_is_refused(folder: Path) -> None:
    """Its mode counts as well as the folder's."""
    (folder / "s").chmod(0o666)
    assert "other users" in _refusal(folder).message


def test_a_folder_above_that_anybody_can_change_is_refused(folder: Path) -> None:
    """Without the sticky bit anyone could put another folder in its place; with it, as in /tmp, no one can."""
    folder.parent.chmod(0o777)
    refused = _refusal(folder)
    assert f"chmod +t {folder.parent}" in str(refused.hint)
    folder.parent.chmod(0o1777)
    private.connect(folder / "s", timeout=5.0).close()
    folder.parent.chmod(0o700)


@needs_another_user
@pytest.mark.parametrize("mode", [0o1777, 0o755, 0o777])
def test_a_folder_above_that_somebody_else_owns_is_refused(folder: Path, mode: int) -> None:
    """Its owner can replace our folder, whatever its mode; the printed command moves it elsewhere."""
    folder.parent.chmod(mode)
    os.chown(folder.parent, STRANGER, STRANGER)
    refused = _refusal(folder)
    assert str(folder.parent) in refused.message
    assert refused.hint is not None
    if mode != 0o777:
        assert f"user {STRANGER} can replace" in refused.message
        assert f"rm -r {folder}; XDG_RUNTIME_DIR=$(TMPDIR=/tmp mktemp -d) promptster resume" in refused.hint
    os.chown(folder.parent, os.geteuid(), os.getegid())
    folder.parent.chmod(0o700)
    private.connect(folder / "s", timeout=5.0).close()


def test_nothing_there_is_not_somebody_elses(tmp_path: Path) -> None:
    """A missing folder or socket only means that no recorder runs."""
    with pytest.raises(FileNotFoundError):
        private.connect(tmp_path / "run" / "s", timeout=5.0)


def test_a_folder_is_made_for_this_user_alone(tmp_path: Path) -> None:
    """The umask does not matter, and a second call changes nothing."""
    before = os.umask(0)
    try:
        private.make_private_folder(tmp_path / "run")
    finally:
        os.umask(before)
    private.make_private_folder(tmp_path / "run")
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700


@needs_another_user
def test_a_strangers_folder_is_refused_and_named(tmp_path: Path) -> None:
    """The error names its owner, and the way out that the caller knows."""
    folder, heard = tmp_path / "run", tmp_path / "heard"
    with stranger_at(folder / "s", heard):
        folder.chmod(0o700)
        refused = _refusal(folder)
    assert refused.message == f"{folder} is a folder that user {STRANGER} owns"
    assert refused.hint == "Do this."
    assert heard.read_bytes() == b""
    assert not private.is_our_folder(folder)


@needs_another_user
def test_a_strangers_socket_in_our_folder_is_refused(folder: Path) -> None:
    """It was made while the folder was open to others."""
    os.chown(folder / "s", STRANGER, STRANGER)
    refused = _refusal(folder)
    assert "is a socket that user" in refused.message
    assert f"rm -r {folder / 's'} && promptster resume" in str(refused.hint)


@needs_another_user
def test_a_strangers_process_behind_our_socket_is_told_nothing(folder: Path) -> None:
    """The system's statement about the other end is checked last, and before the first byte."""
    told: list[bytes] = []
    (folder / "s").unlink()
    os.seteuid(STRANGER)  # the system keeps who listens as who it was then
    try:
        os.seteuid(0)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(folder / "s"))
        (folder / "s").chmod(0o600)
        os.seteuid(STRANGER)
        server.listen()
    finally:
        os.seteuid(0)

    def serve() -> None:
        with server, server.accept()[0] as connection:
            told.append(connection.recv(100))

    thread = threading.Thread(target=serve)
    thread.start()
    refused = _refusal(folder)
    thread.join()
    assert "answers at" in refused.message
    assert told == [b""]


@needs_another_user
@pytest.mark.parametrize("link", [False, True])
def test_a_folder_that_we_keep_things_in_must_be_ours(tmp_path: Path, *, link: bool) -> None:
    """A state folder that another user made first, or a link by another user, is not used."""
    place = tmp_path / "state"
    if link:
        place.symlink_to(tmp_path)
    else:
        place.mkdir()
    private.require_our_folder(place)
    os.chown(place, STRANGER, STRANGER, follow_symlinks=False)
    with pytest.raises(NotPrivateError, match=f"belongs to user {STRANGER}"):
        private.require_our_folder(place)


@needs_another_user
def test_nothing_of_ours_is_made_in_somebody_elses_home(tmp_path: Path) -> None:
    """Under ``sudo``, which may keep HOME, root would make files that the owner could not use."""
    (tmp_path / "home").mkdir()
    private.require_our_folder(tmp_path / "home" / ".local" / "state")
    os.chown(tmp_path / "home", STRANGER, STRANGER)
    with pytest.raises(NotPrivateError, match=f"home belongs to user {STRANGER}"):
        private.require_our_folder(tmp_path / "home" / ".local" / "state")


def test_a_folder_that_anybody_may_write_into_is_not_used(tmp_path: Path) -> None:
    """Anyone could change what is kept there; a missing folder is made later."""
    private.require_our_folder(tmp_path / "none")
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    with pytest.raises(NotPrivateError, match="any user"):
        private.require_our_folder(tmp_path / "state")
