"""Brings journal and batches back into agreement after a loss or after an older copy was restored.

Both contain the same events, so one can repair the other. A journal that lost its end is completed from sealed batches.
If the collector holds other events under the journal's numbers, the journal's events are added again after the
collector's last one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptster.protocol.batch import open_body, parse_batch
from promptster.protocol.events import Draft, RecordedEvent, compose, read_body
from promptster.protocol.events.sources import ends_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptster.deliver.outbox import Adoption, Outbox
    from promptster.journal.journal import Journal


@dataclass(frozen=True, kw_only=True)
class Repair:
    """What was repaired; all zero if nothing was."""

    filled: int = 0
    """Events restored from sealed batches."""
    moved: int = 0
    """Events added again after the collector's last one."""
    skipped: int = 0
    """Numbers whose events only the collector holds."""


def align(journal: Journal, outbox: Outbox, content_key: bytes, random: Callable[[int], bytes]) -> Repair:
    """Make the journal reach at least as far as the batches, under the same numbers.

    Raises:
        OSError: the disk failed; the next start tries again.
        ProtocolError: one of our own batches cannot be opened.
    """
    adoption = outbox.last_adoption
    if adoption is not None and adoption.base is not None:
        base, first = adoption.base, adoption.next_seq
        if not journal.jumped(base=base, first=first) and journal.next_seq >= base:
            return _move(journal, adoption, base, random)
    return _fill(journal, outbox, content_key)


def _move(journal: Journal, adoption: Adoption, base: int, random: Callable[[int], bytes]) -> Repair:
    """Add our events from ``base`` on again, after the last event that the collector holds."""
    new_seqs: dict[int, int] = {}
    entries: list[bytes] = []
    for _, data in journal.records(start=base):
        for event in read_body(data):
            if ends_session(event.kind, event.src):  # it counts batches that are no longer valid; closing is repeated
                continue
            seq = adoption.next_seq + len(entries)
            new_seqs[event.seq] = seq
            entries.append(_renumbered(event, seq, base, new_seqs, random).frames())
    journal.jump(base=base, first=adoption.next_seq, entries=entries)
    return Repair(moved=len(entries), skipped=adoption.next_seq - base)


def _renumbered(
    event: RecordedEvent, seq: int, base: int, new_seqs: dict[int, int], random: Callable[[int], bytes]
) -> RecordedEvent:
    opened = event.open()
    refs = tuple(new_seqs.get(ref, ref) for ref in opened.refs if ref < base or ref in new_seqs)
    draft = Draft(
        src=opened.src,
        event=opened.event,
        ms=opened.ms,
        mono_ms=opened.mono_ms,
        lane=opened.lane,
        refs=refs,
    )
    return compose(draft, seq=seq, src_seq=opened.src_seq, random=random)


def _fill(journal: Journal, outbox: Outbox, content_key: bytes) -> Repair:
    """Restore from the batches what the journal lost after its valid prefix."""
    filled = skipped = 0
    for entry in outbox.chain:
        if entry.next_seq <= journal.next_seq:
            continue
        if entry.adopted is not None:
            skipped += entry.next_seq - journal.next_seq
            journal.jump(base=journal.next_seq, first=entry.next_seq, entries=[])
            continue
        events = open_body(parse_batch(outbox.wire(entry.n)), content_key)
        missing = [event.frames() for event in events if event.seq >= journal.next_seq]
        journal.append(missing)
        filled += len(missing)
    return Repair(filled=filled, skipped=skipped)
