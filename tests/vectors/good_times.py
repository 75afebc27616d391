"""Sessions that verify, and their notes: silence, absent events, impossible times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from tests.vectors.common import Named, vector
from tests.vectors.world import START, World

from promptster.protocol.bundle import read_bundle, write_bundle
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.events import Draft, Source
from promptster.protocol.events.kinds import event_of
from promptster.protocol.receipt import Close, CloseOutcome, Receipt

MINUTE = 60_000
HOUR = 60 * MINUTE


def vectors() -> Iterator[Named]:
    """All of them."""
    yield from _silences()
    yield from _rests()
    yield from _absences()
    yield from _times()
    yield from _paces()


def at(ms: int, told: str, *, mono: int | None = None, **fields: Any) -> Draft:
    """An event ``SOURCE kind``, so many milliseconds after the session's start by both clocks, or by one."""
    src, kind = told.split()
    return Draft(
        src=Source(src), event=event_of(kind, fields), ms=START + ms, mono_ms=5_000 + (ms if mono is None else mono)
    )


def beats(*minutes: int, received: int = 0) -> list[Draft]:
    """Heartbeats at these minutes."""
    fields: dict[str, Any] = {"counts": {"received": received}} if received else {}
    return [at(minute * MINUTE, "recorder capture_heartbeat", **fields) for minute in minutes]


def begun() -> list[Draft]:
    """The beginning of every session."""
    return [at(0, "candidate consent"), at(0, "recorder opened"), at(1, "workspace submission_baseline")]


def ended(ms: int, **more: Any) -> list[Draft]:
    """The end of every submitted session."""
    return [at(ms, "workspace submission_final", **more), at(ms + 1, "recorder closed", **more)]


def session(told: Sequence[Draft], sizes: Sequence[int] = (), received: Sequence[int] = ()) -> tuple[World, bytes]:
    """A bundle of such a session.

    Args:
        told: its events.
        sizes: events of each batch; one batch if it is not given.
        received: when each batch was received, in milliseconds after the start; else right after its last event.
    """
    world = World(told=told)
    world.certificate = world.collector.sign(world.certificate_document(record_until=START + 24 * HOUR))
    parts = world.parts(sizes or (len(told),))
    ends = accumulate(sizes or (len(told),))
    times = [START + ms for ms in received] or [world.events[end - 1].parsed.ms for end in ends]
    receipts = [
        world.collector.sign(replace(Receipt.parse(envelope.payload), received_ms=ms))
        for envelope, ms in zip(parts.receipts, times, strict=True)
    ]
    checkpoint, proofs = world.log_of(receipts)
    parts = replace(parts, receipts=tuple(receipts), checkpoint=checkpoint, proofs=proofs)
    return world, write_bundle(parts)


def nothing_at_all(outcome: CloseOutcome = CloseOutcome.SUBMITTED) -> tuple[World, bytes]:
    """A bundle without any batch, whose end the collector signed."""
    world, data = session([*begun(), *ended(2)])
    parts = read_bundle(data)
    assert parts.close is not None
    close = Close.parse(parts.close.payload)
    close = replace(close, n=0, events=0, head=world.certificate.sha256, outcome=outcome)
    parts = replace(parts, headers=(), events=(), values={}, receipts=(), checks=(), proofs=())
    return world, write_bundle(replace(parts, close=world.collector.sign(close)))


def told_vector(
    name: str,
    what: str,
    told: Sequence[Draft],
    sizes: Sequence[int] = (),
    received: Sequence[int] = (),
    *,
    notes: tuple[str, ...] = (),
    silences: tuple[tuple[int, int], ...] = (),
) -> Named:
    """A session that verifies, and its notes."""
    world, data = session(told, sizes, received)
    given = {"data": b64u_encode(data), "trusted": world.trusted}
    facts = {"exit_code": 0, "notes": sorted(notes), "silences": [list(pair) for pair in silences]}
    return vector(f"told-{name}", what, "told", given, facts)


