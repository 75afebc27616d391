"""What commands report about a collector's log; ``promptster.watching`` does the watching.

A log that does not continue is reported to people and scripts, and never stops a command: the recording and the
submission belong to the candidate, whatever a collector does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from promptster.paths import home_path
from promptster.protocol.errors import LogError
from promptster.protocol.transparency_log import Checkpoint
from promptster.replay.formatting import counted
from promptster.ui.escape import escape_line
from promptster.watching.asking import CONTRADICTIONS, LogFault, watch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from promptster.config import Config
    from promptster.protocol.verdict import Verification
    from promptster.ui.output import Output
    from promptster.watching.asking import Split, Watched

EXIT_CODE: Final = 10
"""The exit code if a collector showed two different histories of its log."""
_MOST: Final = 3
_SAID: Final = {
    LogFault.EQUIVOCATION: "showed two different histories of its log",
    LogFault.NOT_CONTINUED: "cannot show that its log continues the one it showed before",
    LogFault.ROLLED_BACK: "shows an older log than one it signed before",
    LogFault.FOREIGN_KEY: "shows a log that is signed with an unknown key",
    LogFault.NO_PROOF: "has answered several times without proving that its log only grew",
    LogFault.RESTARTED: "started a new log, and did not show that it continues the previous one",
}
_MEANS: Final = {
    LogFault.EQUIVOCATION: "It signed both, but an append-only log has only one history.",
    LogFault.NOT_CONTINUED: "Entries may have been changed or removed.",
    LogFault.ROLLED_BACK: "It may have been restored from a backup, and later entries may be lost.",
    LogFault.FOREIGN_KEY: "Someone else may be answering in its place.",
    LogFault.NO_PROOF: "It, or something between you and it, may be withholding entries.",
    LogFault.RESTARTED: "It may have been restored from a backup, and later entries may be lost.",
}


def watch_log(
    out: Output, config: Config, url: str, *, seen: Iterable[Verification] = (), notes: Iterable[str] = ()
) -> tuple[int, list[dict[str, Any]]]:
    """Check a collector's log and report what is wrong with it.

    Returns:
        The exit code, and the findings as JSON values.
    """
    views = [found.log.view for found in seen if found.log is not None]
    watched = watch(config, url, seen=views, notes=notes)
    tell(out, watched)
    contradicted = any(split.kind in CONTRADICTIONS for split in watched.splits)
    return (EXIT_CODE if contradicted else 0), [document(split) for split in watched.splits]


def document(split: Split) -> dict[str, Any]:
    """One finding as JSON values, with both signed notes."""
    return {
        "kind": split.kind.value,
        "collector": split.collector,
        "origin": split.origin,
        "kept": split.kept or None,
        "shown": split.shown or None,
        "evidence": split.evidence,
    }


def tell(out: Output, watched: Watched) -> None:
    """Report the findings on standard error, apart from the result."""
    if watched.trouble is not None:
        out.note(f"warning: cannot save the checkpoints of the collector's log: {escape_line(watched.trouble)}")
    for split in watched.splits[:_MOST]:
        out.note(f"warning: {escape_line(split.collector)} {_SAID[split.kind]}")
        out.note(f"{_MEANS[split.kind]} The log: {escape_line(split.origin)}")
        if split.kind is not LogFault.NO_PROOF:
            out.note(f"  before: {_in_words(split.kept)}")
            out.note(f"  now:    {_in_words(split.shown)}")
        if split.evidence is not None:
            out.note(f"Both are kept as evidence:\n{escape_line(home_path(Path(split.evidence)))}")
    if len(watched.splits) > _MOST:
        out.note(f"and {len(watched.splits) - _MOST} more; --json lists all")
    if watched.splits:
        out.note("Your recording is not affected. Tell everyone who relies on this log.")


def _in_words(note: str) -> str:
    try:
        checkpoint = Checkpoint.parse(note)
    except LogError:
        return "nothing"
    return f"{counted(checkpoint.size, 'entry', 'entries')}, root {checkpoint.root.hex()}"
