"""Whether several bundles, and the checkpoints kept on this computer, show one history of a collector's log.

This works offline, with the notes that are here. Two notes that contradict each other are evidence: both are signed,
so they are printed whole, and anyone can check them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from promptster.protocol.encoding import b64u_encode
from promptster.protocol.log_consistency import Relation, compare
from promptster.protocol.signing import kid
from promptster.replay.formatting import counted
from promptster.ui.escape import escape_line
from promptster.ui.wrapping import columns, fold
from promptster.watching.kept import KeptLogs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from promptster.paths import Paths
    from promptster.protocol.log_consistency import Pair, View
    from promptster.protocol.verdict import Verification
    from promptster.ui.output import Output

KEPT: Final = "kept on this computer"
"""The place of a checkpoint that is in no file."""
_MOST: Final = 3
EXIT_CODE: Final = 10


@dataclass(frozen=True, kw_only=True)
class Histories:
    """What is known about the logs of the files."""

    split: tuple[Pair, ...]
    """Pairs that an append-only log cannot have."""
    undecided: tuple[Pair, ...]
    """Pairs of files for which nothing here shows whether one tree begins with the other."""
    consistent: int
    """Pairs shown to be one history, among the files or with kept checkpoints."""
    kept: int
    """The number of kept checkpoints that were read."""
    without: tuple[str, ...] = ()
    """Files whose log is unknown: they have no checkpoint that can be trusted."""
    places: dict[tuple[bytes, str, int, bytes], list[str]] = field(default_factory=dict[Any, list[str]])
    """Where the checkpoint of each tree was found."""

    def where(self, view: View) -> list[str]:
        """The places that have a checkpoint."""
        return self.places[view.tree]

    def documents(self) -> list[dict[str, Any]]:
        """Each contradiction as JSON values, with both signed notes."""
        return [
            {
                "origin": pair.small.checkpoint.origin,
                "log_key": b64u_encode(pair.small.public_key),
                "checkpoints": [
                    {
                        "found_in": self.where(view),
                        "size": view.checkpoint.size,
                        "root": view.checkpoint.root.hex(),
                        "note": view.checkpoint.note,
                    }
                    for view in (pair.small, pair.large)
                ],
            }
            for pair in self.split
        ]


def read_histories(files: Sequence[tuple[str, Verification]], paths: Paths) -> Histories:
    """Compare the checkpoints of the files with each other and with those kept on this computer."""
    logs = KeptLogs(paths)
    views: list[View] = []
    without: list[str] = []
    places: dict[tuple[bytes, str, int, bytes], list[str]] = {}
    for name, verification in files:
        view = None if verification.log is None else verification.log.view
        if view is None:
            without.append(name)
        else:
            views.append(view)
            places.setdefault(view.tree, []).append(name)
    of_files = set(places)
    kept = [entry.view for key, origin in {view.log for view in views} for entry in logs.log(key, origin).notes()]
    for view in kept:
        places.setdefault(view.tree, []).append(KEPT)
    pairs = compare([*views, *kept])
    between = [pair for pair in pairs if {pair.small.tree, pair.large.tree} <= of_files]
    touching = [pair for pair in pairs if {pair.small.tree, pair.large.tree} & of_files]
    return Histories(
        split=tuple(pair for pair in pairs if pair.relation is Relation.EQUIVOCATION),
        undecided=tuple(pair for pair in between if pair.relation is Relation.UNDECIDED),
        consistent=sum(pair.relation is Relation.CONSISTENT for pair in touching),
        kept=len(kept),
        without=tuple(without),
        places=places,
    )


def tell(out: Output, histories: Histories) -> None:
    """Print the contradictions first, each with both signed notes exactly as they were signed."""
    for pair in histories.split[:_MOST]:
        origin, key = escape_line(pair.small.checkpoint.origin), kid(pair.small.public_key)
        out.say(
            f"EQUIVOCATION: the log {origin} was shown with two different histories. Its key {key} signed both, but "
            "an append-only log has only one history. Do not rely on it."
        )
        for view in (pair.small, pair.large):
            where = ", ".join(escape_line(name) for name in histories.where(view))
            out.say(f"Checkpoint covering {counted(view.checkpoint.size, 'entry', 'entries')} ({where}):\n")
            out.copied(view.checkpoint.note)
    if len(histories.split) > _MOST:
        out.say(f"and {len(histories.split) - _MOST} more; --json lists all\n")


def rest_told(histories: Histories, files: int) -> Iterator[str]:
    """What the comparison found, or what could not be compared; nothing for a single file without a contradiction."""
    if histories.split:
        yield "Do not rely on it: the log has two histories. See EQUIVOCATION above."
        return
    if files < 2:  # noqa: PLR2004 - one file has nothing to be compared with
        return
    logs = {tree[:2] for tree, where in histories.places.items() if where != [KEPT]}
    if not logs:
        yield "Log: none of the files has a log checkpoint, so they cannot be compared."
        return
    for pair in histories.undecided[:_MOST]:
        names = [histories.where(view)[0] for view in (pair.small, pair.large)]
        yield from _wrapped(
            f"Log: nothing here shows whether {escape_line(names[0])} and {escape_line(names[1])} belong to the same "
            "history."
        )
    if len(histories.undecided) > _MOST:
        yield f"and {len(histories.undecided) - _MOST} more pairs; --json lists all"
    if len(logs) > 1:
        yield from _wrapped(f"Log: the files come from {len(logs)} logs. Only files from the same log can be compared.")
    if histories.without:
        yield from _wrapped(f"Log: not compared, because there is no checkpoint in {_named(histories.without)}")
    if histories.undecided:
        yield "To have the collector prove it: promptster export SESSION"
    elif len(logs) == 1 and not histories.without:
        yield "Log: all files are consistent with one history."
    else:
        yield "Log: the files that were compared are consistent with one history."


def _named(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(escape_line(name) for name in names[:_MOST]) + rest


def _wrapped(text: str) -> list[str]:
    return fold(text, columns(), 0)
