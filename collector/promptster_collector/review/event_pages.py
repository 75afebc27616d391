"""Pages of a session's events, decrypted, for one answer at a time.

A page ends when it is large enough. If its events refer to blocks that came with earlier events, the whole session is
read for them.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from promptster.protocol.events.fields import read_stored
from promptster_collector.review.rows import event_of
from promptster_collector.review.segment_reader import SegmentReader
from promptster_collector.store.inbox import size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from promptster.protocol.events import OpenedEvent, RecordedEvent
    from promptster_collector.review.session_reader import SessionReader
    from promptster_collector.settings import Limits
    from promptster_collector.store.database import AnyRow
    from promptster_collector.store.event_row import EventRow
    from promptster_collector.store.segment_file import PieceReader


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some events of a session, in order."""

    state: str
    events: tuple[OpenedEvent, ...]


class EventPages:
    """Serves pages of sessions; the caller has passed the guard and recorded the read."""

    def __init__(self, reader: SessionReader, limits: Limits) -> None:
        self._reader = reader
        self._limits = limits
        self._segments = SegmentReader()

    def close(self) -> None:
        """End the helper process."""
        self._segments.close()

    async def page(self, organisation: str, session: str, *, after: int, limit: int) -> Page:
        """Decrypted events after ``after``; of a running session, those received so far.

        Raises:
            NotFoundError: the organisation has no such session.
            GoneError: it was erased.
        """
        return await asyncio.to_thread(self._page, organisation, session, after, limit)

    def _page(self, organisation: str, session: str, after: int, limit: int) -> Page:
        row, segment = self._reader.locate(organisation, session)
        everything: Callable[[], Generator[RecordedEvent]]
        if segment is not None:
            with self._reader.pieces(organisation, session, segment) as pieces:
                events = [event_of(row) for row in self._sealed_page(pieces, after=after, limit=limit)]
            everything = partial(self._all_sealed, organisation, session, segment)
        else:
            live = partial(self._reader.live_events, organisation, session, policy_sealed=row.policy_sealed)
            events = self._live_page(live(after=after), limit)
            everything = live
        return Page(state=row.state, events=tuple(self._opened(events, _blocks(everything, events))))

    def _opened(self, events: Sequence[RecordedEvent], blocks: Mapping[bytes, bytes]) -> Generator[OpenedEvent]:
        """Events with their values until a page is full: many events can refer to one long block."""
        room = self._limits.page_bytes
        for place, event in enumerate(events):
            room -= len(event.public) + sum(len(secret.stored) for secret in event.secrets.values())
            room -= sum(len(blocks.get(block, b"")) for block in _referred(event))
            if place and room < 0:
                return
            yield event.open(blocks)

    def _sealed_page(self, pieces: PieceReader, *, after: int, limit: int) -> list[EventRow]:
        found: list[EventRow] = []
        room = self._limits.page_bytes
        for number in pieces.from_seq(after + 1):
            left = limit - len(found)
            for row in self._segments.page(pieces.read(number), after=after, limit=left, size=max(room, 0)):
                room -= row.size
                if found and room < 0:
                    return found
                found.append(row)
            if len(found) == limit or not found or found[-1].seq != pieces.last_of(number):
                break  # the rest of this piece comes before the next one
        return found

    def _live_page(self, events: Iterable[RecordedEvent], limit: int) -> list[RecordedEvent]:
        found: list[RecordedEvent] = []
        room = self._limits.page_bytes
        for event in events:
            room -= size_of(event)
            if found and room < 0:
                break
            found.append(event)
            if len(found) == limit:
                break
        return found

    def _all_sealed(self, organisation: str, session: str, segment: AnyRow) -> Generator[RecordedEvent]:
        with self._reader.pieces(organisation, session, segment) as pieces:
            for rows in self._segments.whole(pieces.read(number) for number in range(len(pieces))):
                yield from map(event_of, rows)


def _blocks(
    everything: Callable[[], Generator[RecordedEvent]], events: Sequence[RecordedEvent]
) -> Mapping[bytes, bytes]:
    """The blocks that these events use; if some came with earlier events, the whole session is read."""
    wanted = {block for event in events for block in _referred(event)}
    found = {block.id: block.data for event in events for block in event.blocks}
    if wanted <= found.keys():
        return found
    with closing(everything()) as all_events:
        for event in all_events:
            found |= {block.id: block.data for block in event.blocks if block.id in wanted}
            if wanted <= found.keys():
                break
    return found


def _referred(event: RecordedEvent) -> list[bytes]:
    found = (read_stored(secret.stored).block for secret in event.secrets.values())
    return [block for block in found if block is not None]
