"""The whole page: one file, nothing fetched, nothing run but the one script whose hash is in its policy."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from importlib.resources import files
from typing import TYPE_CHECKING

from promptster.protocol.events import Source
from promptster.replay.formatting import excerpt
from promptster.replay.invisible_characters import for_script
from promptster.replay.page import rows, summary
from promptster.replay.page.markup import Html, element
from promptster.replay.verdict_text import emptiness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from promptster.replay.loading import Replay
    from promptster.replay.model import Timeline


def _asset(name: str) -> str:
    return files("promptster.replay.page").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def content_security_policy(style: str, script: str) -> str:
    """The page's own policy: this style, this script, nothing else, from nowhere."""
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    )


def document(replay: Replay) -> Iterator[str]:
    """The page's text, in pieces."""
    timeline = replay.timeline
    scripts = ("times.js", "texts.js", "place.js", "rows.js", "page.js") if timeline.entries else ("times.js",)
    style, script = _asset("page.css"), "".join(map(_asset, scripts))
    yield "<!doctype html>\n"
    yield '<html lang="en">\n'
    yield element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=content_security_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{excerpt(replay.facts.title) or 'Session'}, a replay"),
        element("style", Html(style)),
    )
    yield "\n<body>\n"
    yield element("a", "To the timeline", href="#timeline", class_="skip")
    top = summary.heading(replay) + summary.verdict(replay)
    yield top
    if timeline.entries:
        found = list(rows.rows(timeline))
        yield summary.glance(timeline)
        yield '<div class="columns">\n'
        yield _main()
        yield summary.margin(timeline, Counter(row.lane for row in found if not row.role))
        yield "</div>\n"
        yield from _data(timeline, found)
        yield f"<script>{script}</script>\n"
    else:
        told = element("p", emptiness(replay.verification), class_="nothing")
        yield element("main", told, id="timeline", tabindex=-1)
        yield f"<script>{script}</script>\n" if "<time " in top else ""
    yield "</body>\n</html>\n"


def _data(timeline: Timeline, found: Sequence[rows.Row]) -> Iterator[str]:
    """What the script reads: an index of all rows, and the rows in islands that are read when they are needed."""
    index = {
        "groups": list(rows.GROUPS),
        "lanes": {lane.number: lane.name for lane in timeline.lanes},
        "both": len({Source.PROXY, Source.HOOK} & {source.source for source in timeline.sources}) > 1,
        "start": timeline.started_ms or 0,
        "span": max((timeline.ended_ms or 0) - (timeline.started_ms or 0), 1),
        "per": rows.ROWS_PER_ISLAND,
        "invisible": for_script(),
        "rows": [
            [row.mask, row.lane, row.role, row.data["t"], list(row.seqs), row.data["k"] == "prompt"] for row in found
        ],
    }
    yield f'<script type="application/json" id="index">{rows.compact(index)}</script>\n'
    for text in rows.islands(found):
        yield f'<script type="application/json" class="rows">{text}</script>\n'


def _main() -> Html:
    return element(
        "main",
        element("h2", "Timeline", class_="hidden"),
        element("div", id="tools", class_="tools", role="search"),
        element("p", id="count", class_="small", aria_live="polite"),
        element("div", id="list", role="feed", aria_label="Timeline"),
        element(
            "noscript",
            element(
                "p",
                "Scripts are switched off. The timeline and the links into it need this page's own script; everything "
                "else works without it. ",
                element("code", "promptster replay FILE"),
                " shows the timeline in a terminal.",
            ),
        ),
        id="timeline",
        tabindex=-1,
    )
