"""``promptster replay``: read a session in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptster.commands import needed
from promptster.commands.options import JsonOption, TeamCollector
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
    from collections.abc import Iterator, Sequence

    from promptster.commands.source import Begun
    from promptster.replay.loading import Replay
    from promptster.ui.blocks import TextBlock


def command(
    source: SourceArgument,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Show every entry, and every text in full.")] = False,
    collector: TeamCollector = None,
    json: JsonOption = False,
) -> None:
    """Read a session in the terminal: what happened, which sources saw it, and whether it can be relied on."""
    out = Output(json)
    config = Config.load(Paths.from_environment())
    begun = begin_replay(source, config, collector)
    if not json:
        read: list[Replay] = []
        show(told(begun, Layout.of_terminal(everything=everything), read))
        _watch(out, config, collector, begun, read)
        return
    replay = begun.replay()
    log_warnings = _watch(out, config, collector, begun, [replay])
    timeline = replay.timeline
    out.result(
        {
            "session": replay.facts.session,
            "title": replay.facts.title,
            "organisation": replay.facts.organisation,
            "verification": None if replay.verification is None else document(replay.verification),
            "gaps": [gap_object(gap) for gap in timeline.gaps],
            "entries": [line(entry) for entry in timeline.entries],
            "log_warnings": log_warnings,
        }
    )


def told(begun: Begun, layout: Layout, read: list[Replay] | None = None) -> Iterator[TextBlock]:
    """The story. Its title, which has a signature of its own, comes before the rest is verified.

    Args:
        begun: what was opened.
        layout: how wide, and how much of it.
        read: the replay is appended to it once it is verified.
    """
    yield from title(begun.opening.facts, layout)
    replay = begun.replay()
    if read is not None:
        read.append(replay)
    yield from untitled(replay, layout)


def _watch(
    out: Output, config: Config, collector: str | None, begun: Begun, read: Sequence[Replay]
) -> list[dict[str, Any]]:
    """Check the log of the collector that the session came from; empty for a file."""
    if begun.source.file is not None:
        return []
    from promptster.commands.log_watch import watch_log  # noqa: PLC0415 - a file needs none of the network's library
    from promptster.commands.signed_in import team_url  # noqa: PLC0415 - likewise

    seen = [replay.verification for replay in read if replay.verification is not None]
    _, log_warnings = watch_log(out, config, team_url(config, collector), seen=seen)
    return log_warnings
