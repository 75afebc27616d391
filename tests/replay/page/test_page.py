"""The page as text: captured text never becomes markup, whatever it is."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections import Counter
from html.parser import HTMLParser
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.bundles import Bundler
from tests.helpers.capturing import RECORDINGS
from tests.helpers.plausible import plausible
from tests.helpers.sessions import CLAUDE, Script, frozen

from promptster.protocol.events.kinds import Kind
from promptster.replay.exporters import find
from promptster.replay.loading import ReplayHeading, from_bundle, from_opened
from promptster.replay.page.markup import element, escaped, island, visible
from promptster.replay.page.rows import Budget, rows
from promptster.replay.timeline import build

if TYPE_CHECKING:
    from promptster.protocol.events import OpenedEvent
    from promptster.replay.loading import Replay

ALLOWED = frozenset(
    [
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "a",
        "header",
        "p",
        "h1",
        "h2",
        "h3",
        "span",
        "code",
        "section",
        "div",
        "ul",
        "li",
        "details",
        "summary",
        "dl",
        "dt",
        "dd",
        "svg",
        "line",
        "rect",
        "main",
        "noscript",
        "aside",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "small",
        "i",
        "kbd",
        "time",
        "b",
        "script",
    ]
)


class Reader(HTMLParser):
    """Collects elements, their attributes and the scripts' texts."""

    def __init__(self, text: str) -> None:
        """Read the whole text."""
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[str | None, str]] = []
        self.styles: list[str] = []
        self._inside: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append((dict(attrs).get("type"), ""))
        elif tag == "style":
            self.styles.append("")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the base class names it
        """Leave an element."""
        self._inside = None

    def handle_data(self, data: str) -> None:
        """Remember a script's or a style's text."""
        if self._inside == "script":
            kind, text = self.scripts[-1]
            self.scripts[-1] = (kind, text + data)
        elif self._inside == "style":
            self.styles[-1] += data


