"""The process that makes and reads Parquet: it returns what the library does, ends on time, and may be killed."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from multiprocessing.connection import Pipe
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select
from tests.helpers.candidate import bearer, started
from tests.helpers.segment_helpers import helpers
from tests.helpers.site import Site

from promptster_collector.review.helper_main import Helper
from promptster_collector.review.helper_messages import ANSWERS, Rows, receive, send
from promptster_collector.review.helper_process import HelperProcess, HelperProcessError
from promptster_collector.review.segment_reader import ReadingFailedError, SegmentReader
from promptster_collector.store.event_row import EventRow
from promptster_collector.store.parquet import query_page, write_rows
from promptster_collector.store.schema import Session
from promptster_collector.store.segment_file import PieceRange

linux = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="asks Linux for its processes")


def rows(count: int) -> list[EventRow]:
    """Rows with odd sizes, empty parts and bytes of every value."""
    return [
        EventRow(
            n=i // 3,
            seq=i,
            src="proxy",
            kind="prompt",
            lane=i % 2,
            ms=1_700_000_000_000 + i,
            mono_ms=i,
            public=bytes(range(256)) * (i % 3),
            secrets=bytes([i]) * i,
            blocks=b"" if i % 2 else b"\n" * i,
        )
        for i in range(count)
    ]


def ready(site: Site) -> tuple[str, str]:
    """Organisation and id of a session whose batches are checked and that is not sealed yet."""
    candidate = started(site.client, site.token)
    candidate.say("one", "two")
    candidate.put(site.client, 0)
    site.drain()
    return site.rows(select(Session.organisation))[0].organisation, candidate.session


def test_rows_survive_their_way() -> None:
    """A message loses nothing of its rows, whether there are many or none."""
    for count in (0, 1, 40):
        ours, theirs = Pipe()
        with ours, theirs:
            send(ours, Rows(rows(count)))
            assert receive(theirs, ANSWERS) == Rows(rows(count))


def test_a_helper_can_say_only_what_answers_are() -> None:
    """Anything else that comes over the pipe is an error, and never an object of another type."""
    for data in (b"", b"\xc1", msgspec.msgpack.encode({"type": "AddBatch", "wire": b""}), pickle.dumps(Rows([]))):
        ours, theirs = Pipe()
        with ours, theirs:
            ours.send_bytes(data)
            with pytest.raises(msgspec.MsgspecError):
                receive(theirs, ANSWERS)


def test_the_process_reads_as_the_library_does() -> None:
    """Whole files and pages of every kind are the same through the process."""
    data = write_rows(rows(50))
    reader = SegmentReader()
    try:
        assert list(reader.whole([data, write_rows([]), data])) == [rows(50), [], rows(50)]
        for after, limit, size in ((-1, 500, 1 << 20), (10, 5, 1 << 20), (10, 500, 1000), (49, 10, 10), (-1, 3, 0)):
            expected = query_page(data, after=after, limit=limit, size=size)
            assert reader.page(data, after=after, limit=limit, size=size) == expected
    finally:
        reader.close()


@linux
def test_pages_share_a_process_that_ends_when_nobody_asks() -> None:
    """Pages share one process; it ends when idle, and the next page starts another."""
    data = write_rows(rows(3))
    staying = SegmentReader(stay=3600.0)
    staying.page(data, after=-1, limit=1, size=1)
    first = staying.pid
    assert first is not None
    staying.page(data, after=0, limit=1, size=1)
    assert staying.pid == first
    assert len(helpers()) == 1
    staying.close()
    assert helpers() == []
    leaving = SegmentReader(stay=0.0)
    assert leaving.page(data, after=1, limit=5, size=1 << 20) == rows(3)[2:]
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(30)
    assert leaving.pid is None
    assert helpers() == []


def test_a_file_that_is_none_is_a_refusal() -> None:
    """A process that ends while reading is reported as a temporary failure, and the next reading works."""
    reader = SegmentReader()
    try:
        for _ in range(2):
            with pytest.raises(ReadingFailedError) as caught:
                reader.page(b"this is not Parquet", after=-1, limit=1, size=1)
            assert (caught.value.status, caught.value.headers) == (503, {"retry-after": "30"})
        with pytest.raises(ReadingFailedError):
            list(reader.whole([b"nor is this"]))
        assert reader.page(write_rows(rows(1)), after=-1, limit=1, size=1) == rows(1)
    finally:
        reader.close()


def test_a_helper_that_ends_early_is_said_and_replaced(site: Site) -> None:
    """A process that is killed in the middle, as for lack of memory, fails one attempt; the next gets another."""
    organisation, session = ready(site)
    with HelperProcess() as process:
        stored = site.services.reading.stored(organisation, session)
        process.begin(stored.content_key, stored.kinds, piece_bytes=1 << 20)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(HelperProcessError):
            process.finish()
        again = site.services.reading.stored(organisation, session)
        process.begin(again.content_key, again.kinds, piece_bytes=1 << 20)
        for wire in again.wires:
            assert process.add(wire) == []
        (piece,) = process.finish()
        assert piece.span == PieceRange(first=0, last=1, events=2)
        assert process.holds(0, piece.data)
        assert not process.holds(0, write_rows([]))


@linux
def test_sealing_leaves_no_process_behind(site: Site) -> None:
    """After a round of sealing no helper process is running."""
    candidate = started(site.client, site.token)
    candidate.close()
    candidate.put(site.client, 0)
    site.drain()
    path = f"/v1/sessions/{candidate.session}/head"
    assert site.client.get(path, headers=bearer(site.token)).json()["state"] == "sealed"
    assert helpers() == []


def test_half_an_order_ends_the_work() -> None:
    """Orders that are cut off, because the collector is gone, are not carried out."""
    ours, theirs = Pipe()
    with theirs:
        with ours:
            os.write(ours.fileno(), (10).to_bytes(4, "big") + b"short")
        Helper(theirs).run()
        with pytest.raises((EOFError, OSError)):
            theirs.recv_bytes()


def test_orders_of_no_job_end_the_process() -> None:
    """An order before the one that begins its job is not carried out."""
    with HelperProcess() as process:
        process.read(write_rows(rows(1)))
        with pytest.raises(HelperProcessError):
            process.finish()
        assert process.pid is None