def _silences() -> Iterator[Named]:
    yield told_vector(
        "regular", "a heartbeat a minute, the last one not due before the end",
        [*begun(), *beats(1, 2, 3), *ended(3 * MINUTE + 59_000)],
    )  # fmt: skip
    late = at(3 * MINUTE, "recorder capture_heartbeat")
    yield told_vector(
        "late-enough", "a heartbeat that is late by its period and no more",
        [*begun(), *beats(1), late, *ended(3 * MINUTE + 1)],
    )  # fmt: skip
    late = at(3 * MINUTE + 1, "recorder capture_heartbeat")
    frozen = [*begun(), *beats(1), at(2 * MINUTE, "hook prompt"), late, *ended(3 * MINUTE + 2)]
    yield told_vector(
        "silence", "a heartbeat that is late by more than its period", frozen, silences=((3, 5),)
    )  # fmt: skip
    never = [*begun(), at(MINUTE, "proxy prompt"), *ended(2 * MINUTE + 1)]
    yield told_vector("silence-whole", "a session without any heartbeat", never, silences=((1, 4),))
    foreign = at(MINUTE, "candidate capture_heartbeat")
    yield told_vector(
        "silence-foreign", "a heartbeat that is not the recorder's is none",
        [*begun(), foreign, *ended(2 * MINUTE + 1)], silences=((1, 4),),
    )  # fmt: skip
    slow = at(3 * MINUTE + 1, "recorder capture_heartbeat", mono=2 * MINUTE)
    yield told_vector(
        "silence-wall", "a heartbeat that is late by the wall clock alone, and no jump of it is told",
        [*begun(), *beats(1), slow, *ended(3 * MINUTE + 2, mono=2 * MINUTE)], silences=((3, 4),),
    )  # fmt: skip
    back = at(MINUTE, "recorder capture_heartbeat", mono=3 * MINUTE + 1)
    yield told_vector(
        "silence-mono", "a heartbeat that is late by the monotonic clock alone: the wall clock was set back",
        [*begun(), *beats(1), at(MINUTE, "recorder capture_clock_jump", mono=3 * MINUTE, delta_ms=-2 * MINUTE), back,
         *ended(MINUTE, mono=3 * MINUTE + 1)],
        silences=((3, 5),),
    )  # fmt: skip


def _rests() -> Iterator[Named]:
    woken = at(8 * HOUR, "recorder capture_clock_jump", mono=90_000, delta_ms=8 * HOUR - 90_000)
    beat = at(8 * HOUR + 30_000, "recorder capture_heartbeat", mono=2 * MINUTE)
    yield told_vector(
        "asleep", "a computer that slept: the jump of its clock tells it",
        [*begun(), *beats(1), woken, beat, *ended(8 * HOUR + 31_000, mono=121_000)],
    )  # fmt: skip
    paused = at(8 * HOUR, "candidate paused", mono=90_000)
    yield told_vector(
        "asleep-paused", "paused right after it woke, before the jump is told",
        [*begun(), *beats(1), paused, woken, at(8 * HOUR + 5, "candidate resumed", mono=90_005),
         *ended(8 * HOUR + 31_000, mono=121_000)],
    )  # fmt: skip
    yield told_vector(
        "paused", "a pause, in which the recorder was away without a word",
        [*begun(), *beats(1), at(2 * MINUTE, "candidate paused"), *beats(3),
         at(3 * HOUR, "candidate resumed", mono=20_000), *ended(3 * HOUR + MINUTE, mono=80_000)],
    )  # fmt: skip
    yield told_vector(
        "recovered", "an outage: the recorder says itself that it came back, here behind a start of the computer",
        [*begun(), *beats(1), at(HOUR, "recorder capture_recovered", mono=0),
         at(HOUR + MINUTE, "recorder capture_heartbeat", mono=MINUTE), *ended(HOUR + 2 * MINUTE, mono=2 * MINUTE)],
    )  # fmt: skip
    final, _ = ended(2 * MINUTE)
    last = at(HOUR, "recorder closed", mono=HOUR)
    yield told_vector(
        "submitting", "behind what was handed in none is due, however long the disk makes the end",
        [*begun(), *beats(1), final, at(HOUR, "recorder capture_recovered", mono=HOUR), last],
    )  # fmt: skip
    yield told_vector(
        "silence-resumed", "behind a pause one is due again",
        [*begun(), *beats(1), at(90_000, "candidate paused"), at(91_000, "candidate resumed"),
         *ended(91_000 + 2 * MINUTE + 1)],
        silences=((5, 6),),
    )  # fmt: skip
    yield told_vector(
        "foreign-pause", "a pause that a hook tells is none",
        [*begun(), at(1_000, "hook paused"), at(2 * MINUTE + 1, "recorder closed")],
        notes=("final_missing",), silences=((1, 4),),
    )  # fmt: skip


