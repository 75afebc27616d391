"""A replay from a bundle: only what was proved, with the verdict and what verification found missing."""

from __future__ import annotations

from dataclasses import replace

from tests.helpers.bundles import Bundler
from tests.helpers.certified import Certified
from tests.helpers.plausible import plausible
from tests.helpers.sessions import Script, frozen

from promptster.protocol.verdict import CLAIM, GapKind
from promptster.replay.exporters import find
from promptster.replay.loading import ReplayHeading, from_bundle, from_opened
from promptster.replay.verdict_text import Tone, facts, findings, words


def test_a_whole_bundle_is_verified_and_tells_the_same_story() -> None:
    """The reviewer sees from the bundle what the candidate sees from the recording."""
    bundler, events = Bundler(), plausible()
    replay = from_bundle(bundler.bundle(events), bundler.certified.keys.fingerprints)
    assert words(replay.verification).word == "verified"
    assert words(replay.verification).tone is Tone.GOOD
    assert replay.timeline == from_opened(events).timeline
    assert (replay.facts.session, replay.facts.title, replay.facts.organisation) == (
        bundler.certified.session,
        "Take-home",
        "Acme",
    )
    told = dict(facts(replay.verification))
    assert told["batches"] == "4 batches: 4 received, 4 checked by the collector"
    assert told["end"].startswith("submitted with 80 events, 25 November 2026")
    assert findings(replay.verification) == []
    assert replay.verification is not None
    assert replay.verification.claim == CLAIM


def test_a_missing_span_is_drawn_and_weighs() -> None:
    """Events of an unreadable batch are a gap in the timeline and a finding."""
    bundler = Bundler()
    data = bundler.bundle(plausible(), leave_out=frozenset({0, 2}))
    replay = from_bundle(data, bundler.certified.keys.fingerprints)
    assert words(replay.verification).word == "incomplete"
    missing = [gap for gap in replay.timeline.gaps if gap.kind is GapKind.MISSING]
    assert [(gap.seq, gap.text) for gap in missing] == [
        (0, "events 0 to 19 are not in this record"),
        (40, "events 40 to 59 are not in this record"),
    ]
    assert "unreadable_span" in {finding.code for finding in findings(replay.verification)}


def test_late_events_are_labelled_untimed() -> None:
    """Events that arrived more than five minutes late could have been rewritten, and are marked."""
    bundler = Bundler(delay_ms=3_600_000)
    replay = from_bundle(bundler.bundle(plausible()), bundler.certified.keys.fingerprints)
    (gap,) = (gap for gap in replay.timeline.gaps if gap.kind is GapKind.UNTIMED)
    assert gap.text == "events 0 to 79 untimed: could have been rewritten before upload"
    assert (gap.from_ms, gap.to_ms) == (replay.timeline.started_ms, replay.timeline.ended_ms)
    assert "untimed" in dict(facts(replay.verification))


def test_without_a_pinned_key_the_verdict_is_consistent() -> None:
    """Without a trusted key the signer is unknown; if something is missing too, the headline says both."""
    bundler = Bundler()
    told = words(from_bundle(bundler.bundle(plausible()), ()).verification)
    assert (told.word, told.tone) == ("consistent", Tone.WARN)
    assert "missing" not in told.headline
    told = words(from_bundle(bundler.bundle(plausible(), closed=False), ()).verification)
    assert "something is missing" in told.headline


def test_what_is_noted_without_weight_is_told_too() -> None:
    """Events recorded after the agreed time do not change the verdict, but every reader sees the note."""
    bundler = Bundler(Certified(record_until=1))
    replay = from_bundle(bundler.bundle(plausible()), bundler.certified.keys.fingerprints)
    assert words(replay.verification).word == "verified"
    noted = dict(facts(replay.verification))["noted"]
    assert "recorded after the end of recording in the certificate: events 0 to 79" in noted
    assert "events 0 to 79" in b"".join(find("html").export(replay)).decode()


def test_an_altered_bundle_shows_nothing_unproved() -> None:
    """One flipped byte is named, and what it affects is not shown as true."""
    bundler = Bundler()
    data = bytearray(bundler.bundle(plausible()))
    at = data.index(b"Yes. But write the tests first")
    data[at] ^= 1
    replay = from_bundle(bytes(data), bundler.certified.keys.fingerprints)
    assert words(replay.verification).word == "altered"
    assert words(replay.verification).tone is Tone.BAD
    assert not any("write the tests first" in str(entry.fields) for entry in replay.timeline.entries)


def test_bytes_that_are_no_bundle_are_unreadable() -> None:
    """Any bytes give a verdict and an empty timeline, never an exception."""
    replay = from_bundle(b"PK\x03\x04 and so on", ())
    assert words(replay.verification).word == "unreadable"
    assert replay.timeline.entries == ()
    assert dict(facts(replay.verification))["signer"] == "no collector key found"


def test_arrivals_that_the_recorder_lost_are_gaps() -> None:
    """A hole in a source's own numbers is shown, though every signed event is present."""
    events = plausible()
    shifted = [
        event if event.src != "hook" or event.src_seq < 5 else replace(event, src_seq=event.src_seq + 2)
        for event in events
    ]
    bundler = Bundler(Certified())
    replay = from_bundle(bundler.bundle(shifted), bundler.certified.keys.fingerprints)
    (gap,) = (gap for gap in replay.timeline.gaps if gap.kind is GapKind.SOURCE_LOSS)
    assert gap.source == "hook"
    assert next(source.missing for source in replay.timeline.sources if source.source == "hook") == 2


def test_a_replay_tells_the_gaps_that_verification_tells() -> None:
    """What ``verify`` lists as gaps of capture is in the timeline, word by word."""
    script = Script()
    script.add("recorder", "opened")
    script.add("recorder", "capture_upstream_overridden", upstream="anthropic", url="http://127.0.0.1:9")
    script.add("recorder", "capture_gap", source="proxy", detail="too fast", lost=3, from_ms=1, to_ms=2)
    script.add("recorder", "capture_config_changed", path_name="settings.json", detail="missing")
    script.add("candidate", "paused", reason="tea")
    script.add("recorder", "closed")
    replay = from_bundle(Bundler().bundle(script.events), ())
    assert replay.verification is not None
    told = sorted((gap for gap in replay.timeline.gaps if gap.kind is not GapKind.ABSENT), key=lambda gap: gap.seq)
    assert [(gap.kind, gap.seq, gap.from_ms, gap.to_ms, gap.text) for gap in told] == [
        (gap.kind, gap.seq, gap.from_ms, gap.to_ms, gap.text) for gap in replay.verification.gaps
    ]
    assert len(told) == 4
    alone = from_opened(script.events).timeline.gaps
    assert alone == tuple(gap for gap in replay.timeline.gaps if gap.kind is not GapKind.ABSENT)


def test_a_running_session_tells_of_silence_and_misses_nothing_yet() -> None:
    """Before submitting, the candidate sees the silence with its beginning and end; what is missing may still come."""
    (gap,) = from_opened(frozen().events[:5]).timeline.gaps
    assert (gap.kind, gap.seq, gap.to_seq, gap.source) == (GapKind.SILENCE, 2, 4, "recorder")


def test_a_running_session_is_not_verified_and_says_so() -> None:
    """Without a bundle nothing was checked, and events that do not exist yet are not shown."""
    events = plausible()
    replay = from_opened(events[:10] + events[12:20], facts=ReplayHeading(title="T"))
    assert words(replay.verification).word == "not verified"
    assert facts(replay.verification) == []
    assert [gap.text for gap in replay.timeline.gaps] == ["events 10 to 11 are not in this record"]
