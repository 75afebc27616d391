"""The recorder gives every draft one place, and reports what it left out."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, cast

import pytest
from tests.helpers.certified import NOW_MS, Certified
from tests.helpers.disk import MemoryDisk
from tests.helpers.recorders import HandClock, RecorderBench, call, note
from tests.journal.test_journal import nth

from promptster.journal.journal import JournalLostError
from promptster.journal.limits import JournalLimits
from promptster.journal.writer import NOT_RECORDED, without_heavy_values
from promptster.protocol.events import Draft, RecordedEvent, Source
from promptster.protocol.events.kinds import AGENT_KINDS, CaptureDegraded, Closed, Kind, event_of

if TYPE_CHECKING:
    from collections.abc import Callable


def kinds(bench: RecorderBench) -> list[str]:
    """The kinds on disk, in order."""
    return [event.kind for event in bench.writer.events()]


def details(bench: RecorderBench) -> list[str]:
    """The details of the degraded notes."""
    events = [event.open() for event in bench.writer.events()]
    return [event.fields["detail"] for event in events if event.kind == Kind.CAPTURE_DEGRADED]


def failing(disk: MemoryDisk, number: int, *, times: int, word: str = "sync") -> Callable[[str, int], None]:
    """A disturbance that makes a kind of call fail so many times."""
    left = times

    def disturb(name: str, _call: int) -> None:
        nonlocal left
        if name == word and left:
            left -= 1
            if not left:
                disk.on_call = None
            raise OSError(number, "refused")

    return disturb


def test_seqs_are_gapless_and_sources_count_apart() -> None:
    """Every event has the next seq, and the next number of its own source."""
    bench = RecorderBench(Certified(), MemoryDisk())
    assert bench.record(note("a"), call(1), note("b"), call(2)) == [0, 1, 2, 3]
    found = [(event.seq, event.src, event.parsed.src_seq) for event in bench.writer.events()]
    assert found == [(0, "candidate", 0), (1, "hook", 0), (2, "candidate", 1), (3, "hook", 1)]


def test_counters_go_on_after_a_restart() -> None:
    """A new recorder continues seq and source counts from the journal alone."""
    disk, certified = MemoryDisk(), Certified()
    RecorderBench(certified, disk).record(note("a"), call(1))
    again = RecorderBench(certified, disk)
    assert [event.seq for event in again.recovered] == [0, 1]
    again.record(call(2))
    last = list(again.writer.events())[-1]
    assert (last.seq, last.parsed.src_seq) == (2, 1)


def test_nothing_is_durable_before_the_commit() -> None:
    """A seq is given at once, but it is durable only after the disk's answer."""
    bench = RecorderBench(Certified(), MemoryDisk())
    assert bench.writer.append(note("a")) == 0
    assert bench.writer.durable_seq == 0
    assert bench.writer.commit()
    assert bench.writer.durable_seq == 1


async def test_whoever_waits_hears_of_durability() -> None:
    """``durable`` returns when the writer's thread has synced, also for many waiters at once."""
    bench = RecorderBench(Certified(), MemoryDisk())
    bench.writer.start()
    seqs = [bench.writer.append(note(str(number))) for number in range(50)]
    await asyncio.gather(*(bench.writer.durable(seq) for seq in seqs))
    assert bench.writer.durable_seq == 50
    await bench.writer.close()


async def test_close_makes_the_rest_durable() -> None:
    """What was appended last is on disk after an orderly end."""
    disk, certified = MemoryDisk(), Certified()
    bench = RecorderBench(certified, disk)
    bench.writer.start()
    for number in range(20):
        bench.writer.append(note(str(number)))
    await bench.writer.close()
    assert len(RecorderBench(certified, disk).recovered) == 20


def test_kinds_outside_the_policy_are_left_out_and_counted() -> None:
    """What the candidate did not agree to is not recorded; events about the session itself always are."""
    bench = RecorderBench(Certified(), MemoryDisk(), kinds=("prompt",))
    assert bench.writer.append(call(1)) == NOT_RECORDED
    assert bench.writer.append(note("about the session")) == 0
    assert bench.writer.dropped == {"policy": 1}


def test_a_malformed_draft_costs_itself_only() -> None:
    """A draft that cannot become an event is counted, and takes no number; a missing one of an agent is reported."""
    bench = RecorderBench(Certified(), MemoryDisk())
    odd = Draft(src=Source.HOOK, event=event_of(Kind.COMMAND, {"exit_code": "x"}), ms=1, mono_ms=1)
    assert bench.writer.append(odd) == NOT_RECORDED
    assert (
        bench.writer.append(Draft(src=cast("Source", "nobody"), event=event_of(Kind.NOTE, {}), ms=1, mono_ms=1))
        == NOT_RECORDED
    )
    assert bench.record(note("next")) == [1]
    assert kinds(bench) == ["capture_gap", "note"]
    assert bench.writer.dropped == {"malformed": 2}


