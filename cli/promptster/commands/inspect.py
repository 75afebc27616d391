"""``promptster inspect``: exactly what has been recorded so far, for the person whose work it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptster.commands import needed
from promptster.commands.options import JsonOption

if TYPE_CHECKING or needed.work:
    from promptster.durable import write_private
    from promptster.errors import PromptsterError, UsageError, reason_of
    from promptster.paths import Paths
    from promptster.replay import exporters
    from promptster.replay.exporters.jsonl import gap_object, line
    from promptster.replay.formatting import counted
    from promptster.session.current import Current
    from promptster.session.delivery_messages import undelivered
    from promptster.session.inspection import read_session
    from promptster.ui.output import Output, write_bytes
    from promptster.ui.pager import show
    from promptster.ui.story import Layout, story

if TYPE_CHECKING:
    from promptster.replay.loading import Replay

_STDOUT = "-"
_FOR_EXAMPLE = "For example: --html replay.html"


def command(
    *,
    html: Annotated[
        str | None,
        typer.Option("--html", metavar="FILE", help="Save the page that reviewers see; - for standard output."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every entry, and every text in full.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    json: JsonOption = False,
) -> None:
    """See exactly what has been recorded so far. It is read from this computer; nobody is told that you look.

    Example: promptster inspect --html recording.html
    """
    out = Output(json)
    if html == _STDOUT and json:
        raise UsageError("--html - and --json both write to standard output", hint="Use only one of them.")
    page = None if html is None or html == _STDOUT else Path(html).expanduser().absolute()
    if page is not None:
        _check_page(page, html or "", force=force)
    current = Current.require(Paths.from_environment())
    seen = read_session(current)
    replay, timeline = seen.replay, seen.replay.timeline
    if html == _STDOUT:
        write_bytes(exporters.find("html").export(replay))
        return
    if page is not None:
        _write_page(page, replay)
    out.result(
        {
            "session": current.facts.session,
            "state": current.facts.state.value,
            "events": seen.events,
            "refused": current.facts.refused or None,
            "entries": [line(entry) for entry in timeline.entries],
            "gaps": [gap_object(gap) for gap in timeline.gaps],
            **({"html": str(page)} if page is not None else {}),
        }
    )
    for words in undelivered(current.facts):
        out.note(words)
    if json:
        return
    if page is not None:
        out.say(f"Saved as {html}. It is not encrypted: delete it when you have read it.")
        return
    show(story(replay, Layout.of_terminal(everything=everything)))
    out.note(
        f"{counted(len(timeline.entries), 'entry', 'entries')}. --all shows every text. "
        "--html FILE saves the page that reviewers see."
    )


def _check_page(page: Path, named: str, *, force: bool) -> None:
    if not named:
        raise UsageError("--html needs a file name", hint=_FOR_EXAMPLE)
    if page.is_dir():
        raise UsageError(f"{named} is a folder", hint=_FOR_EXAMPLE)
    if not page.parent.is_dir():
        raise UsageError(f"there is no folder {page.parent}", hint="Create it first.")
    if (page.exists() or page.is_symlink()) and not force:
        raise UsageError(f"{named} already exists", hint="Add --force to replace it.", code="file_exists")


def _write_page(page: Path, replay: Replay) -> None:
    try:
        write_private(page, b"".join(exporters.find("html").export(replay)))
    except OSError as error:
        raise PromptsterError(
            f"cannot write {page}: {reason_of(error)}", hint="Choose another file.", code="file"
        ) from error
