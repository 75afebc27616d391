"""The parts of the page that need no script: head, verdict, who saw what, gaps, conversations, what was handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.replay.differences import count_changes
from promptster.replay.model import GapKind, Role
from promptster.replay.page.markup import Html, element, join
from promptster.replay.page.strip import is_prompt, strip
from promptster.replay.verdict import CLAIM, facts, findings, words
from promptster.replay.wording import clock, counted, duration, offset, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from promptster.replay.model import Gap, KindCoverage, SubmittedFile, Timeline
    from promptster.replay.session import Replay

_MOST_LISTED = 200
"""Lines of a list in the margin; the rest is counted."""
KIND_WORDS = {
    "prompt": "Prompts",
    "tool_call": "Tool calls",
    "tool_result": "Tool results",
    "file_edit": "File edits",
    "command": "Commands",
    "subagent_started": "Subagents started",
    "subagent_stopped": "Subagents finished",
    "permission": "Permissions",
}


def heading(replay: Replay) -> Html:
    """Title and facts of the session."""
    facts_ = replay.facts
    timeline = replay.timeline
    line = [one_line(text) for text in (facts_.organisation, facts_.candidate) if text]
    if timeline.started_ms is not None and timeline.ended_ms is not None:
        line += [clock(timeline.started_ms), duration(max(timeline.ended_ms - timeline.started_ms, 0))]
    return element(
        "header",
        element("p", "Promptster replay", class_="brand"),
        element("h1", one_line(facts_.title) or "Session"),
        element("p", *_dotted(line), class_="facts"),
        element("p", "Session ", element("code", one_line(facts_.session)), class_="facts small")
        if facts_.session
        else Html(),
        class_="top",
    )


def _dotted(texts: Iterable[str]) -> list[Html]:
    return [element("span", text) for text in texts]


def verdict(replay: Replay) -> Html:
    """The verification's result with its honest claim, and everything that it was made from."""
    told = words(replay.verification)
    rows = [
        join(element("dt", label.capitalize()), element("dd", value)) for label, value in facts(replay.verification)
    ]
    found = findings(replay.verification)
    listed = [
        element("li", one_line(finding.text), " ", element("code", finding.code)) for finding in found[:_MOST_LISTED]
    ]
    return element(
        "section",
        element(
            "div",
            element(
                "span",
                {"good": "✓", "warn": "!", "bad": "✕", "neutral": "?"}[told.tone.value],
                class_="seal",
                aria_hidden="true",
            ),
            element("h2", told.word.capitalize()),
            element("p", told.headline, class_="headline"),
            class_="verdict-head",
        ),
        element("p", CLAIM, class_="claim"),
        element("ul", *listed, class_="findings") if listed else Html(),
        element("details", element("summary", "What was checked"), element("dl", *rows)) if rows else Html(),
        element(
            "p",
            "This page only shows a session. To check it yourself, get its bundle and run ",
            element("code", "promptster verify FILE"),
            "; that needs no network and no account.",
            class_="small",
        ),
        class_="verdict",
        data_tone=told.tone.value,
        aria_label="Verification",
    )


def glance(timeline: Timeline) -> Html:
    """Counts and the strip."""
    paused = sum(
        gap.to_ms - gap.from_ms for gap in timeline.gaps if gap.kind is GapKind.PAUSED and gap.to_ms is not None
    )
    numbers = [
        counted(sum(map(is_prompt, timeline.story)), "prompt"),
        counted(timeline.count("model_response"), "answer"),
        counted(timeline.count("tool_call"), "tool call"),
        counted(timeline.count("file_edit"), "edit"),
        counted(timeline.count("command"), "command"),
    ]
    tiles = [_tile(*text.split(" ", 1)) for text in numbers]
    if paused:
        tiles.append(_tile(duration(paused), "paused"))
    return element(
        "section",
        element("ul", *tiles, class_="tiles"),
        strip(timeline),
        class_="glance",
        aria_label="At a glance",
    )


def _tile(value: str, label: str) -> Html:
    return element("li", element("b", value), " ", element("span", label))


def margin(timeline: Timeline) -> Html:
    """Everything beside the timeline."""
    return element(
        "aside",
        _who_saw_what(timeline),
        _gaps(timeline),
        _lanes(timeline),
        _submission(timeline),
        _keys(),
        aria_label="About the record",
    )


