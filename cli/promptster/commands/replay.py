"""``promptster replay``: read a session in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from promptster.commands import needed
from promptster.commands.options import Json, TeamCollector
from promptster.commands.source import SourceArgument

if TYPE_CHECKING or needed.work:
    from promptster.commands.source import begin_replay
    from promptster.commands.verify import document
    from promptster.config import Config
    from promptster.paths import Paths
    from promptster.replay.exporters.jsonl import gap_object, line
    from promptster.ui.output import Output
    from promptster.ui.pager import show
    from promptster.ui.story import Layout, title, untitled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.commands.source import Begun
    from promptster.ui.blocks import Block


def command(
    source: SourceArgument,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every entry, and every text in full.")] = False,
    collector: TeamCollector = None,
    json: Json = False,
) -> None:
    """Read a session in the terminal: what happened, who saw it, and whether it can be relied on."""
    out = Output(json)
    begun = begin_replay(source, Config.load(Paths.from_environment()), collector)
    if not json:
        show(told(begun, Layout.of_terminal(everything=everything)))
        return
    replay = begun.replay()
    timeline = replay.timeline
    out.result(
        {
            "session": replay.facts.session,
            "title": replay.facts.title,
            "organisation": replay.facts.organisation,
            "verification": None if replay.verification is None else document(replay.verification),
            "gaps": [gap_object(gap) for gap in timeline.gaps],
            "entries": [line(entry) for entry in timeline.entries],
        }
    )


def told(begun: Begun, layout: Layout) -> Iterator[Block]:
    """The story; its title, which the collector signed by itself, while the rest is still checked."""
    yield from title(begun.opening.facts, layout)
    yield from untitled(begun.replay(), layout)