def _absences() -> Iterator[Named]:
    alone = ("baseline_missing", "consent_missing", "final_missing", "opened_missing")
    yield told_vector("closed-alone", "one closing event and nothing else", [at(0, "recorder closed")], notes=alone)
    foreign = [at(0, "hook consent"), at(0, "candidate opened"), at(0, "proxy submission_baseline")]
    foreign += [at(0, "recorder submission_final"), at(1, "recorder closed")]
    yield told_vector("foreign-words", "what every session has, from sources that cannot say it", foreign, notes=alone)
    world, data = nothing_at_all()
    given = {"data": b64u_encode(data), "trusted": world.trusted}
    facts = {"exit_code": 0, "notes": list(alone), "silences": []}
    yield vector("told-nothing-at-all", "a session that was submitted without one event", "told", given, facts)


def _times() -> Iterator[Named]:
    told = [*begun(), *ended(2_000)]
    limit = 2_001 - 5 * MINUTE
    yield told_vector("ahead-little", "a last event five minutes after its receipt", told, (4, 1), (2_000, limit))
    yield told_vector("ahead", "one more millisecond", told, (4, 1), (2_000, limit - 1), notes=("ahead",))
    stay = at(10_000, "proxy prompt")
    yield told_vector("backwards-little", "five seconds before an earlier event", [*begun(), stay, *ended(5_000)])
    yield told_vector("backwards", "one more millisecond", [*begun(), stay, *ended(4_999)], notes=("backwards",))
    jump = at(1_000, "recorder capture_clock_jump", mono=10_400, delta_ms=-9_400)
    yield told_vector(
        "backwards-jump", "a clock that was set back, and what was stamped before that was told",
        [*begun(), stay, at(900, "proxy prompt", mono=10_300), jump, *ended(2_000, mono=11_400)],
    )  # fmt: skip
    foreign = at(1_000, "hook capture_clock_jump", mono=10_400, delta_ms=-9_400)
    yield told_vector(
        "backwards-foreign-jump", "a jump that a hook tells is none",
        [*begun(), stay, foreign, *ended(2_000, mono=11_400)], notes=("backwards",),
    )  # fmt: skip
    yield told_vector(
        "hook-waited", "a hook's call that had waited bears the time at which it was made",
        [*begun(), stay, at(1_000, "hook prompt"), *ended(11_000)],
    )  # fmt: skip


def _paces() -> Iterator[Named]:
    one = [*begun(), *beats(1), at(2 * MINUTE, "recorder capture_heartbeat", counts={"received": 4})]
    slow = [at(3 * MINUTE, "recorder capture_heartbeat", counts={"received": 5}), *ended(3 * MINUTE + 1)]
    yield told_vector(
        "pace", "as many minutes between heartbeats as between receipts",
        [*one, *slow], (4, 1, 3), (MINUTE + 500, 2 * MINUTE + 500, 4 * MINUTE),
    )  # fmt: skip
    yield told_vector(
        "pace-offline", "received long after: the heartbeats know of no receipt, and nothing contradicts them",
        [*begun(), *beats(1, 2, 3), *ended(3 * MINUTE + 1)], (4, 1, 3), (9 * HOUR, 9 * HOUR + 1, 9 * HOUR + 2),
    )  # fmt: skip
    yield told_vector(
        "pace-slower", "a heartbeat that knows a receipt of half an hour later, by a clock that went on by one minute",
        [*one, *slow], (4, 1, 3), (MINUTE + 500, 30 * MINUTE, 30 * MINUTE + 1), notes=("pace",),
    )  # fmt: skip
    fast = [
        *begun(),
        *beats(1),
        at(2 * MINUTE, "recorder capture_heartbeat", counts={"received": 4}),
        *beats(3, 4, 5, 6),
    ]
    fast += [*beats(7, 8), *ended(8 * MINUTE + 1)]
    yield told_vector(
        "pace-faster", "eight minutes by the clock, and one by the receipts, though it began behind the collector's",
        fast, (4, 9), (4 * MINUTE, 5 * MINUTE - 1), notes=("pace",),
    )  # fmt: skip
    yield told_vector(
        "pace-anew", "a clock that was 19 minutes slow before a pause, and right behind it",
        [*begun(), *beats(1, received=3), at(90_000, "candidate paused"), at(30 * MINUTE, "candidate resumed"),
         *beats(31, 32), *ended(33 * MINUTE)],
        (3, 1, 6), (20 * MINUTE, 20 * MINUTE + 1, 33 * MINUTE + 5),
    )  # fmt: skip
