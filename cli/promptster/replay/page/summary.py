"""The parts of the page that need no script: head, what was checked, who saw what, gaps, conversations, the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.protocol.events import Source
from promptster.protocol.events.kinds import Kind
from promptster.protocol.gaps import is_outage
from promptster.protocol.verdict import GapKind
from promptster.replay.differences import count_changes
from promptster.replay.formatting import counted, excerpt
from promptster.replay.model import EntryRole
from promptster.replay.page.instants import instant
from promptster.replay.page.markup import Html, element, join
from promptster.replay.page.strip import strip
from promptster.replay.verdict_text import CLAIM, Instant, Tone, doubts, facts_in_parts, findings, words
from promptster.times import duration, offset

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from promptster.replay.loading import Replay
    from promptster.replay.model import KindCoverage, SessionGap, SubmittedFile, Timeline

_MOST_LISTED = 200
"""Lines of a list in the margin; the rest is counted."""
_OPEN_FILES, _OPEN_GAPS, _OPEN_LANES = 10, 10, 6
"""Lines of a list that are open at once."""
KIND_WORDS: Mapping[str, str] = {
    Kind.PROMPT: "Prompts",
    Kind.TOOL_CALL: "Tool calls",
    Kind.TOOL_RESULT: "Tool results",
    Kind.FILE_EDIT: "File edits",
    Kind.COMMAND: "Commands",
    Kind.SUBAGENT_STARTED: "Subagents started",
    Kind.SUBAGENT_STOPPED: "Subagents finished",
    Kind.PERMISSION: "Permissions",
}


def heading(replay: Replay) -> Html:
    """Title and facts of the session."""
    facts_ = replay.facts
    timeline = replay.timeline
    line: list[str] = [excerpt(text) for text in (facts_.organisation, facts_.candidate) if text]
    if timeline.started_ms is not None and timeline.ended_ms is not None:
        line += [instant(timeline.started_ms, zoned=True), duration(max(timeline.ended_ms - timeline.started_ms, 0))]
    return element(
        "header",
        element("p", "Promptster replay", class_="brand"),
        element("h1", excerpt(facts_.title) or "Session"),
        element("p", *_dotted(line), class_="facts"),
        element("p", "Session ", element("code", excerpt(facts_.session)), class_="facts small")
        if facts_.session
        else Html(),
        class_="top",
    )


def _told(part: str | Instant) -> str:
    return instant(part.ms) if isinstance(part, Instant) else part


def _dotted(texts: Iterable[str]) -> list[Html]:
    return [element("span", text) for text in texts]


def verdict(replay: Replay) -> Html:
    """What was checked when the page was made, in words alone: anyone can change a page's text.

    A badge would vouch for whatever is written around it. Only what is bad or missing has a colour.
    """
    told = words(replay.verification)
    rows = [
        join(element("dt", label.capitalize()), element("dd", *map(_told, fact)))
        for label, fact in facts_in_parts(replay.verification)
    ]
    found = [*findings(replay.verification), *doubts(replay.verification)]
    listed = [
        element("li", excerpt(finding.text), " ", element("code", finding.code)) for finding in found[:_MOST_LISTED]
    ]
    if replay.verification is None:
        said = "When it was made, nothing was checked: it shows the recording itself, not a signed bundle."
    else:
        said = f"When it was made, the check of the session's bundle said: {told.word}; {told.headline}."
    return element(
        "section",
        element("h2", "This page proves nothing by itself"),
        element("p", said, class_="said"),
        element("ul", *listed, class_="findings") if listed else Html(),
        element(
            "p",
            "Anyone can change what a page says. To check the session yourself, get its bundle and run ",
            element("code", "promptster verify FILE"),
            "; that needs no network and no account.",
        ),
        element(
            "details",
            element("summary", "What was checked, and what that proves" if rows else "What a check proves"),
            element("p", CLAIM, class_="claim"),
            element("dl", *rows) if rows else Html(),
        ),
        class_="checked",
        data_tone=told.tone.value if told.tone in {Tone.WARN, Tone.BAD} else None,
        aria_label="What was checked when this page was made",
    )


def glance(timeline: Timeline) -> Html:
    """Counts and the strip."""
    paused = {"paused": 0, "recorder not running": 0}
    for gap in timeline.gaps:
        if gap.kind is GapKind.PAUSED and gap.to_ms is not None:
            what = "recorder not running" if is_outage(gap.kind, gap.text) else "paused"
            paused[what] += gap.to_ms - gap.from_ms
    numbers = [
        counted(timeline.count(Kind.PROMPT), "prompt"),
        counted(timeline.count(Kind.MODEL_RESPONSE), "answer"),
        counted(timeline.count(Kind.TOOL_CALL), "tool call"),
        counted(timeline.count(Kind.FILE_EDIT), "edit"),
        counted(timeline.count(Kind.COMMAND), "command"),
    ]
    tiles = [_tile(*text.split(" ", 1)) for text in numbers]
    tiles += [_tile(duration(length), what) for what, length in paused.items() if length > 0]
    return element(
        "section",
        element("ul", *tiles, class_="tiles"),
        _to_submission(timeline),
        strip(timeline),
        class_="glance",
        aria_label="At a glance",
    )


def _tile(value: str, label: str) -> Html:
    return element("li", element("b", value), " ", element("span", label))


def _to_submission(timeline: Timeline) -> Html:
    """The way from the top of the page to what was submitted, which is at the very end of a session."""
    submission = timeline.submission
    if submission is None:
        return Html()
    added, removed = count_changes(submission.diff or "")
    change = f", +{added} −{removed}" if submission.diff else ""  # noqa: RUF001 - a minus sign, as wide as the plus sign
    return element(
        "p",
        element("a", f"Submitted: {counted(len(submission.files), 'file')}{change}", href="#submitted"),
        element("a", "The difference", href=f"#s{submission.seq}"),
        class_="to-submission",
    )


def margin(timeline: Timeline, rows_by_lane: Mapping[int, int]) -> Html:
    """Everything next to the timeline.

    Args:
        timeline: the session.
        rows_by_lane: how many rows the timeline shows of each conversation.
    """
    return element(
        "aside",
        _submission(timeline),
        _who_saw_what(timeline),
        _gaps(timeline),
        _lanes(timeline, rows_by_lane),
        _keys(),
        aria_label="About the record",
        tabindex=0,
    )


def _block(title: str, *children: str, name: str | None = None) -> Html:
    return element("section", element("h2", title), *children, id=name)


def _list(lines: Sequence[Html], noun: str, name: str, at_once: int) -> Html:
    """A list of which only the beginning is open, so that what follows it stays in reach."""
    rest = lines[at_once:_MOST_LISTED]
    left_out = len(lines) - _MOST_LISTED
    folded = element(
        "details",
        element("summary", counted(len(lines) - at_once, f"more {noun}")),
        element("ul", *rest, class_=name),
        element("p", f"and {left_out} more", class_="small") if left_out > 0 else Html(),
    )
    return join(element("ul", *lines[:at_once], class_=name), folded if rest else Html())


def _seen(coverage: KindCoverage) -> tuple[int, int, int]:
    both = sum(count for sources, count in coverage.by_sources.items() if {Source.PROXY, Source.HOOK} <= set(sources))
    proxy = coverage.by_sources.get((Source.PROXY,), 0)
    return both, proxy, coverage.total - both - proxy


def _who_saw_what(timeline: Timeline) -> Html:
    head = element(
        "tr", element("td"), *(element("th", word, scope="col") for word in ("both", "proxy only", "hooks only"))
    )
    lines = [
        element(
            "tr",
            element("th", KIND_WORDS[coverage.kind], scope="row"),
            *(element("td", f"{count:,}" if count else "·") for count in _seen(coverage)),
        )
        for coverage in timeline.coverage
    ]
    sources = ", ".join(
        f"{source.source} {source.events:,}" + (f" ({source.missing:,} missing)" if source.missing else "")
        for source in timeline.sources
    )
    aside = sum(1 for entry in timeline.entries if entry.role is EntryRole.NOT_CANDIDATE)
    return _block(
        "Who saw what",
        element("table", element("thead", head), element("tbody", *lines))
        if lines
        else element("p", "No events in this recording."),
        element("p", f"{counted(timeline.wire_events, 'event')}: {sources}.", class_="small") if sources else Html(),
        element(
            "p",
            f"{counted(aside, 'entry', 'entries')} for the agent's own housekeeping, not the candidate's work.",
            class_="small",
        )
        if aside
        else Html(),
    )


def _gaps(timeline: Timeline) -> Html:
    if not timeline.gaps:
        return _block(
            "Gaps", element("p", "None reported. The table above shows what each source saw.", class_="small")
        )
    start = timeline.started_ms or 0
    lines = [element("li", _moment(gap, start), gap.text, _length(gap)) for gap in timeline.gaps]
    return _block("Gaps", _list(lines, "gap", "gaps", _OPEN_GAPS))


def _moment(gap: SessionGap, start: int) -> Html:
    return join(element("a", offset(gap.from_ms - start), href=f"#s{gap.seq}"), " ")


def _length(gap: SessionGap) -> str:
    if gap.to_ms is None or gap.to_ms <= gap.from_ms:
        return ""
    return f" ({duration(gap.to_ms - gap.from_ms)})"


def _lanes(timeline: Timeline, rows: Mapping[int, int]) -> Html:
    lines = [
        element(
            "li",
            element("i", class_="dot", data_lane=lane.number % 6),
            lane.name,
            element("small", f" {rows.get(lane.number, 0):,}"),
        )
        for lane in timeline.lanes
    ]
    return _block("Conversations", _list(lines, "conversation", "lanes", _OPEN_LANES))


def _submission(timeline: Timeline) -> Html:
    submission = timeline.submission
    if submission is None:
        return _block("Submitted", element("p", "No submission in this recording.", class_="small"), name="submitted")
    files = [_file(file) for file in submission.files]
    return _block(
        "Submitted",
        _list(files, "file", "files", _OPEN_FILES) if files else element("p", "No file was changed.", class_="small"),
        element("p", element("a", "Show the changes", href=f"#s{submission.seq}"), class_="small"),
        name="submitted",
    )


def _keys() -> Html:
    pairs = (("j", "k", "entry by entry"), ("n", "p", "prompt by prompt"), ("o", "", "open"), ("/", "", "search"))
    lines = [
        element("li", *(join(element("kbd", key), " ") for key in keys if key), element("span", what))
        for *keys, what in pairs
    ]
    return element("section", element("h2", "Keyboard shortcuts"), element("ul", *lines, class_="small"), class_="keys")


def _file(file: SubmittedFile) -> Html:
    added, removed = count_changes(file.diff) if file.diff else (0, 0)
    change = f" +{added} −{removed}" if file.diff else ""  # noqa: RUF001 - a minus sign, as wide as the plus sign
    why = f", {file.reason}" if file.reason and file.reason != file.status else ""
    reason = "" if file.shown else f", hash only{why}"
    return element(
        "li", element("code", excerpt(file.path)), " ", element("small", excerpt(f"{file.status}{change}{reason}"))
    )
