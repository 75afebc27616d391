"""A heartbeat a minute, and the distinction between clocks that were set and clocks that run."""

from __future__ import annotations

import pytest
from tests.helpers.certified import Certified
from tests.helpers.disk import MemoryDisk
from tests.helpers.recorders import HandClock, RecorderBench, note

from promptster.journal.heartbeat import Heartbeat
from promptster.protocol.events.kinds import Kind


def beating(clock: HandClock) -> tuple[RecorderBench, Heartbeat]:
    """A recorder with a heartbeat."""
    bench = RecorderBench(Certified(), MemoryDisk(), clock=clock)
    return bench, Heartbeat(bench.writer, clock, lambda: {"received": 3})


def told(bench: RecorderBench) -> list[tuple[str, dict[str, object]]]:
    """The events on disk."""
    bench.writer.commit()
    return [(event.kind, event.open().fields) for event in bench.writer.events()]


def test_a_heartbeat_every_minute() -> None:
    """Ten minutes are ten heartbeats, each with the counts of its moment."""
    clock = HandClock()
    bench, heartbeat = beating(clock)
    bench.record(note("a"))
    for _ in range(1200):
        clock.pass_by(500)
        heartbeat.beat()
    assert Kind.CAPTURE_GAP not in {kind for kind, _ in told(bench)}
    beats = [fields["counts"] for kind, fields in told(bench) if kind == Kind.CAPTURE_HEARTBEAT]
    assert len(beats) == 10
    assert beats[0] == {"events": 1, "sources": {"candidate": 1}, "dropped": {}, "received": 3}


@pytest.mark.parametrize("jump", [86_400_000, -86_400_000, 2_001, -2_001])
def test_a_clock_that_was_set_is_noted(jump: int) -> None:
    """A day's difference, a step back, or a sleep that the monotonic clock did not count is recorded once."""
    clock = HandClock()
    bench, heartbeat = beating(clock)
    clock.wall += jump
    heartbeat.beat()
    heartbeat.beat()
    assert told(bench) == [(Kind.CAPTURE_CLOCK_JUMP, {"delta_ms": jump})]


def test_a_clock_that_drifts_is_left_alone() -> None:
    """Slow corrections of the clock are not jumps, however far they lead in the end."""
    clock = HandClock()
    bench, heartbeat = beating(clock)
    for _ in range(100):
        clock.pass_by(500)
        clock.wall += 100
        heartbeat.beat()
    assert told(bench) == []


@pytest.mark.parametrize(("still", "is_told"), [(9_999, False), (10_000, True), (100_000, True)])
def test_a_recorder_that_stood_still_says_so_when_it_wakes(still: int, *, is_told: bool) -> None:
    """If it was stopped or got no processor time, both clocks moved on, and the span is recorded once."""
    clock = HandClock()
    bench, heartbeat = beating(clock)
    heartbeat.beat()
    stopped = clock.wall
    clock.pass_by(still)
    heartbeat.beat()
    clock.pass_by(500)
    heartbeat.beat()
    gap = {
        "source": "recorder",
        "detail": "the recorder was stopped",
        "lost": 0,
        "from_ms": stopped,
        "to_ms": stopped + still,
    }
    assert [fields for kind, fields in told(bench) if kind == Kind.CAPTURE_GAP] == ([gap] if is_told else [])


def test_a_computer_that_slept_is_a_jump_of_its_clock_and_no_stillness() -> None:
    """The monotonic clock does not count a sleep: the recorder missed nothing that it could have seen."""
    clock = HandClock()
    bench, heartbeat = beating(clock)
    clock.wall += 8 * 3_600_000
    clock.pass_by(500)
    heartbeat.beat()
    assert [kind for kind, _ in told(bench)] == [Kind.CAPTURE_CLOCK_JUMP]


def test_a_stop_on_a_clock_set_to_1970_begins_no_earlier_than_the_epoch() -> None:
    """A span's beginning is never negative: the wire's times are not."""
    clock = HandClock()
    bench, heartbeat = beating(clock)
    clock.pass_by(20_000)
    clock.wall = 5_000
    heartbeat.beat()
    gaps = [fields for kind, fields in told(bench) if kind == Kind.CAPTURE_GAP]
    assert [(gap["from_ms"], gap["to_ms"]) for gap in gaps] == [(0, 5_000)]