def test_refs_to_what_was_not_recorded_fall_away() -> None:
    """An event may refer only to earlier events that were recorded."""
    bench = RecorderBench(Certified(), MemoryDisk())
    bench.record(note("a"))
    draft = Draft(
        src=Source.HOOK, event=event_of(Kind.COMMAND, {"command": "ls"}), ms=1, mono_ms=1, refs=(NOT_RECORDED, 0, 7)
    )
    bench.record(draft)
    assert list(bench.writer.events())[-1].parsed.refs == (0,)


@pytest.mark.parametrize("kind", sorted(AGENT_KINDS))
def test_after_the_time_limit_nothing_of_agents_is_recorded(kind: str) -> None:
    """The recorder keeps the certificate's end and reports it once; the session's own events continue."""
    bench = RecorderBench(Certified(record_until=NOW_MS + 10), MemoryDisk())
    draft = Draft(src=Source.PROXY, event=event_of(kind, {}), ms=NOW_MS, mono_ms=1)
    bench.clock.pass_by(10)
    assert bench.writer.append(draft) == 0
    bench.clock.pass_by(1)
    assert bench.writer.append(draft) == bench.writer.append(draft) == NOT_RECORDED
    bench.record(note("still mine"))
    assert kinds(bench) == [kind, "capture_degraded", "note"]
    assert bench.writer.dropped == {"time_limit": 2}
    assert bench.writer.degraded == ("time_limit",)


def test_nothing_follows_closed() -> None:
    """``closed`` is the last event, also for a recorder that starts later."""
    disk, certified = MemoryDisk(), Certified()
    bench = RecorderBench(certified, disk)
    bench.writer.append_own(Closed(totals={}, batches=1))
    assert bench.writer.append(note("late")) == NOT_RECORDED
    bench.writer.commit()
    again = RecorderBench(certified, disk)
    assert again.writer.finished
    assert again.writer.append(note("later")) == NOT_RECORDED


@pytest.mark.parametrize("src", ["hook", "candidate", "proxy", "launcher", "workspace"])
def test_nobody_but_the_recorder_closes(src: str) -> None:
    """A ``closed`` of another source is an event like any other, also for a recorder that starts later."""
    disk, certified = MemoryDisk(), Certified()
    bench = RecorderBench(certified, disk)
    bench.record(Draft(src=Source(src), event=event_of(Kind.CLOSED, {}), ms=1, mono_ms=1), note("a"))
    assert kinds(bench) == ["closed", "note"]
    assert not RecorderBench(certified, disk).writer.finished


def test_an_event_can_demand_its_place() -> None:
    """``closed`` must be the next event after what was sealed, or it is not recorded."""
    bench = RecorderBench(Certified(), MemoryDisk())
    bench.record(note("a"))
    assert not bench.writer.append_next(note("b"), seq=0)
    assert bench.writer.append_next(note("b"), seq=1)


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS])
def test_a_disk_that_fails_for_a_while_loses_nothing(number: int) -> None:
    """Events wait in memory while the disk refuses, keep their places, and a note reports it afterwards."""
    disk = MemoryDisk()
    bench = RecorderBench(Certified(), disk)
    bench.record(note("before"))
    disk.on_call = failing(disk, number, times=2)
    bench.writer.append(call(1, "x" * 100))
    assert not bench.writer.commit()
    assert bench.writer.degraded == ("disk_failing",)
    bench.writer.append(note("meanwhile"))
    assert not bench.writer.commit()
    assert bench.writer.commit()
    assert bench.writer.commit()
    assert kinds(bench) == ["note", "command", "note", "capture_degraded"]
    assert errno.errorcode[number] in details(bench)[0]
    assert not list(bench.writer.degraded)


def test_a_full_disk_costs_heavy_values_first() -> None:
    """On ENOSPC waiting events are composed again without their heavy values, in their places, and a note says so."""
    disk = MemoryDisk()
    bench = RecorderBench(Certified(), disk)
    bench.record(note("before"))
    disk.on_call = failing(disk, errno.ENOSPC, times=1, word="write")
    disk.free = 1000
    bench.writer.append(call(1, "x" * 100_000))
    assert not bench.writer.commit()
    assert bench.writer.commit()
    opened = [event.open() for event in bench.writer.events()]
    assert [event.seq for event in opened] == [0, 1, 2]
    assert "output" not in opened[1].fields
    assert opened[1].fields["command"] == "ls"
    assert "left out" in details(bench)[0]


