"""The forwarder as agents run it: a process of its own, under ``-I -S``, by absolute path."""

from __future__ import annotations

import ast
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.helpers.strangers import needs_another_user, stranger_at

import promptster_hooks
from promptster_hooks import frame, spool

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = Path(promptster_hooks.__file__).resolve().parent
_FORWARD = _PACKAGE / "forward.py"
_KEY = bytes(range(32))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, which unix socket addresses need, with a spool and its key."""
    with tempfile.TemporaryDirectory(prefix="ph-") as name:
        (Path(name) / "spool").mkdir(mode=0o700)
        (Path(name) / "spool" / "key").write_bytes(_KEY)
        yield Path(name)


def _command(folder: Path, agent: str = "claude") -> list[str]:
    return [sys.executable, "-I", "-S", str(_FORWARD), agent, str(folder / "s"), str(folder / "spool")]


async def _run(folder: Path, payload: bytes, agent: str = "claude") -> tuple[int | None, bytes, bytes]:
    process = await asyncio.create_subprocess_exec(
        *_command(folder, agent),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(payload)
    return process.returncode, out, err


def _spooled(folder: Path) -> list[spool.Spooled]:
    return [spool.read(path, _KEY) for path in spool.waiting(str(folder / "spool"))]


class _Receiver:
    """Takes frames as the recorder does: the answer first, and the payload only if the answer could be written."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = frame.FrameReader()
        while data := await reader.read(65536):
            if (whole := frames.feed(data)) is not None:
                self.taken.append(whole)
                writer.write(frame.ACK)
                break
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("agent", ["claude", "codex", "cursor"])
async def test_the_recorder_gets_the_payload_untouched(folder: Path, agent: str) -> None:
    """With a running recorder, stdin arrives byte for byte; nothing is printed or spooled; the exit code is 0."""
    receiver = _Receiver()
    payload = b'{"prompt":"\xff not even text"}' + bytes(range(256))
    async with await asyncio.start_unix_server(receiver, folder / "s"):
        assert await _run(folder, payload, agent) == (0, b"", b"")
    assert receiver.taken == [(agent, payload)]
    assert _spooled(folder) == []


async def test_a_large_payload_arrives(folder: Path) -> None:
    """Several MiB, more than any socket buffer, arrive."""
    receiver = _Receiver()
    payload = bytes(range(256)) * 16384
    async with await asyncio.start_unix_server(receiver, folder / "s"):
        await _run(folder, payload)
    assert receiver.taken == [("claude", payload)]


async def test_thirteen_at_once_lose_nothing(folder: Path) -> None:
    """Thirteen parallel hooks are all taken, each once."""
    receiver = _Receiver()
    async with await asyncio.start_unix_server(receiver, folder / "s"):
        await asyncio.gather(*(_run(folder, b"%d" % number) for number in range(13)))
    kept = [item.payload for item in _spooled(folder)]
    assert sorted([payload for _, payload in receiver.taken] + kept) == sorted(b"%d" % number for number in range(13))


async def test_thirteen_at_once_without_a_recorder(folder: Path) -> None:
    """Thirteen parallel hooks without a recorder are all in the spool, each once."""
    results = await asyncio.gather(*(_run(folder, b"%d" % number) for number in range(13)))
    assert set(results) == {(0, b"", b"")}
    assert sorted(item.payload for item in _spooled(folder)) == sorted(b"%d" % number for number in range(13))


async def test_a_silent_recorder_cannot_take_what_was_spooled(folder: Path) -> None:
    """After the sender stopped waiting, the recorder's answer fails: the payload is in the spool and nowhere else.

    This is a recorder during a restart: the listening socket is open, and the queued connection is read later.
    """
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "s"))
        listening.listen()
        assert await _run(folder, b"late") == (0, b"", b"")
        queued, _ = listening.accept()
        with queued:
            assert frame.FrameReader().feed(queued.recv(65536)) == ("claude", b"late")
            with pytest.raises(OSError, match="pipe"):
                queued.send(frame.ACK)
    assert [item.payload for item in _spooled(folder)] == [b"late"]


