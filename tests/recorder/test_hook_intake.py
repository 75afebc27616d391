"""Hook calls are taken exactly once, and anything else that arrives at the socket affects no other call."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from promptster.clock import SystemClock
from promptster.recorder.hook_intake import HookIntake, HookSocket
from promptster.recorder.process_log import Log
from promptster.recorder.spool_key import write_spool_key
from promptster_hooks import frame, spool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

KEY = b"k" * 32


class Intake:
    """A running receiver and what it took."""

    def __init__(self, path: Path) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.path = str(path)
        self.spool = path.with_name("spool")
        self.fails = False
        self.intake = HookIntake(self.spool, KEY, self.take, lambda: None, clock=SystemClock())

    def take(self, agent: str, payload: bytes, _times: tuple[int, int]) -> None:
        """Keep one call, or fail at it."""
        self.taken.append((agent, payload))
        if self.fails:
            raise RuntimeError("capture failed")

    async def call(self, data: bytes, *, listen: bool = True) -> bytes:
        """Send bytes as a hook process does, and return the answer."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        sock: socket.socket = writer.get_extra_info("socket")
        if not listen:
            sock.shutdown(socket.SHUT_RD)
        writer.write(data)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


@asynccontextmanager
async def receiving(tmp_path: Path) -> AsyncGenerator[Intake]:
    """An intake with a real socket."""
    intake = Intake(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(intake.path)
        listener.listen()
        task = asyncio.create_task(HookSocket(listener, intake.intake, Log(-1)).run())
        try:
            yield intake
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_call_is_answered_and_taken(tmp_path: Path) -> None:
    """One frame gets one byte as answer and is one call."""
    async with receiving(tmp_path) as intake:
        assert await intake.call(frame.encode("claude", b"{}")) == frame.ACK
        assert intake.taken == [("claude", b"{}")]


async def test_many_at_once_are_all_taken(tmp_path: Path) -> None:
    """Thirteen parallel hooks, and many more, lose nothing."""
    async with receiving(tmp_path) as intake:
        payloads = [b"%d" % number + b"x" * 100_000 for number in range(40)]
        calls = [intake.call(frame.encode("codex", payload)) for payload in payloads]
        assert await asyncio.gather(*calls) == [frame.ACK] * 40
        assert sorted(payload for _, payload in intake.taken) == sorted(payloads)


@pytest.mark.parametrize(
    "data", [b"", b"PS", b"GET / HTTP/1.1\r\n\r\n", frame.encode("claude", b"{}")[:-1], b"PSH1\xff"]
)
async def test_what_is_no_call_is_not_answered(tmp_path: Path, data: bytes) -> None:
    """Half a frame, another protocol or no bytes: there is no answer, nothing is taken, and the next call works."""
    async with receiving(tmp_path) as intake:
        assert await intake.call(data) == b""
        assert intake.taken == []
        assert await intake.call(frame.encode("cursor", b"1")) == frame.ACK


async def test_a_call_whose_answer_cannot_be_written_is_not_taken(tmp_path: Path) -> None:
    """A hook process that no longer listens keeps its call in the spool; taking it too would double it."""
    async with receiving(tmp_path) as intake:
        await intake.call(frame.encode("claude", b"{}"), listen=False)
        assert intake.taken == []
        assert spool.waiting(str(intake.spool)) == []


async def test_a_call_that_cannot_be_understood_costs_itself_only(tmp_path: Path) -> None:
    """An error after the hand-over reaches neither the hook process nor the next call."""
    async with receiving(tmp_path) as intake:
        intake.fails = True
        assert await intake.call(frame.encode("claude", b"1")) == frame.ACK
        assert await intake.call(frame.encode("claude", b"2")) == frame.ACK
        assert len(intake.taken) == 2


async def test_an_answer_means_that_the_call_is_on_disk(tmp_path: Path) -> None:
    """An answered call is in the spool, with the times that capture got, until it is recorded."""
    async with receiving(tmp_path) as intake:
        assert await intake.call(frame.encode("codex", b"1")) == frame.ACK
        intake.intake.receive("claude", b"2")
        kept = [spool.read(path, KEY) for path in spool.waiting(str(intake.spool))]
        assert [(call.agent, call.payload) for call in kept] == [("codex", b"1"), ("claude", b"2")]
        assert intake.intake.drain() == 0
        first, second = ((call.wall_ms, call.mono_ms) for call in kept)
        assert first[1] < second[1]
        intake.intake.remove(intake.intake.captured_files({second}))
        assert len(spool.waiting(str(intake.spool))) == 1
        intake.intake.remove(intake.intake.captured_files())
        assert spool.waiting(str(intake.spool)) == []


def test_a_call_is_kept_until_its_events_are_durable(tmp_path: Path) -> None:
    """The file stays while the disk refuses, and as long as capture holds the call."""
    drained = Drained(tmp_path / "spool")
    drained.drain.receive("claude", b"1")
    times = drained.times[0]
    for waiting, recorded, durable, left in (
        ({times}, 5, 5, 1),  # capture holds it
        (set[tuple[int, int]](), 6, 5, 1),  # written, as the sixth event
        (set[tuple[int, int]](), 7, 5, 1),  # the disk refuses
        (set[tuple[int, int]](), 7, 6, 0),
    ):
        drained.drain.settle(waiting, recorded=recorded, durable=durable)
        assert len(spool.waiting(str(drained.folder))) == left


def test_what_is_not_recorded_is_not_written_down(tmp_path: Path) -> None:
    """During a pause a call reaches capture, which counts it, but no file."""
    taken: list[bytes] = []
    folder = tmp_path / "spool"
    intake = HookIntake(
        folder, KEY, lambda _a, data, _t: taken.append(data), lambda: None, clock=SystemClock(), wanted=lambda: False
    )
    intake.receive("claude", b"1")
    assert (taken, spool.waiting(str(folder))) == ([b"1"], [])


def test_a_spool_that_refuses_costs_no_call(tmp_path: Path) -> None:
    """If nothing can be written, calls are held in memory as events are."""
    (tmp_path / "spool").write_bytes(b"in the way")
    taken: list[bytes] = []
    intake = HookIntake(
        tmp_path / "spool", KEY, lambda _a, data, _t: taken.append(data), lambda: None, clock=SystemClock()
    )
    intake.receive("claude", b"1")
    assert taken == [b"1"]


class Drained:
    """A spool and what was taken out of it."""

    def __init__(self, folder: Path, recorded: frozenset[tuple[int, int]] = frozenset()) -> None:
        self.taken: list[bytes] = []
        self.times: list[tuple[int, int]] = []
        self.unreadable = 0
        self.folder = folder
        self.drain = HookIntake(folder, KEY, self.take, self.miss, clock=SystemClock(), recorded=recorded)

    def take(self, _agent: str, payload: bytes, times: tuple[int, int]) -> None:
        """Keep one call."""
        self.taken.append(payload)
        self.times.append(times)

    def miss(self) -> None:
        """Count a file that cannot be read."""
        self.unreadable += 1


def test_spooled_calls_are_taken_once_and_then_removed(tmp_path: Path) -> None:
    """A file stays until its events are durable, and is not taken a second time meanwhile."""
    drained = Drained(tmp_path / "spool")
    for text in (b"one", b"two"):
        spool.keep(str(drained.folder), "claude", text)
    assert drained.drain.drain() == 2
    assert drained.drain.drain() == 0
    assert drained.taken == [b"one", b"two"]
    assert len(spool.waiting(str(drained.folder))) == 2
    told = drained.drain.captured_files()
    assert told
    drained.drain.remove(told)
    assert spool.waiting(str(drained.folder)) == []


def test_a_call_that_the_journal_holds_is_not_taken_again(tmp_path: Path) -> None:
    """After a crash between writing and removing, the file's own times show that it was taken."""
    first = Drained(tmp_path / "spool")
    spool.keep(str(first.folder), "claude", b"one")
    first.drain.drain()
    again = Drained(tmp_path / "spool", frozenset(first.times))
    assert again.drain.drain() == 0
    again.drain.remove(again.drain.captured_files())
    assert spool.waiting(str(again.folder)) == []


def _left_at(folder: Path, times: tuple[int, int], *payloads: bytes) -> None:
    """The files of hook processes that run in the same millisecond."""
    for payload in payloads:
        spool.write(str(folder), KEY, "claude", payload, times)


def test_calls_of_one_millisecond_are_told_apart(tmp_path: Path) -> None:
    """If only some of them reached the journal before a crash, only the others are taken again."""
    first = Drained(tmp_path / "spool")
    _left_at(first.folder, (7, 5), b"one", b"two", b"three")
    assert first.drain.drain() == 3
    assert sorted(first.times) == [(7, 5), (7, 6), (7, 7)]
    again = Drained(first.folder, frozenset({first.times[1]}))
    assert again.drain.drain() == 2
    assert list(zip(again.taken, again.times, strict=True)) == [
        (first.taken[0], first.times[0]),
        (first.taken[2], first.times[2]),
    ]
    again.drain.remove(again.drain.captured_files())
    assert spool.waiting(str(again.folder)) == []


def test_a_call_that_nobody_had_taken_is_not_held_for_another(tmp_path: Path) -> None:
    """A call with the same times as one in the journal, or one that an earlier run took, is taken all the same."""
    folder = tmp_path / "spool"
    Drained(folder)
    _left_at(folder, (7, 5), b"of a hook")
    spool.write(str(folder), KEY, "claude", b"of the recorder", (7, 6), mark="+0")
    drained = Drained(folder, frozenset({(7, 5)}))
    assert drained.drain.drain() == 2
    assert drained.taken == [b"of the recorder", b"of a hook"]
    assert drained.times == [(7, 6), (7, 7)]


def test_a_call_that_cannot_be_claimed_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that refuses a new name causes a delay, but loses no call."""
    drained = Drained(tmp_path / "spool")
    _left_at(drained.folder, (7, 5), b"one")

    def refuse(*_: object) -> None:
        raise OSError(30, "read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", refuse)
        assert drained.drain.drain() == 0
    assert drained.drain.drain() == 1
    assert drained.times == [(7, 5)]


def test_a_damaged_file_is_told_and_removed(tmp_path: Path) -> None:
    """A file that cannot be read is counted as lost, once."""
    drained = Drained(tmp_path / "spool")
    spool.keep(str(drained.folder), "claude", b"one")
    (path,) = drained.folder.glob("*.hook")
    sealed = path.read_bytes()
    path.write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert drained.drain.drain() == 0
    drained.drain.remove(drained.drain.captured_files())
    drained.drain.drain()
    assert drained.unreadable == 1


def test_a_damaged_key_is_replaced_and_what_it_sealed_is_told(tmp_path: Path) -> None:
    """A recorder with an empty or another key starts, reports what cannot be read, and takes what comes then."""
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o700)
    write_spool_key(folder, bytes(32))
    spool.keep(str(folder), "claude", b"under another key")
    (folder / "key").write_bytes(b"")
    drained = Drained(folder)
    spool.keep(str(folder), "claude", b"one")
    assert drained.drain.drain() == 1
    assert (drained.taken, drained.unreadable) == ([b"one"], 1)


def test_a_folder_that_cannot_be_made_is_tried_again(tmp_path: Path) -> None:
    """The recorder starts without a spool and has one as soon as that is possible."""
    (tmp_path / "spool").write_bytes(b"in the way")
    drained = Drained(tmp_path / "spool")
    (tmp_path / "spool").unlink()
    drained.drain.drain()
    assert spool.read_key(str(tmp_path / "spool")) == KEY