def test_a_nearly_full_disk_is_noticed_before_it_is_full() -> None:
    """Below the reserve heavy values are left out; above it everything is kept again; both are reported."""
    disk = MemoryDisk()
    bench = RecorderBench(Certified(), disk)
    disk.free = 1000
    bench.record(call(1, "x" * 9000))
    assert bench.writer.degraded == ("disk_nearly_full",)
    bench.record(call(2, "x" * 9000))
    disk.free = 1 << 40
    bench.record(call(3, "short"))
    bench.record(call(4, "x" * 9000))
    outputs = [event.open().fields.get("output") for event in bench.writer.events() if event.kind == Kind.COMMAND]
    assert [None if output is None else len(output) for output in outputs] == [9000, None, 5, 9000]
    assert len(details(bench)) == 2


def test_memory_is_bounded_while_the_disk_refuses() -> None:
    """Beyond the limit agents' events are dropped and counted, never the session's own; a gap reports it afterwards."""
    disk = MemoryDisk()
    bench = RecorderBench(Certified(), disk, limits=JournalLimits(pending=20_000))
    disk.on_call = failing(disk, errno.EIO, times=1)
    left_out_at: list[int] = []
    for number in range(8):
        bench.clock.pass_by(1)
        if bench.writer.append(call(number, "x" * 4000)) == NOT_RECORDED:
            left_out_at.append(bench.clock.wall_ms())
    assert len(left_out_at) == bench.writer.dropped["overload"] > 1
    bench.clock.pass_by(5000)
    assert bench.writer.append(note("mine")) != NOT_RECORDED
    assert not bench.writer.commit()
    while bench.writer.durable_seq < bench.writer.next_seq:
        assert bench.writer.commit()
    assert kinds(bench)[-2:] == ["capture_degraded", "capture_gap"]
    gap = list(bench.writer.events())[-1].open().fields
    assert (gap["source"], gap["lost"]) == ("recorder", bench.writer.dropped["overload"])
    assert (gap["from_ms"], gap["to_ms"]) == (left_out_at[0], NOW_MS + 5008)


def test_the_session_s_own_events_stay_whole() -> None:
    """Heavy values of consent, submission and notes are never left out."""
    heavy = Draft(
        src=Source.WORKSPACE,
        event=event_of(Kind.SUBMISSION_FINAL, {"commit": "c", "diff": "x" * 10_000}),
        ms=1,
        mono_ms=1,
    )
    assert without_heavy_values(heavy, 4096) is heavy
    agent = call(1, "x" * 10_000)
    assert set(without_heavy_values(agent, 4096).fields) == {"tool_use_id", "command"}
    light = call(1, "x")
    assert without_heavy_values(light, 4096) is light


async def test_a_journal_that_vanished_ends_the_recorder() -> None:
    """If durable records are gone, no event is reported as durable from then on."""
    disk = MemoryDisk()
    bench = RecorderBench(Certified(), disk)
    bench.record(note("a"))
    disk.on_call = failing(disk, errno.EIO, times=1)
    disk.vanish()
    bench.writer.append(note("b"))
    assert not bench.writer.commit()
    assert bench.writer.lost
    assert bench.writer.append(note("c")) == NOT_RECORDED
    with pytest.raises(JournalLostError):
        await bench.writer.durable(1)
    await bench.writer.close()
    assert bench.writer.durable_seq == 1
    with pytest.raises(JournalLostError):
        await bench.writer.durable(1)


async def test_a_writer_that_breaks_ends_the_recorder() -> None:
    """An error that is not the disk's is not waited out: the waiting callers get it, and a new start follows."""
    disk = MemoryDisk()
    bench = RecorderBench(Certified(), disk)
    bench.record(note("a"))
    disk.on_call = nth("sync", 1, MemoryError())
    bench.writer.start()
    seq = bench.writer.append(note("b"))
    with pytest.raises(JournalLostError):
        await bench.writer.durable(seq)
    assert (bench.writer.lost, bench.writer.failing) == (True, "MemoryError")
    await bench.writer.close()
    assert bench.writer.durable_seq == 1


