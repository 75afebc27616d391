"""A replay in the terminal: everything once, in its place."""

from __future__ import annotations

from tests.helpers.sessions import Script

from promptster.replay.session import from_bundle, from_opened
from promptster.ui.story import story


def _lines(script: Script, *, everything: bool = False) -> list[str]:
    return [line.plain.strip() for line in story(from_opened(script.events), everything=everything)]


def test_a_gap_is_told_once_and_where_it_was_reported() -> None:
    """The gap's line takes the place of its event; with everything shown the event's own fields follow."""
    script = Script()
    script.add("recorder", "capture_upstream_overridden", upstream="anthropic", url="http://127.0.0.1:9")
    script.add("candidate", "note", text="first")
    script.add("recorder", "capture_degraded", detail="disk full")
    script.add("candidate", "note", text="second")
    script.add("recorder", "capture_gap", source="proxy", detail="too fast", lost=5, from_ms=1, to_ms=2)
    lines = _lines(script)
    told = [line for line in lines if "----" in line or line in {"first", "second"}]
    assert [line.split("  ")[-1] for line in told] == [
        "---- traffic for anthropic was sent to http://127.0.0.1:9 instead of the provider's own address ----",
        "first",
        "---- how much is captured changed: disk full ----",
        "second",
        "---- capture by the proxy was incomplete: too fast (5 bytes) (1 ms) ----",
    ]
    assert sum("127.0.0.1:9" in line for line in lines) == 1
    assert sum("127.0.0.1:9" in line for line in _lines(script, everything=True)) > 1


def test_one_endless_line_is_shown_without_delay() -> None:
    """Megabytes without a space: only as much is wrapped as is shown, and the rest is counted."""
    script = Script()
    script.add("candidate", "note", text="A" * 8_000_000)
    lines = _lines(script)
    assert len(lines) < 40
    assert any("more line" in line for line in lines)


def test_an_empty_replay_says_why_it_is_empty() -> None:
    """Nothing recorded is one thing, nothing proved another."""
    assert _lines(Script())[-1] == "Nothing is recorded yet."
    shown = [line.plain for line in story(from_bundle(b"PK", ()))]
    assert shown[-1] == "Nothing in this file could be proved, so nothing of the session is shown."