def _block(title: str, *children: str) -> Html:
    return element("section", element("h2", title), *children)


def _seen(coverage: KindCoverage) -> tuple[int, int, int]:
    both = sum(count for sources, count in coverage.by_sources.items() if {"proxy", "hook"} <= set(sources))
    proxy = coverage.by_sources.get(("proxy",), 0)
    return both, proxy, coverage.total - both - proxy


def _who_saw_what(timeline: Timeline) -> Html:
    head = element(
        "tr", element("td"), *(element("th", word, scope="col") for word in ("both", "proxy only", "hooks only"))
    )
    lines = [
        element(
            "tr",
            element("th", KIND_WORDS[coverage.kind], scope="row"),
            *(element("td", str(count) if count else "·") for count in _seen(coverage)),
        )
        for coverage in timeline.coverage
    ]
    sources = ", ".join(
        f"{source.source} {source.events}" + (f" ({source.missing} missing)" if source.missing else "")
        for source in timeline.sources
    )
    aside = sum(1 for entry in timeline.entries if entry.role is Role.NOT_CANDIDATE)
    return _block(
        "Who saw what",
        element("table", element("thead", head), element("tbody", *lines)) if lines else element("p", "Nothing yet."),
        element("p", f"{timeline.wire_events} events on the wire: {sources}.", class_="small") if sources else Html(),
        element(
            "p", f"{aside} of the entries are the agent's own housekeeping, not the candidate's work.", class_="small"
        )
        if aside
        else Html(),
    )


def _gaps(timeline: Timeline) -> Html:
    if not timeline.gaps:
        return _block("Gaps", element("p", "None reported. Silence of a source would show above.", class_="small"))
    start = timeline.started_ms or 0
    lines = [element("li", _moment(gap, start), gap.text, _length(gap)) for gap in timeline.gaps[:_MOST_LISTED]]
    return _block("Gaps", element("ul", *lines, class_="gaps"), _more(len(timeline.gaps)))


def _moment(gap: Gap, start: int) -> Html:
    return join(element("a", offset(gap.from_ms - start), href=f"#s{gap.seq}"), " ")


def _length(gap: Gap) -> str:
    if gap.to_ms is None or gap.to_ms <= gap.from_ms:
        return ""
    return f" ({duration(gap.to_ms - gap.from_ms)})"


def _more(count: int) -> Html:
    return element("p", f"and {count - _MOST_LISTED} more", class_="small") if count > _MOST_LISTED else Html()


def _lanes(timeline: Timeline) -> Html:
    lines = [
        element(
            "li", element("i", class_="dot", data_lane=lane.number % 6), lane.name, element("small", f" {lane.entries}")
        )
        for lane in timeline.lanes[:_MOST_LISTED]
    ]
    return _block("Conversations", element("ul", *lines, class_="lanes"), _more(len(timeline.lanes)))


def _submission(timeline: Timeline) -> Html:
    submission = timeline.submission
    if submission is None:
        return _block("Handed in", element("p", "Nothing yet.", class_="small"))
    files = [_file(file) for file in submission.files[:_MOST_LISTED]]
    return _block(
        "Handed in",
        element("ul", *files, class_="files") if files else element("p", "No file was changed.", class_="small"),
        _more(len(submission.files)),
        element("p", element("a", "See the difference", href=f"#s{submission.seq}"), class_="small"),
    )


def _keys() -> Html:
    pairs = (("j", "k", "entry by entry"), ("n", "p", "prompt by prompt"), ("o", "", "open"), ("/", "", "search"))
    lines = [
        element("li", *(join(element("kbd", key), " ") for key in keys if key), element("span", what))
        for *keys, what in pairs
    ]
    return element("section", element("h2", "Keys"), element("ul", *lines, class_="small"), class_="keys")


def _file(file: SubmittedFile) -> Html:
    added, removed = count_changes(file.diff) if file.diff else (0, 0)
    change = f" +{added} −{removed}" if file.diff else ""  # noqa: RUF001 - a minus sign beside a plus sign
    why = f", {file.reason}" if file.reason and file.reason != file.status else ""
    reason = "" if file.shown else f", hash only{why}"
    return element(
        "li", element("code", one_line(file.path)), " ", element("small", one_line(f"{file.status}{change}{reason}"))
    )