def test_recent_events_are_handed_out_without_reading_the_disk() -> None:
    """The sealer gets new durable events from memory, and learns when it must read from disk."""
    bench = RecorderBench(Certified(), MemoryDisk())
    bench.record(note("a"), note("b"))
    recent = bench.writer.take_recent(0)
    assert recent is not None
    assert [event.seq for event in recent] == [0, 1]
    assert [event.seq for event in bench.writer.take_recent(1) or []] == [1]
    assert bench.writer.take_recent(2) == []
    assert bench.writer.take_recent(0) is None


def test_recent_events_do_not_pile_up() -> None:
    """While nothing is sealed, memory holds the oldest events only; the others are read from disk later."""
    bench = RecorderBench(Certified(), MemoryDisk(), limits=JournalLimits(recent=5_000))
    for number in range(5):
        bench.record(call(number, "x" * 2000))
    recent = bench.writer.take_recent(0) or []
    assert [event.seq for event in recent] == [0, 1]
    assert bench.writer.take_recent(2) is None
    assert [event.seq for event in bench.writer.events(start=2)] == [2, 3, 4]


def test_events_end_where_durability_ends() -> None:
    """A reader never sees what could still be lost."""
    disk = MemoryDisk()
    bench = RecorderBench(Certified(), disk)
    bench.record(note("a"))
    disk.on_call = failing(disk, errno.EIO, times=1)
    bench.writer.append(note("b"))
    assert not bench.writer.commit()
    assert [event.seq for event in bench.writer.events()] == [0]
    assert all(isinstance(event, RecordedEvent) for event in bench.writer.events())


def test_own_notes_are_stamped_by_the_clock() -> None:
    """The recorder's own events have both clocks."""
    clock = HandClock(wall=5, mono=7)
    bench = RecorderBench(Certified(), MemoryDisk(), clock=clock)
    bench.writer.append_own(CaptureDegraded(detail="x"))
    bench.writer.commit()
    parsed = next(iter(bench.writer.events())).parsed
    assert (parsed.src, parsed.ms, parsed.mono_ms) == ("recorder", 5, 7)


def test_an_event_does_not_refer_to_itself() -> None:
    """A ref to its own place, which the draft could only guess, falls away like one to the future."""
    bench = RecorderBench(Certified(), MemoryDisk())
    bench.record(note("a"))
    draft = note("b")
    bench.record(Draft(src=draft.src, event=draft.event, ms=draft.ms, mono_ms=draft.mono_ms, refs=(0, 1, 2, -1)))
    assert list(bench.writer.events())[-1].parsed.refs == (0,)


def test_a_group_is_written_and_the_rest_waits() -> None:
    """More than a group's bytes takes more than one commit, and nothing falls between two of them."""
    bench = RecorderBench(Certified(), MemoryDisk(), limits=JournalLimits(group=1))
    for text in ("a", "b", "c"):
        bench.writer.append(note(text))
    for count in (1, 2, 3):
        assert bench.writer.commit()
        assert bench.writer.durable_seq == count
    assert [event.seq for event in bench.writer.events()] == [0, 1, 2]


def test_memory_is_free_again_once_the_disk_has_written() -> None:
    """Only what waits for the disk counts against the limit, however much was written before."""
    bench = RecorderBench(Certified(), MemoryDisk(), limits=JournalLimits(pending=10_000))
    for number in range(20):
        assert bench.record(call(number, "x" * 2_000)) == [number]
    assert not bench.writer.dropped


def test_recent_events_make_room_when_they_are_taken() -> None:
    """A sealer that keeps up never has to read from disk, however long the session."""
    bench = RecorderBench(Certified(), MemoryDisk(), limits=JournalLimits(recent=5_000))
    for number in range(20):
        bench.record(call(number, "x" * 2_000))
        assert [event.seq for event in bench.writer.take_recent(number) or []] == [number]


async def test_close_writes_what_no_thread_has_written() -> None:
    """An end before the writer's thread began loses nothing."""
    disk, certified = MemoryDisk(), Certified()
    bench = RecorderBench(certified, disk)
    bench.writer.append(note("a"))
    await bench.writer.close()
    assert [event.seq for event in RecorderBench(certified, disk).recovered] == [0]


def test_recent_events_have_no_hole() -> None:
    """Once one did not fit, later ones are read from disk too, even when there is room again."""
    bench = RecorderBench(Certified(), MemoryDisk(), limits=JournalLimits(recent=5_000))
    for number in range(3):
        bench.record(call(number, "x" * 2_000))
    assert [event.seq for event in bench.writer.take_recent(1) or []] == [1]
    bench.record(call(3, "x" * 2_000))
    assert [event.seq for event in bench.writer.take_recent(1) or []] == [1]
    assert bench.writer.take_recent(2) is None
