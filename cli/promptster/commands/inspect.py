"""``promptster inspect``: exactly what has been recorded so far, for the person whose work it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptster.commands.options import Json
from promptster.config import write_private
from promptster.errors import UsageError
from promptster.paths import Paths
from promptster.replay import exporters
from promptster.replay.exporters.jsonl import line
from promptster.session.current import Current
from promptster.session.inspection import look
from promptster.ui.output import Output
from promptster.ui.pager import show
from promptster.ui.story import story


def command(
    *,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write the page that a reviewer sees; not to standard output."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every entry, every text in full.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    json: Json = False,
) -> None:
    """Show what has been recorded so far. It is read from this computer; nobody learns that you looked."""
    out = Output(json)
    current = Current.require(Paths.from_environment())
    replay = look(current)
    if html is not None:
        if html.exists() and not force:
            raise UsageError(f"{html} is there already", hint="--force replaces it")
        if not html.absolute().parent.is_dir():
            raise UsageError(f"there is no folder {html.absolute().parent}")
        write_private(html.absolute(), b"".join(exporters.find("html").export(replay)))
    timeline = replay.timeline
    out.result(
        {
            "session": current.facts.session,
            "state": current.facts.state.value,
            "entries": [line(entry) for entry in timeline.entries],
            "gaps": [
                {"kind": gap.kind.value, "text": gap.text, "from_ms": gap.from_ms, "to_ms": gap.to_ms}
                for gap in timeline.gaps
            ],
            **({"html": str(html.absolute())} if html is not None else {}),
        }
    )
    if json:
        return
    if html is not None:
        out.say(f"written to {html}; it is not encrypted, delete it when you have read it")
        return
    show(story(replay, everything=everything))
    out.note(
        f"{len(timeline.entries)} entries. --all shows every text, --html FILE writes the page that a reviewer sees"
    )
