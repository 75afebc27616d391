"""What commands that speak to a collector say about its log; the log itself is watched in ``promptster.watching``.

A log that does not continue is a word to the person and a line for scripts, never a reason to stop: the recording and
the submission are the candidate's, whatever a collector does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from promptster.paths import home_path
from promptster.protocol.errors import LogError
from promptster.protocol.transparency_log import Checkpoint
from promptster.replay.formatting import counted
from promptster.ui.escape import escape_line
from promptster.watching.asking import CONTRADICTIONS, Kind, watch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from promptster.config import Config
    from promptster.protocol.verdict import Verification
    from promptster.ui.output import Output
    from promptster.watching.asking import Split, Watched

EXIT_CODE: Final = 10
"""A collector showed two different histories of its log."""
_MOST: Final = 3
_SAID: Final = {
    Kind.EQUIVOCATION: "showed two different histories of its log",
    Kind.NOT_CONTINUED: "cannot show that its log continues the one it showed before",
    Kind.ROLLED_BACK: "shows a log that ends before a point it had signed already",
    Kind.FOREIGN_KEY: "shows a log that is signed by a key nobody vouches for",
    Kind.NO_PROOF: "was asked several times to prove that its log only grew, and answered without a proof",
    Kind.RESTARTED: "began a new log, which is not shown to go on from the one before",
}
_MEANS: Final = {
    Kind.EQUIVOCATION: "It signed both, and no log that only grows can have both.",
    Kind.NOT_CONTINUED: "Entries may have been changed or taken out of it.",
    Kind.ROLLED_BACK: "It may have been restored from a backup, and what came since may be gone.",
    Kind.FOREIGN_KEY: "Somebody else may be answering in its place.",
    Kind.NO_PROOF: "It may keep something back, or a program between here and there does.",
    Kind.RESTARTED: "It may have been restored from a backup, and what came since may be gone.",
}


def watch_log(
    out: Output, config: Config, url: str, *, seen: Iterable[Verification] = (), notes: Iterable[str] = ()
) -> tuple[int, list[dict[str, Any]]]:
    """Watch a collector's log, and say what is wrong with it.

    Returns:
        The exit code that follows, and what is wrong as values for scripts.
    """
    views = [found.log.view for found in seen if found.log is not None]
    watched = watch(config, url, seen=views, notes=notes)
    tell(out, watched)
    contradicted = any(split.kind in CONTRADICTIONS for split in watched.splits)
    return (EXIT_CODE if contradicted else 0), [document(split) for split in watched.splits]


def document(split: Split) -> dict[str, Any]:
    """One finding for scripts, with both signed notes."""
    return {
        "kind": split.kind.value,
        "collector": split.collector,
        "origin": split.origin,
        "kept": split.kept or None,
        "shown": split.shown or None,
        "evidence": split.evidence,
    }


def tell(out: Output, watched: Watched) -> None:
    """Say it, on standard error: a result stays a result."""
    if watched.trouble is not None:
        out.note(f"warning: the checkpoints of the collector's log cannot be kept: {escape_line(watched.trouble)}")
    for split in watched.splits[:_MOST]:
        out.note(f"warning: {escape_line(split.collector)} {_SAID[split.kind]}")
        out.note(f"{_MEANS[split.kind]} The log: {escape_line(split.origin)}")
        if split.kind is not Kind.NO_PROOF:
            out.note(f"  before: {_in_words(split.kept)}")
            out.note(f"  now:    {_in_words(split.shown)}")
        if split.evidence is not None:
            out.note(f"Both are kept as evidence:\n{escape_line(home_path(Path(split.evidence)))}")
    if len(watched.splits) > _MOST:
        out.note(f"and {len(watched.splits) - _MOST} more; --json has all")
    if watched.splits:
        out.note("Your own work is not touched by this, and nothing of it is lost. Tell the other side about it.")


def _in_words(note: str) -> str:
    try:
        checkpoint = Checkpoint.parse(note)
    except LogError:
        return "nothing"
    return f"{counted(checkpoint.size, 'entry', 'entries')}, root {checkpoint.root.hex()}"
