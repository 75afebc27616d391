"""Journal and batches repair each other, and never contradict each other afterwards."""

from __future__ import annotations

from dataclasses import replace

from tests.helpers.certified import NOW_MS, Certified
from tests.helpers.disk import MemoryDisk
from tests.helpers.recorders import JOURNAL, RecorderBench, note

from promptster.deliver.outbox import Adoption
from promptster.protocol.events import Draft, Source
from promptster.protocol.events.kinds import Closed, Kind, ToolCall, ToolResult
from promptster.recorder.journal_repair import Repair


def lose_journal(disk: MemoryDisk) -> None:
    """Delete the journal."""
    for path in disk.paths():
        if path.parent == JOURNAL:
            disk.unlink(path)


def texts(bench: RecorderBench) -> list[tuple[int, str]]:
    """Seq and text of every note."""
    opened = [event.open() for event in bench.writer.events()]
    return [(event.seq, event.fields["text"]) for event in opened if event.kind == Kind.NOTE]


def test_nothing_lost_is_nothing_done() -> None:
    """A journal that reaches as far as the batches is left alone."""
    certified, disk = Certified(), MemoryDisk()
    bench = RecorderBench(certified, disk)
    bench.record(note("a"))
    bench.seal()
    assert RecorderBench(certified, disk).repair == Repair()


def test_a_lost_journal_is_filled_from_the_batches() -> None:
    """Every sealed event returns to its place with its exact bytes."""
    certified, disk = Certified(), MemoryDisk()
    bench = RecorderBench(certified, disk)
    for text in "abc":
        bench.record(note(text), note(text * 2))
        bench.seal()
    wanted = bench.public()
    lose_journal(disk)
    again = RecorderBench(certified, disk)
    assert again.repair == Repair(filled=6)
    assert again.public() == wanted


def test_numbers_of_batches_that_only_the_collector_holds_are_skipped() -> None:
    """The events of adopted batches are not here; numbering continues after them."""
    certified, disk = Certified(), MemoryDisk()
    bench = RecorderBench(certified, disk)
    bench.record(note("a"))
    bench.seal()
    adoption = Adoption(n=1, last=3, header_sha256=bytes(32), next_seq=9, base=None)
    bench.outbox.adopt(adoption, {})
    again = RecorderBench(certified, disk)
    assert again.repair == Repair(skipped=8)
    again.record(note("b"))
    assert texts(again) == [(0, "a"), (9, "b")]


def test_events_entered_anew_keep_content_times_and_references() -> None:
    """Only the numbers are new: references follow, ``closed`` is made again, a second start changes nothing."""
    certified, disk = Certified(), MemoryDisk()
    bench = RecorderBench(certified, disk)
    bench.record(note("a"), note("b"))
    bench.seal()
    call = Draft(src=Source.PROXY, event=ToolCall(name="Bash"), ms=NOW_MS, mono_ms=5, lane=2, refs=(0, 1))
    result = replace(call, event=ToolResult(name="Bash"), refs=(2,))
    bench.record(call, result)
    bench.writer.append_own(Closed(totals={}, batches=2))
    bench.writer.commit()
    bench.outbox.adopt(Adoption(n=1, last=4, header_sha256=bytes(32), next_seq=20, base=2), {})
    for expected in (Repair(moved=2, skipped=18), Repair()):
        again = RecorderBench(certified, disk)
        assert again.repair == expected
        moved = [event.open() for event in again.writer.events(start=20)]
        assert [(event.seq, event.kind, event.refs) for event in moved] == [
            (20, "tool_call", (0, 1)),
            (21, "tool_result", (20,)),
        ]
        assert (moved[0].ms, moved[0].mono_ms, moved[0].lane, moved[0].src_seq) == (NOW_MS, 5, 2, 0)
        assert not again.writer.finished
        assert again.writer.next_seq == 22
