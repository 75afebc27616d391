"""Notes that do not change the verdict: absent events, impossible times, and silence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.vectors.good_times import HOUR, MINUTE, at, beats, begun, ended, nothing_at_all, session
from tests.vectors.world import START, World

from promptster.protocol.bundle import read_bundle, write_bundle
from promptster.protocol.plausibility import ABSENCES, TIMES
from promptster.protocol.receipt import Close, CloseOutcome
from promptster.protocol.verification import verify_bundle, verify_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.protocol.bundle import BundleParts
    from promptster.protocol.events import Draft
    from promptster.protocol.verdict import Verification


def _verified(told: Sequence[Draft], *more: Any) -> Verification:
    world, data = session(told, *more)
    result = verify_bundle(data, trusted=world.trusted)
    assert (result.verdict, result.exit_code) == ("verified", 0)
    return result


def _notes(result: Verification) -> dict[str, str]:
    found = {code: text for code, text in result.findings if code in ABSENCES | TIMES}
    assert len(found) == len(result.findings)
    return found


def test_a_closing_event_alone_is_told_what_it_lacks() -> None:
    """Four events that every submitted session has are named, each by its kind and in words."""
    assert _notes(_verified([at(0, "recorder closed")])) == {
        "consent_missing": "no event says that the candidate agreed to be recorded",
        "opened_missing": "no event says that the recorder started",
        "baseline_missing": "no event records the workspace at the start",
        "final_missing": "the session was submitted, but no event contains the submission",
    }


@pytest.mark.parametrize("left_out", range(4))
def test_each_absence_is_told_alone(left_out: int) -> None:
    """Whichever event is missing, the others are not named."""
    names = ("consent_missing", "opened_missing", "baseline_missing", "final_missing")
    whole = [*begun(), *ended(10)]
    assert _notes(_verified(whole)) == {}
    assert list(_notes(_verified([event for place, event in enumerate(whole) if place != left_out]))) == [
        names[left_out]
    ]


def _closed_otherwise(parts: BundleParts, world: World, **changes: Any) -> BundleParts:
    assert parts.close is not None
    close = replace(Close.parse(parts.close.payload), **changes)
    return replace(parts, close=world.collector.sign(close))


def test_a_session_that_lapsed_handed_nothing_in() -> None:
    """It lacks consent and opening, but no submission; an open session lacks nothing yet."""
    world, data = session([at(0, "proxy prompt"), at(1, "proxy prompt")])
    parts = read_bundle(data)
    lapsed = verify_parts(_closed_otherwise(parts, world, outcome=CloseOutcome.LAPSED), trusted=world.trusted)
    assert {code for code, _ in lapsed.findings} == {"lapsed", "consent_missing", "opened_missing"}
    going_on = verify_parts(replace(parts, close=None), trusted=world.trusted)
    assert {code for code, _ in going_on.findings} == {"open_ended"}
    shorter = verify_parts(_closed_otherwise(parts, world, events=3), trusted=world.trusted)
    assert {code for code, _ in shorter.findings} == {"close_mismatch"}


def test_a_session_without_one_event_is_told_what_it_lacks() -> None:
    """If nothing was recorded and the collector signed an end, the session is complete but empty."""
    world, data = nothing_at_all()
    submitted = verify_bundle(data, trusted=world.trusted)
    assert submitted.verdict == "verified"
    assert _notes(submitted).keys() == ABSENCES
    world, data = nothing_at_all(CloseOutcome.LAPSED)
    lapsed = verify_bundle(data, trusted=world.trusted)
    assert {code for code, _ in lapsed.findings} == {"lapsed", "consent_missing", "opened_missing"}
    going_on = verify_parts(replace(read_bundle(data), close=None), trusted=world.trusted)
    assert {code for code, _ in going_on.findings} == {"open_ended"}


def test_what_is_not_here_is_not_called_absent() -> None:
    """If events are missing from the bundle, these may be among them."""
    world, data = session([at(0, "proxy prompt"), at(1, "proxy prompt"), at(2, "recorder closed")], (1, 1, 1))
    parts = read_bundle(data)
    holed = replace(parts, events=(parts.events[0], parts.events[2]))
    values = {seq: secrets for seq, secrets in parts.values.items() if seq != 1}
    found = verify_parts(replace(holed, values=values), trusted=world.trusted)
    assert not {code for code, _ in found.findings} & ABSENCES


def test_events_later_than_their_receipt_are_told() -> None:
    """The note says which events are later, and by how much: an hour ahead of the collector."""
    told = [*begun(), *ended(10)]
    text = "by the computer's clock, events 0 to 4 happened up to 1 h after the collector had received them"
    assert _notes(_verified(told, (), (-HOUR,))) == {"ahead": text}
    one = _verified([*begun(), *ended(MINUTE)], (3, 2), (1, MINUTE - 10 * MINUTE))
    assert _notes(one)["ahead"].startswith("by the computer's clock, events 3 to 4 happened up to 10 min")


def test_times_that_run_backwards_in_both_clocks_are_told() -> None:
    """Every event is a second before the previous one: the note lists those beyond what disorder can explain."""
    words = [(event.src, event.kind) for event in (*begun(), at(0, "proxy prompt"), at(0, "proxy prompt"), *ended(0))]
    told = [at(10_000 - 1_500 * place, f"{src} {kind}") for place, (src, kind) in enumerate(words)]
    text = (
        "by the computer's clock, events 4 to 6 happened before earlier ones, and nothing says that the clock was set"
    )
    assert _notes(_verified(told, (), (60_000,))) == {"backwards": text}


def test_a_clock_that_ran_at_another_pace_is_told() -> None:
    """The note says between which events, in which direction, and by how much; a heartbeat may contradict itself."""
    known = at(2 * MINUTE, "recorder capture_heartbeat", counts={"received": 4})
    late = at(3 * MINUTE, "recorder capture_heartbeat", counts={"received": 5})
    slower = _verified([*begun(), *beats(1), known, late, *ended(3 * MINUTE)], (4, 1, 3), (MINUTE, HOUR, HOUR + 1))
    text = "between events 3 and 5 the computer's clock ran 57 min slower than the receipts allow"
    assert _notes(slower) == {"pace": text}
    fast = [*begun(), *beats(1), known, *beats(3, 4, 5, 6, 7, 8), *ended(8 * MINUTE)]
    faster = _verified(fast, (4, 9), (4 * MINUTE, 5 * MINUTE - 1))
    text = "between events 4 and 10 the computer's clock ran 5 min faster than the receipts allow"
    assert _notes(faster) == {"pace": text}
    itself = _verified([*begun(), *beats(1, received=3), *ended(MINUTE)], (3, 3), (9 * MINUTE, 2 * MINUTE))
    text = "between events 3 and 3 the computer's clock ran 7 min faster than the receipts allow"
    assert _notes(itself) == {"pace": text}


@pytest.mark.parametrize("counts", ["many", {"received": True}, {"received": "4"}, {"received": 0}, {"received": 99}])
def test_what_a_heartbeat_does_not_know_bounds_no_clock(counts: Any) -> None:
    """Hostile counts, and counts of events that are not here, are ignored."""
    odd = at(2 * MINUTE, "recorder capture_heartbeat", counts=counts)
    told = [*begun(), *beats(1), odd, *ended(2 * MINUTE)]
    assert _notes(_verified(told, (3, 4), (HOUR, 3 * MINUTE))) == {}


def test_a_silence_says_from_where_to_where() -> None:
    """The note gives events, times and the source; a wall clock that was set back gives no negative length."""
    late = at(4 * MINUTE, "recorder capture_heartbeat")
    (gap,) = _verified([*begun(), *beats(1), at(2 * MINUTE, "hook prompt"), late, *ended(4 * MINUTE)]).gaps
    assert (gap.kind, gap.seq, gap.to_seq, gap.source) == ("silence", 3, 5, "recorder")
    assert (gap.from_ms, gap.to_ms) == (START + MINUTE, START + 4 * MINUTE)
    assert gap.text == "the recorder was silent: no heartbeat came, although one is due every minute"
    back = at(59_000, "recorder capture_heartbeat", mono=4 * MINUTE)
    (gap,) = _verified([*begun(), *beats(1), back, *ended(MINUTE, mono=4 * MINUTE)], (), (MINUTE,)).gaps
    assert (gap.from_ms, gap.to_ms) == (START + MINUTE, START + MINUTE)


def test_nothing_is_said_about_time_across_missing_events() -> None:
    """The missing batch may have a heartbeat, a jump or a receipt."""
    beat = at(40 * MINUTE, "recorder capture_heartbeat", counts={"received": 1})
    told = [*begun(), *beats(1), *beats(2, 3), at(30 * MINUTE, "proxy prompt"), beat, *ended(41 * MINUTE)]
    world, data = session(told, (4, 2, 4), (MINUTE, 3 * MINUTE, 41 * MINUTE))
    parts = read_bundle(data)
    holed = replace(parts, events=(*parts.events[:4], *parts.events[6:]))
    found = verify_bundle(write_bundle(holed), trusted=world.trusted)
    assert {code for code, _ in found.findings} == {"gap"}
    assert [(gap.kind, gap.seq) for gap in found.gaps] == []


def test_a_hostile_session_costs_no_more_than_its_length() -> None:
    """Thousands of pauses without a heartbeat are each visited once."""
    words = ("candidate resumed", "candidate paused")
    told = [at(place * 3 * MINUTE, words[place % 2], mono=0) for place in range(2_500)]
    world, data = session(told)
    gaps = verify_bundle(data, trusted=world.trusted).gaps
    assert sum(gap.kind == "silence" for gap in gaps) == 1_250
