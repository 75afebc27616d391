"""A replay in the terminal: everything once, in its place."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.helpers.bundles import Bundler
from tests.helpers.plausible import plausible
from tests.helpers.sessions import Script, frozen

from promptster.commands.replay import told
from promptster.commands.source import Begun, SessionSource
from promptster.replay.loading import Opening, Replay, ReplayHeading, from_bundle, from_opened
from promptster.ui.story import Layout, story, title
from promptster.ui.wrapping import cells


def _lines(script: Script, *, everything: bool = False) -> list[str]:
    blocks = story(from_opened(script.events), Layout(everything=everything))
    return [line.strip() for block in blocks for line in block.plain.split("\n")]


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
        "---- what is recorded changed: disk full ----",
        "second",
        "---- recording by the proxy was incomplete: too fast (5 bytes lost) (1 ms) ----",
    ]
    assert sum("127.0.0.1:9" in line for line in lines) == 1
    assert sum("127.0.0.1:9" in line for line in _lines(script, everything=True)) > 1


def test_silence_and_what_is_absent_stand_where_gaps_stand() -> None:
    """A heartbeat that begins or ends a silence is not an entry of the story; absences come first."""
    bundler = Bundler()
    replay = from_bundle(bundler.bundle(frozen().events), bundler.certified.keys.fingerprints)
    lines = [line.strip() for block in story(replay, Layout(width=200)) for line in block.plain.split("\n")]
    assert [line.split("  ", 1)[-1] for line in lines if "----" in line] == [
        "---- no event says that the candidate agreed to be recorded ----",
        "---- the recorder was silent: no heartbeat came, although one is due every minute (5 min 00 s) ----",
    ]
    (noted,) = [line for line in lines if line.startswith("noted")]
    assert "no event says that the candidate agreed to be recorded" in noted
    assert "events 5 to 6 happened before earlier ones" in noted


def test_one_endless_line_is_shown_without_delay() -> None:
    """Of megabytes without a space only the shown part is wrapped, and the rest is counted."""
    script = Script()
    script.add("candidate", "note", text="A" * 8_000_000)
    lines = _lines(script)
    assert len(lines) < 40
    assert any("more line" in line for line in lines)


def test_an_empty_replay_says_why_it_is_empty() -> None:
    """Nothing recorded and nothing proved have different messages."""
    assert _lines(Script())[-1] == "Nothing is recorded yet."
    shown = [block.plain for block in story(from_bundle(b"PK", ()))]
    assert shown[-1] == "Nothing in this file could be proved, so none of the session is shown."


@dataclass(frozen=True, kw_only=True)
class _Noting(Opening):
    """An opened bundle that notes when its whole check is asked for."""

    asked: list[str] = field(default_factory=list[str])

    def replay(self) -> Replay:
        """Note it, and check."""
        self.asked.append("checked")
        return super().replay()


def _begun(opening: Opening) -> Begun:
    return Begun(source=SessionSource(file=Path("ada.promptster"), session=None), opening=opening)


def test_the_title_is_there_before_the_rest_is_checked() -> None:
    """The first line needs only the collector's signature, and equals the line after the whole check."""
    data = Bundler().bundle(plausible())
    opening = Opening.of(data, ())
    noting = _Noting(facts=opening.facts, data=data, parts=opening.parts, trusted=())
    blocks = told(_begun(noting), Layout())
    assert next(blocks).plain == "Take-home, for Acme"
    assert noting.asked == []
    assert "consistent" in [next(blocks).plain, next(blocks).plain][1]
    assert noting.asked == ["checked"]
    assert [block.plain for block in told(_begun(opening), Layout())] == [
        block.plain for block in story(from_bundle(data, ()))
    ]


def test_a_bundle_that_proves_nothing_has_no_title_of_its_own() -> None:
    """A title that the collector did not sign is never shown as a heading."""
    data = Bundler().bundle(plausible())
    place = data.index(b"Take-home")
    altered = data[:place] + b"Fake-home" + data[place + 9 :]
    for broken in (b"PK", altered):
        opening = Opening.of(broken, ())
        assert opening.facts == ReplayHeading()
        assert [block.plain for block in title(opening.facts)] == ["Session"]
    assert next(told(_begun(opening), Layout())).plain == next(story(from_bundle(altered, ()))).plain


def test_a_passage_is_one_block_however_long_it_is() -> None:
    """The work for each block is done once per passage, not once per line; a second passage waits for nothing."""

    def blocks(lines: int) -> int:
        script = Script()
        script.tool("t1", "Read", {"file_path": "a.py"}, "x = 1\n" * lines)
        script.add("candidate", "note", text="one word\n" * lines)
        script.add("hook", "file_edit", path="a.py", operation="modify", before="", after="x = 1\n" * lines)
        return sum(1 for _ in story(from_opened(script.events), Layout(everything=True)))

    assert blocks(10) == blocks(10_000)


def test_a_story_is_made_as_it_is_read() -> None:
    """An entry's texts are made when it is reached: a faulty entry does not stop those before it."""
    script = Script()
    script.add("candidate", "note", text="the first")
    script.add("candidate", "note", text="the last")
    replay = from_opened(script.events)
    first, last = replay.timeline.entries
    untellable = replace(last, marks=(b"no text",))  # type: ignore[arg-type]
    blocks = story(replace(replay, timeline=replace(replay.timeline, entries=(first, untellable))))
    seen: list[str] = []
    with pytest.raises(TypeError):
        seen.extend(block.plain.strip() for block in blocks)
    assert "the first" in seen


WIDE = "漢字の文章はとても長いので、行の終わりで折り返す必要があります。 👩‍💻 naïve e\u0301 " * 3


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_nothing_is_wider_than_the_terminal_and_no_word_is_broken(width: int) -> None:
    """Headlines, verdict, prose, code, differences and gaps are measured in cells, also of wide characters."""
    script = Script()
    for event in plausible():
        script.events.append(event)
    script.numbers.update(proxy=1000)
    script.add("candidate", "note", text=WIDE)
    replay = from_opened(script.events)
    whole = " ".join(block.plain for block in story(replay, Layout(width=100_000, everything=True))).split()
    words = set(whole)
    for block in story(replay, Layout(width=width, folds=True, everything=True)):
        assert re.sub(r"\x1b\[[\d;]*m", "", block.styled) == block.plain
        for line in block.plain.split("\n"):
            assert cells(line) <= width or len(line.split()) == 1, line
            for word in line.split():
                assert word in words or any(ord(letter) >= 0x3000 for letter in word), word


def test_a_difference_is_coloured_by_what_its_lines_are() -> None:
    """Names of files are not changes; a changed line may look like a name or begin with what is shown as a code."""
    diff = (
        "diff --git a/q.sql b/q.sql\n--- a/q.sql\n+++ b/q.sql\n@@ -1,3 +1,3 @@\n \x0ckept\n--- gone\n+++ come\n same\n"
        "\\ No newline at end of file\n"
    )
    script = Script()
    script.add("workspace", "submission_final", diff=diff, manifest=[{"path": "q.sql"}])
    block = next(block for block in story(from_opened(script.events)) if "diff --git" in block.plain)
    found = {line.strip(): style for text, style in block.parts if text != "\n" for line in text.split("\n")}
    assert found == {
        "diff --git a/q.sql b/q.sql": "dim",
        "--- a/q.sql": "dim",
        "+++ b/q.sql": "dim",
        "@@ -1,3 +1,3 @@": "dim",
        "\\x0ckept": "",
        "--- gone": "red",
        "+++ come": "green",
        "same": "",
        "\\ No newline at end of file": "dim",
    }