def _spoiled(folder: Path, what: str) -> Path:
    """The address of the socket in ``folder`` after one thing about it was spoiled."""
    place = folder / "s"
    if what == "open folder":
        folder.chmod(0o711)
    elif what == "open socket":
        place.chmod(0o666)
    elif what == "linked socket":
        place.rename(folder / "real")
        place.symlink_to("real")
    elif what == "no socket":
        place.unlink()
        os.mkfifo(place)
    else:
        (folder / "link").symlink_to(".")
        place = folder / "link" / "s"
    return place


@pytest.mark.parametrize("what", ["open folder", "open socket", "linked folder", "linked socket", "no socket"])
async def test_nothing_is_handed_over_where_others_could_listen(folder: Path, what: str) -> None:
    """Anything but a real socket of ours in a real folder of ours alone gets no byte; the payload is in the spool."""
    receiver = _Receiver()
    async with await asyncio.start_unix_server(receiver, folder / "s"):
        place = _spoiled(folder, what)
        command = [*_command(folder)[:-2], str(place), str(folder / "spool")]
        done = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
        await done.communicate(b"secret")
    assert (receiver.taken, done.returncode) == ([], 0)
    assert [item.payload for item in _spooled(folder)] == [b"secret"]


@needs_another_user
@pytest.mark.parametrize("ours", [False, True])
def test_a_stranger_is_told_nothing(folder: Path, *, ours: bool) -> None:
    """Another user's folder, socket or process gets no byte, even if folder and socket look like ours."""
    run, heard = folder / "run", folder / "heard"
    with stranger_at(run / "s", heard):
        run.chmod(0o700)
        if ours:
            os.chown(run, 0, 0)
            os.chown(run / "s", 0, 0)
            (run / "s").chmod(0o600)
        command = [*_command(folder)[:-2], str(run / "s"), str(folder / "spool")]
        subprocess.run(command, input=b"secret", check=True)
    assert heard.read_bytes() == b""
    assert [item.payload for item in _spooled(folder)] == [b"secret"]


def test_a_spool_that_others_may_read_is_not_written_to(folder: Path) -> None:
    """The forwarder leaves nothing in a folder that others may read, and prints nothing."""
    (folder / "spool").chmod(0o755)
    done = subprocess.run(_command(folder), input=b"{}", capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert _spooled(folder) == []


@pytest.mark.parametrize("damage", ["no spool", "no key", "bad key", "no arguments"])
def test_nothing_disturbs_the_agent(folder: Path, damage: str) -> None:
    """The exit code is 0 and nothing is printed, even if neither recorder nor spool can be used."""
    key = folder / "spool" / "key"
    if damage in {"no spool", "no key"}:
        key.unlink()
    if damage == "no spool":
        (folder / "spool").rmdir()
    if damage == "bad key":
        key.write_bytes(b"x")
    command = _command(folder)[: 4 if damage == "no arguments" else None]
    done = subprocess.run(command, input=b"{}", capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_forwarder_writes_the_frame_of_frame_py(folder: Path) -> None:
    """The inlined frame and the module that describes it agree to the byte."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "s"))
        listening.listen()
        subprocess.run(_command(folder, "cursor"), input=b"payload", check=True)
        queued, _ = listening.accept()
        with queued:
            assert queued.recv(65536) == frame.encode("cursor", b"payload")


@pytest.mark.parametrize("path", sorted(_PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(_PACKAGE)))
def test_each_module_stands_alone(path: Path) -> None:
    """Every hook module can be loaded without site packages: the standard library is enough."""
    name = "promptster_hooks." + ".".join(path.relative_to(_PACKAGE).with_suffix("").parts)
    code = f"import sys; sys.path.insert(0, {str(_PACKAGE.parent)!r}); import {name.removesuffix('.__init__')}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, check=False)
    assert done.stderr == b""


def test_the_usual_way_loads_nothing_heavy() -> None:
    """The forwarder imports three modules at its head; any other would slow down every action of an agent."""
    tree = ast.parse(_FORWARD.read_text())
    heads = {name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names}
    assert heads == {"posix", "sys", "_socket"}
    assert not [node for node in tree.body if isinstance(node, ast.ImportFrom)]
