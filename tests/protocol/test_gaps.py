"""Gaps of capture: as the recorder reported them, the same in every view of a session."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.vectors.world import World, public_with

from promptster.protocol.encoding import b64u_encode
from promptster.protocol.events import OpenedEvent, RecordedEvent, Source
from promptster.protocol.events.fields import Block, Secret, commitment
from promptster.protocol.events.kinds import Kind, event_of
from promptster.protocol.gaps import is_outage, read_gaps


def _event(kind: str, seq: int = 0, *, src: str = "recorder", src_seq: int | None = None, **fields: Any) -> OpenedEvent:
    return OpenedEvent(
        seq=seq,
        src=Source(src),
        src_seq=seq if src_seq is None else src_seq,
        event=event_of(kind, fields),
        ms=1000 + seq,
        mono_ms=seq,
        lane=0,
        refs=(),
    )


def _told(kind: str, **fields: Any) -> str:
    (gap,) = read_gaps([_event(kind, **fields)])
    assert (gap.kind, gap.seq) == (kind, 0)
    return gap.text


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind.startswith("capture_")])
def test_every_word_of_capture_about_itself_is_a_gap_but_the_heartbeat(kind: str) -> None:
    """A new kind that is missing here fails; all fields may be missing."""
    gaps = read_gaps([_event(kind)])
    assert [gap.kind for gap in gaps] == ([] if kind == "capture_heartbeat" else [kind])
    assert all(gap.text and (gap.from_ms, gap.to_ms) == (1000, 1000) for gap in gaps)


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("capture_hook_silent", {"name": "Bash"}, "the proxy saw a call of Bash that no hook reported"),
        (
            "capture_upstream_overridden",
            {"upstream": "anthropic", "url": "http://127.0.0.1:9"},
            "traffic for anthropic was sent to http://127.0.0.1:9 instead of the provider's own address",
        ),
        ("capture_clock_jump", {"delta_ms": 1500}, "the computer's clock jumped 1.5 s forwards"),
        ("capture_clock_jump", {"delta_ms": -3_600_000}, "the computer's clock jumped 1 h backwards"),
        ("capture_clock_jump", {"delta_ms": 59_900}, "the computer's clock jumped 59.9 s forwards"),
        ("capture_clock_jump", {"delta_ms": -60_000}, "the computer's clock jumped 1 min backwards"),
        ("capture_clock_jump", {"delta_ms": 28_920_000}, "the computer's clock jumped 8 h 2 min forwards"),
        ("capture_recovered", {}, "the recorder was restarted; nothing is known to be lost"),
        ("capture_recovered", {"lost": 1}, "the recorder was restarted"),
        ("capture_recovered", {"detail": "a torn record"}, "the recorder was restarted: a torn record"),
        ("capture_degraded", {"detail": "disk full"}, "what is recorded changed: disk full"),
        (
            "capture_config_changed",
            {"path_name": ".claude/settings.local.json", "detail": "missing"},
            "a setting that recording relies on changed: .claude/settings.local.json: missing",
        ),
        ("capture_bypass_suspected", {}, "the agent may have bypassed the recorder"),
        ("capture_gap", {"detail": "queue\nfull"}, "recording was incomplete: queue full"),
        (
            "capture_gap",
            {"source": "proxy", "detail": "too fast", "lost": 4711},
            "recording by the proxy was incomplete: too fast (4,711 bytes lost)",
        ),
        ("capture_gap", {"source": "hook", "lost": 1}, "recording by the hook was incomplete (1 hook call lost)"),
        ("capture_gap", {"source": "recorder", "lost": 2}, "recording by the recorder was incomplete (2 times)"),
    ],
)
def test_a_gap_is_told_in_words(kind: str, fields: dict[str, Any], text: str) -> None:
    """One line shows what the event says, with the unit of what was lost."""
    assert _told(kind, **fields) == text


def test_a_gap_repeats_no_more_than_a_line_of_what_was_recorded() -> None:
    """A detail of megabytes does not become a line of megabytes."""
    assert len(_told("capture_degraded", detail="long " * 100_000)) < 300


def test_numbers_that_were_cut_count_as_not_told() -> None:
    """A hostile event may have the beginning of a number: the event's own time is used instead."""
    salt, block = bytes(16), Block(bytes(16), b"12")
    stored = {name: b"\x02" + block.id + (3).to_bytes(8) + bytes(32) for name in ("from_ms", "to_ms", "lost")}
    stored["source"] = b"\x00proxy"
    committed = {name: b64u_encode(commitment(salt, name, value)) for name, value in stored.items()}
    event = World().events[0]
    public = public_with(event, kind="capture_gap", c=committed)
    secrets = {name: Secret(salt, value) for name, value in stored.items()}
    opened = RecordedEvent.assemble(public, secrets).open({block.id: block.data})
    (gap,) = read_gaps([opened])
    assert (gap.from_ms, gap.to_ms, gap.source) == (opened.ms, opened.ms, "proxy")
    assert gap.text == "recording by the proxy was incomplete"