def page(events: Any, **facts: str) -> str:
    """The page of a session."""
    return b"".join(find("html").export(from_opened(events, facts=ReplayHeading(**facts)))).decode()


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_the_policy_allows_exactly_this_style_and_this_script() -> None:
    """Everything else, from anywhere, is forbidden by the page itself."""
    read = Reader(page(plausible()))
    policy = next(
        attrs["content"] for _, attrs in read.elements if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    (style,) = read.styles
    (script,) = (text for kind, text in read.scripts if kind is None)
    assert policy == (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_nothing_in_the_page_points_outside_or_runs_by_itself() -> None:
    """There is no address but the page's own places, no handler, and no inline style."""
    read = Reader(page(plausible()))
    for tag, attrs in read.elements:
        assert tag in ALLOWED
        assert not any(name.startswith("on") or name in {"style", "src", "srcdoc", "action"} for name in attrs)
        assert (attrs.get("href") or "#").startswith("#")
    (script,) = (text for kind, text in read.scripts if kind is None)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(|fetch\(|XMLHttp", script
    )


@settings(deadline=None)
@given(
    st.text(max_size=200),
    st.sampled_from(["<script>", "</script>", "<!--", "]]>", "<img src=x onerror=a>", "&lt;", "\"'>"]),
)
def test_captured_text_never_becomes_markup(text: str, tail: str) -> None:
    """Whatever is captured, the elements of the page are the same as for harmless text."""

    def told(words: str) -> list[Any]:
        script = Script()
        script.add("proxy", "prompt", lane=1, text=words, agent=words, agent_session="s")
        script.add("candidate", "paused", reason=words)
        script.add(
            "workspace", "submission_final", manifest=[{"path": words, "status": words, "reason": words}], diff=words
        )
        return script.events

    hostile = Reader(page(told(text + tail), title=text + tail, organisation=text + tail, session=text + tail))
    plain = Reader(page(told("x"), title="x", organisation="x", session="x"))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    island_texts = [text for kind, text in hostile.scripts if kind == "application/json"]
    assert len(island_texts) == 2
    passages = [passage[1] for row in json.loads(island_texts[1]) for passage in row.get("p", [])]
    assert text + tail in passages


def test_unseen_characters_are_shown_by_their_code() -> None:
    """Bidirectional overrides, terminal escapes and invisible marks cannot pretend to be something else."""
    assert visible("a\u202eb\x1b[31m\r\nc\U000e0041") == "a\\u{202e}b\\u{1b}[31m\nc\\u{e0041}"
    text = page(plausible(), title="evil\u202etitle")
    assert "\u202e" not in text.split("<script", 1)[0]


def test_the_file_itself_holds_nothing_unseen() -> None:
    """In an editor or a pager the file looks like what it is, in its data too, and the data are the same."""
    hostile = "".join(chr(code) for code in [*range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200B, 0x200E, 0x2028, 0xFEFF])
    hostile += "".join(chr(code) for code in [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xE0041, 0x1BCA0])
    script = Script()
    script.add("proxy", "prompt", lane=1, text=f"a{hostile}b", agent=hostile, agent_session="s")
    script.add("candidate", "paused", reason=f"a{hostile}b")
    for export in ("html", "jsonl"):
        opened = from_opened(script.events, facts=ReplayHeading(title=hostile, organisation=hostile, session="s"))
        text = b"".join(find(export).export(opened)).decode()
        assert not [hex(ord(sign)) for sign in set(text) - {"\n"} if sign in hostile and sign not in " \t"], export
        assert "\t" not in text or export == "html"
    data = [text for kind, text in Reader(page(script.events)).scripts if kind == "application/json"]
    passages = [passage[1] for row in json.loads(data[1]) for passage in row.get("p", [])]
    assert f"a{hostile}b" in passages


def test_markup_escapes_where_text_enters_and_only_there() -> None:
    """Text and attributes are escaped once; markup made here is not escaped again."""
    made = element("p", "<b>", element("i", "&"), class_='a"b', hidden=True, id=None)
    assert made == '<p class="a&quot;b" hidden>&lt;b&gt;<i>&amp;</i></p>'
    assert escaped(made) is made
    assert html.unescape(escaped("<&\"'>")) == "<&\"'>"
    assert island('</script><!-- & \u2028"') == '\\u003c/script\\u003e\\u003c!-- \\u0026 \\u2028"'


def test_full_request_bodies_are_not_in_the_page() -> None:
    """They are in the bundle and in the lines; the page would be many times as large."""
    script = Script()
    script.turn("hello")
    assert "the whole conversation so far" not in page(script.events)
    assert "hello" in page(script.events)


def test_a_very_long_text_is_cut_and_says_so() -> None:
    """The cut names how much it left out; beyond the page's limit every further text is cut short."""
    budget = Budget(200_000)
    cut = budget.fit("a" * 100_000 + "end")
    assert len(cut) < 50_000
    assert "50,851 characters are left out on this page" in cut
    assert cut.endswith("end")
    for _ in range(4):
        budget.fit("b" * 49_000)
    assert len(budget.fit("c" * 49_000)) < 2_300


def test_the_summary_needs_no_script() -> None:
    """Verdict, claim, counts, who saw what, gaps and the submission are in the page before any script runs."""
    bundler = Bundler()
    replay = from_bundle(bundler.bundle(plausible()), bundler.certified.keys.fingerprints)
    static = b"".join(find("html").export(replay)).decode().split("<script", 1)[0]
    for words in (
        "said: verified;", "They prove custody, not truth", "recording was paused: the doorbell", "limiter.py",
        "added, hash only, binary", "Claude Code, subagent Explore", "not the candidate&#x27;s work",
        "80 events: proxy", bundler.certified.session,
    ):  # fmt: skip
        assert words in static


def test_silence_absence_and_doubtful_times_are_read_without_a_click() -> None:
    """Even with a good verdict, notes are in a list, and silence and absences are among the gaps and as bands."""
    bundler = Bundler()
    replay = from_bundle(bundler.bundle(frozen().events), bundler.certified.keys.fingerprints)
    static = b"".join(find("html").export(replay)).decode().split("<script", 1)[0]
    shown = html.unescape(re.sub(r"<[^>]+>", "", static.split("<details", 1)[0] + static.partition("Gaps</h")[2]))
    for words in (
        "no event says that the candidate agreed to be recorded consent_missing",
        "events 5 to 6 happened before earlier ones, and nothing says that the clock was set backwards",
        "the recorder was silent: no heartbeat came, although one is due every minute (5 min 00 s)",
    ):
        assert words in shown
    assert 'class="g-silence"' in static
    bands = [row.data["h"] for row in rows(replay.timeline) if row.data["k"] == "gap"]
    assert bands == [
        "no event says that the candidate agreed to be recorded",
        "the recorder was silent: no heartbeat came, although one is due every minute",
    ]


def _verdicts() -> dict[str, Replay]:
    """A session for each verdict, and one that was not checked."""
    bundler, events = Bundler(), plausible()
    trusted = bundler.certified.keys.fingerprints
    whole = bundler.bundle(events)
    return {
        "verified": from_bundle(whole, trusted),
        "consistent": from_bundle(whole, ()),
        "incomplete": from_bundle(bundler.bundle(events, closed=False, leave_out=frozenset({1})), trusted),
        "altered": from_bundle(_altered(whole), trusted),
        "unreadable": from_bundle(b"PK", trusted),
        "": from_opened(events),
    }


TONES: dict[str, tuple[str, ...]] = {
    "verified": (), "consistent": ("warn",), "incomplete": ("warn",), "altered": ("bad",), "unreadable": ("bad",),
    "": (),
}  # fmt: skip


def _altered(bundle: bytes) -> bytes:
    """A bundle in which one signed byte was changed."""
    data = bytearray(bundle)
    data[data.index(b"Yes. But write the tests first")] ^= 1
    return bytes(data)


def test_no_verdict_stands_on_the_page_as_if_the_page_could_prove_it() -> None:
    """Anyone can change a page, so there is no badge or seal, only what was checked and how to check it."""
    style = files("promptster.replay.page").joinpath("page.css").read_text(encoding="utf-8")
    assert "--good" not in style
    for name, replay in _verdicts().items():
        assert (replay.verification.verdict if replay.verification else "") == name
        text = b"".join(find("html").export(replay)).decode()
        read, static = Reader(text), html.unescape(re.sub(r"<[^>]+>", "", text.split("<script", 1)[0]))
        tones = {attrs["data-tone"] for _, attrs in read.elements if "data-tone" in attrs}
        assert tones == {*TONES[name]}
        classes = {word for _, attrs in read.elements for word in (attrs.get("class") or "").split()}
        assert classes.isdisjoint({"seal", "badge", "verdict", "verdict-head"})
        assert "✓" not in static
        assert "This page proves nothing by itself" in static
        assert "promptster verify FILE" in static
        assert (f"the check of the session's bundle said: {name};" if name else "nothing was checked") in static
        title = text.partition("<title>")[2].partition("</title>")[0]
        assert title
        assert not name or name not in title


def test_head_tables_and_lists_count_the_same() -> None:
    """Every count is the same everywhere: prompts that no one typed and housekeeping are left out of all of them."""
    for events in (plausible(), _with_notifications(), _recorded_before()):
        timeline = build(events)
        text = page(events)
        static = text.split("<script", 1)[0]
        tiles = {noun.rstrip("s"): int(number.replace(",", "")) for number, noun in TILE.findall(static)}
        table = {
            kind: sum(int(n.replace(",", "")) for n in NUMBER.findall(cells))
            for kind, cells in TABLE_ROW.findall(static)
        }
        words = {"prompt": "Prompts", "tool call": "Tool calls", "edit": "File edits", "command": "Commands"}
        for noun, row in words.items():
            assert tiles[noun] == table.get(row, 0) == timeline.count(KINDS[noun])
        found = list(rows(timeline))
        prompts = [row for row in found if row.mask & 1]
        assert len(prompts) == tiles["prompt"] == static.count('class="tick"')
        assert [row.data["k"] for row in prompts] == ["prompt"] * len(prompts)
        listed = [int(number.replace(",", "")) for number in LANE.findall(static)]
        by_lane = Counter(row.lane for row in found if not row.role)
        assert listed == [by_lane[lane.number] for lane in timeline.lanes]
        assert f"{sum(source.events for source in timeline.sources):,} events: " in static


TILE = re.compile(r"<li><b>([\d,]+)</b> <span>([a-z ]+)</span>")
TABLE_ROW = re.compile(r'<tr><th scope="row">([^<]+)</th>(.*?)</tr>')
NUMBER = re.compile(r"<td>([\d,]+)</td>")
LANE = re.compile(r'class="dot"[^>]*></i>[^<]*<small> ([\d,]+)</small>')
KINDS = {"prompt": Kind.PROMPT, "tool call": Kind.TOOL_CALL, "edit": Kind.FILE_EDIT, "command": Kind.COMMAND}


def _with_notifications() -> list[OpenedEvent]:
    script = Script()
    for number in range(520):
        script.prompt(f"prompt {number}")
        script.prompt("<task-notification>done</task-notification>", machine=True)
    script.turn("a title", purpose="title")
    script.add("hook", "subagent_started", lane=3, agent_id="s", agent_type="Explore", **CLAUDE)
    return script.events


def _recorded_before() -> list[OpenedEvent]:
    script = Script()
    for line in json.loads((RECORDINGS / "promptster-0.1" / "edits.json").read_bytes()):
        script.add(line["src"], line["kind"], lane=line["lane"], **line["fields"])
    return script.events


def test_the_work_is_in_reach_whatever_else_there_is() -> None:
    """The submission is linked from the top and comes before every list; long lists are folded."""
    script = Script()
    for number in range(60):
        who: dict[str, Any] = {**CLAUDE, "agent_id": f"s{number}"}
        script.add("hook", "subagent_started", lane=number + 2, agent_type=f"Explore {number}", **who)
        script.add("recorder", "capture_degraded", detail=f"{number}")
    manifest = [{"path": f"{number}.py", "status": "added", "size": 1, "shown": True} for number in range(300)]
    script.add("workspace", "submission_final", manifest=manifest, diff="@@ -0,0 +1 @@\n+x")
    static = page(script.events).split("<script", 1)[0]
    top, timeline, aside = re.split("<main|<aside", static)
    assert "Submitted: 300 files, +1 −0</a>" in top  # noqa: RUF001 - a minus sign next to a plus sign
    assert 'href="#submitted"' in top
    assert aside.index('id="submitted"') < aside.index("Who saw what") < aside.index("Conversations")
    folded = re.sub(r"<details>.*?</details>", "", aside, flags=re.DOTALL)
    assert [folded.count(f"Explore {n}<") for n in (0, 59)] == [1, 0]
    assert folded.count("<li>") < 40
    assert "290 more files" in aside
    assert "and 100 more" in aside
    assert timeline


def test_a_cut_difference_keeps_its_kinds() -> None:
    """If the middle of a long difference is left out, the lines after it keep their kinds."""
    diff = "@@ -1,9000 +1,9000 @@\n" + "--- x\n" * 9000 + "+++ y\n" * 9000
    text, kinds = Budget(0).fit_diff(diff.rstrip("\n"))
    lines = text.split("\n")
    assert len(lines) == len(kinds)
    assert (lines[:2], kinds[:2]) == (["@@ -1,9000 +1,9000 @@", "--- x"], "hd")
    assert (lines[-1], kinds[-1]) == ("+++ y", "a")
    assert kinds.count("n") == 3
    assert Budget().fit_diff("@@\n-a") == ("@@\n-a", "hd")


def test_each_action_is_one_row_with_its_parts_and_each_gap_one_band() -> None:
    """Rows have every wire event exactly once, so that each can be linked to; a pause takes its event's place."""
    timeline = build(plausible())
    found = list(rows(timeline))
    seqs = [seq for row in found for seq in row.seqs]
    assert sorted(seqs) == list(range(timeline.wire_events))
    bands = [row.data for row in found if row.data.get("k") == "gap"]
    assert [(band["h"], band["n"]) for band in bands] == [("recording was paused: the doorbell", "3 min 04 s")]
    bash = next(row for row in found if row.data["h"] == "Bash")
    assert [part["h"] for part in bash.data["c"]] == ["Result", "Ran"]


def test_a_page_without_a_proved_event_says_so() -> None:
    """Without counts of zero or a "none reported", an unreadable file shows its verdict, and that nothing is proved."""
    text = b"".join(find("html").export(from_bundle(b"PK", ()))).decode()
    assert "Nothing in this file could be proved" in text
    assert "said: unreadable;" in text
    assert not any(words in text for words in ("None reported", "0 prompts", "No events in", "<script"))
    assert "Nothing is recorded yet." in page([])


def test_bands_stand_where_their_event_does() -> None:
    """A gap that is reported late, with an early beginning, does not delay any other."""
    script = Script()
    script.add("candidate", "note", text="one")
    script.add("candidate", "paused")
    script.add("candidate", "resumed")
    script.add("candidate", "note", text="two")
    script.add("recorder", "capture_gap", source="proxy", from_ms=1, to_ms=2)
    labels = [row.data["h"] for row in rows(build(script.events))]
    assert labels == [
        "Note by the candidate", "recording was paused", "Recording resumed", "Note by the candidate",
        "recording by the proxy was incomplete",
    ]  # fmt: skip


def test_a_large_session_stays_small_on_the_page() -> None:
    """Five thousand events with ordinary texts fit into a few megabytes."""
    script = Script()
    while len(script.events) < 5000:
        number = len(script.events)
        script.prompt(f"prompt {number}")
        script.turn("an answer " * 20, tools=(f"t{number}",))
        script.tool(f"t{number}", "Bash", {"command": "make"}, "a line of output\n" * 30)
    assert len(page(script.events)) < 4_000_000
