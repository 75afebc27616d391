"""Segments as files: pieces open only at their own places, and nothing of a broken attempt stays."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from promptster_collector.store.at_rest import Sealer, UnsealError
from promptster_collector.store.segment_file import MAGIC, PieceRange, PieceReader, PieceWriter
from promptster_collector.store.segments import SegmentDamagedError, SegmentFolder

PIECES = [
    (b"first" * 100, PieceRange(0, 4, 5)),
    (b"second", PieceRange(5, 5, 1)),
    (b"third" * 7, PieceRange(6, 20, 15)),
]


@pytest.fixture
def sealer() -> Sealer:
    """A segment's key at its place."""
    return Sealer(os.urandom(32), organisation="o", session="s")


def written(sealer: Sealer, version: int = 1) -> bytes:
    """A file of three pieces."""
    file = io.BytesIO()
    writer = PieceWriter(file, sealer, version)
    for data, span in PIECES:
        writer.add(data, span)
    writer.finish()
    return file.getvalue()


def test_pieces_come_back_one_by_one(sealer: Sealer) -> None:
    """Each piece is returned unchanged, in any order; the index says where an event can be."""
    pieces = PieceReader(io.BytesIO(written(sealer)), sealer, 1)
    assert [pieces.read(number) for number in (2, 0, 1)] == [PIECES[number][0] for number in (2, 0, 1)]
    assert (len(pieces), pieces.events, pieces.last_of(1)) == (3, 21, 5)
    assert [list(pieces.from_seq(seq)) for seq in (0, 4, 5, 6, 20, 21)] == [[0, 1, 2], [0, 1, 2], [1, 2], [2], [2], []]


def test_a_session_without_events_has_no_pieces(sealer: Sealer) -> None:
    """A session without events has an empty index in an ordinary file."""
    file = io.BytesIO()
    PieceWriter(file, sealer, 1).finish()
    pieces = PieceReader(file, sealer, 1)
    assert (len(pieces), pieces.events, list(pieces.from_seq(0))) == (0, 0, [])


def test_a_file_from_before_there_were_pieces_is_one(sealer: Sealer) -> None:
    """A file of the first format is still read, whatever is requested."""
    pieces = PieceReader(io.BytesIO(sealer.seal(b"PAR1 and so on", "segment/3")), sealer, 3)
    assert (len(pieces), list(pieces.from_seq(10**9)), pieces.last_of(0)) == (1, [0], None)
    assert pieces.read(0) == b"PAR1 and so on"
    with pytest.raises(UnsealError):
        PieceReader(io.BytesIO(sealer.seal(b"PAR1", "segment/3")), sealer, 4).read(0)


def test_pieces_cannot_change_places(sealer: Sealer) -> None:
    """A piece at another's place, of another version, session or key does not open."""
    file = io.BytesIO()
    writer = PieceWriter(file, sealer, 1)
    for _ in range(2):
        writer.add(b"x" * 10, PieceRange(0, 0, 1))
    writer.finish()
    data, size = file.getvalue(), 10 + 28
    first, second = data[8 : 8 + size], data[8 + size : 8 + 2 * size]
    swapped = PieceReader(io.BytesIO(data.replace(first + second, second + first)), sealer, 1)
    with pytest.raises(UnsealError):
        swapped.read(0)
    for other in (Sealer(os.urandom(32), organisation="o", session="s"), Sealer(b"k" * 32, organisation="o")):
        with pytest.raises(UnsealError):
            PieceReader(io.BytesIO(data), other, 1)
    with pytest.raises(UnsealError):
        PieceReader(io.BytesIO(data), sealer, 2)


def test_a_cut_file_is_refused(sealer: Sealer) -> None:
    """However much is missing at the end, or whatever length is claimed there, the index does not open."""
    data = written(sealer)
    for cut in (data[:-1], data[: len(MAGIC)], data[: len(MAGIC) + 2], MAGIC + b"\xff" * 4, MAGIC + bytes(4)):
        with pytest.raises(UnsealError):
            PieceReader(io.BytesIO(cut), sealer, 1)


def test_the_index_is_sealed(sealer: Sealer) -> None:
    """The range of events in a piece is content too, and is never stored in clear."""
    assert json.dumps([5, 1]).strip("[]").encode() not in written(sealer)
    assert b"first" not in written(sealer)


def test_a_segment_is_stored_under_its_hash(tmp_path: Path, sealer: Sealer) -> None:
    """The hash that ``store`` returns opens the file; any other hash, other bytes and a missing file are refused."""
    folder = SegmentFolder(tmp_path)
    with folder.draft("s", 1, sealer) as draft:
        for data, span in PIECES:
            draft.pieces.add(data, span)
        digest, size = draft.store()
    (file,) = tmp_path.iterdir()
    assert (file.name, file.stat().st_size, file.stat().st_mode & 0o777) == ("s.1.segment", size, 0o600)
    with folder.open("s", 1, digest, sealer) as pieces:
        assert [pieces.read(number) for number in range(3)] == [data for data, _ in PIECES]
    good = file.read_bytes()
    for bad in (good + b"\x00", good[:20] + bytes([good[20] ^ 1]) + good[21:], b""):
        file.write_bytes(bad)
        with pytest.raises(SegmentDamagedError), folder.open("s", 1, digest, sealer):
            pass
    file.unlink()
    with pytest.raises(SegmentDamagedError), folder.open("s", 1, digest, sealer):
        pass


def test_an_attempt_that_fails_leaves_nothing(tmp_path: Path, sealer: Sealer) -> None:
    """A draft that was not stored is removed; so is, with the next attempt, what a crash left."""
    folder = SegmentFolder(tmp_path)
    with folder.draft("s", 1, sealer) as draft:
        draft.pieces.add(b"x", PieceRange(0, 0, 1))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".s.1.segment.0123abcd").write_bytes(b"left by a crash")
    (tmp_path / ".t.1.segment.0123abcd").write_bytes(b"of another session")
    with folder.draft("s", 2, sealer) as draft:
        draft.store()
    assert {path.name for path in tmp_path.iterdir()} == {"s.2.segment", ".t.1.segment.0123abcd"}


def test_a_draft_of_an_erased_session_is_never_named(tmp_path: Path, sealer: Sealer) -> None:
    """Erasure removes the draft too, and what is still written into it gets no name."""
    folder = SegmentFolder(tmp_path)
    with folder.draft("s", 1, sealer) as draft:
        folder.remove_all("s")
        with pytest.raises(FileNotFoundError):
            draft.store()
    assert list(tmp_path.iterdir()) == []