def test_a_span_that_the_event_names_is_the_gaps() -> None:
    """``from_ms`` and ``to_ms`` say when recording was incomplete; the silent source is named."""
    (gap,) = read_gaps([_event("capture_gap", from_ms=5, to_ms=9)])
    assert (gap.from_ms, gap.to_ms, gap.source) == (5, 9, None)
    (gap,) = read_gaps([_event("capture_hook_silent")])
    assert gap.source == "hook"


def test_pauses_end_with_resume_or_the_session() -> None:
    """A second pause, or a resumption without a pause, changes nothing; a pause without an end stays open."""
    kinds = ("resumed", "paused", "paused", "resumed", "paused", "closed", "paused")
    fields: dict[str, dict[str, Any]] = {"paused": {"reason": "tea"}, "resumed": {"reason": "done"}, "closed": {}}
    gaps = read_gaps([_event(kind, seq, **fields[kind]) for seq, kind in enumerate(kinds)])
    assert [(gap.kind, gap.seq, gap.to_seq, gap.from_ms, gap.to_ms) for gap in gaps] == [
        ("paused", 1, 3, 1001, 1003),
        ("paused", 4, 5, 1004, 1005),
        ("paused", 6, None, 1006, None),
    ]
    assert [gap.text for gap in gaps[1:]] == ["recording was paused: tea", "recording was paused and not resumed: tea"]


@pytest.mark.parametrize(("told", "src"), [("resumed", "hook"), ("closed", "hook"), ("closed", "candidate")])
def test_a_pause_ends_with_nobody_elses_word(told: str, src: str) -> None:
    """Only candidate and recorder resume, only the recorder closes; a pause that a hook reports does not count."""
    paused, other = _event("paused", 0, src="candidate"), _event(told, 1, src=src, src_seq=0)
    assert [(gap.seq, gap.to_ms) for gap in read_gaps([replace(paused, src_seq=0), other]) if gap.kind == "paused"] == [
        (0, None)
    ]
    assert read_gaps([_event("paused", src="hook")]) == ()


@pytest.mark.parametrize(
    ("reason", "words"), [("candidate", "by the candidate"), ("recorder_stopped", "because the recorder stopped")]
)
def test_a_pauses_own_reasons_are_words(reason: str, words: str) -> None:
    """People see the recorder's codes in words."""
    ended = read_gaps(
        [_event(kind, seq, src="candidate", reason=reason) for seq, kind in enumerate(("paused", "resumed"))]
    )
    (left,) = read_gaps([_event("paused", src="candidate", reason=reason)])
    assert {is_outage(gap.kind, gap.text) for gap in (*ended, left)} == {reason == "recorder_stopped"}
    assert [gap.text for gap in (*ended, left)] == [
        f"recording was paused {words}",
        f"recording was paused and not resumed {words}",
    ]


def test_arrivals_are_counted_only_where_no_event_is_missing() -> None:
    """A skipped number of a source is the recorder's loss; after a missing event counting starts again."""
    whole = [_event("note", seq, src="hook") for seq in range(6)]
    assert read_gaps(whole) == ()
    skipped = [*whole[:3], *(replace(event, src_seq=event.src_seq + 2) for event in whole[3:])]
    (gap,) = read_gaps(skipped)
    assert (gap.kind, gap.seq, gap.source) == ("source_loss", 3, "hook")
    assert read_gaps([*whole[:2], *whole[4:]]) == ()
    assert [gap.seq for gap in read_gaps([replace(whole[0], src_seq=1), *whole[1:]])] == [0, 1]
