"""What a recording says about its clocks: set back while no recorder ran, or ahead of a recorder that was stopped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.helpers.certified import Certified
from tests.helpers.recorders import HandClock
from tests.helpers.running import FAR, prepared

from promptster.protocol.gaps import read_gaps
from promptster.recorder.assembly import assemble
from promptster.recorder.process_log import Log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.running import Running


async def _run(running: Running, clock: HandClock, *minutes: int, paused: bool = False) -> None:
    """One recorder's run, with a look at the clocks after so many minutes each; it ends in order."""
    parts = await assemble(running.folder, running.certified.secrets, clock, Log(-1), start_anew=lambda: None)
    for count in minutes:
        clock.pass_by(count * 60_000)
        parts.heartbeat.beat()
    if paused:
        await parts.recording.pause("candidate")
    await parts.recording.end(stopped=False)
    await parts.collector.aclose()


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A session that was just redeemed, without processes."""
    with prepared(tmp_path, monkeypatch, certified=Certified(record_until=FAR, upload_until=FAR)) as running:
        yield running


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize(("back", "told"), [(3_600_000, True), (2_001, True), (2_000, False), (-3_600_000, False)])
def test_a_clock_that_was_set_back_while_no_recorder_ran_is_told(
    running: Running, back: int, *, told: bool, paused: bool
) -> None:
    """It is the next recorder's first event, even in a pause; time that moved forward is not reported."""
    clock = HandClock()
    asyncio.run(_run(running, clock, 1, paused=paused))
    count = len(running.events())
    clock.wall -= back
    clock.mono = 5  # the computer was restarted
    asyncio.run(_run(running, clock))
    jumps = [(event.seq, event.fields) for event in running.events() if event.kind == "capture_clock_jump"]
    assert jumps == ([(count, {"delta_ms": -back})] if told else [])


def test_a_recorder_that_stood_still_tells_it_and_the_reader_sees_it(running: Running) -> None:
    """After three minutes without a look at the clock there is an event with the span, and a late heartbeat."""
    clock = HandClock()
    asyncio.run(_run(running, clock, 1, 3))
    told = [(gap.kind, gap.text, gap.to_ms - gap.from_ms) for gap in read_gaps(running.events()) if gap.to_ms]
    stood = "recording by the recorder was incomplete: the recorder was stopped"
    assert [gap for gap in told if gap[2] == 180_000] == [
        ("silence", "the recorder was silent: no heartbeat came, although one is due every minute", 180_000),
        ("capture_gap", stood, 180_000),
    ]
